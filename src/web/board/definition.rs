//! A board as its TOML file defines it: a title and tiles, each a statement and how its rows are drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::web::page::language::Language;

const TILES_MAX: usize = 48;
/// A row of tiles is this wide.
pub const WIDTH_MAX: u8 = 12;

/// Why a board cannot be read. Tiles are counted from 1.
#[derive(Debug, Error)]
pub enum BoardError {
    #[error("board '{board}' is not a board: {}", source.message())]
    Toml { board: String, source: toml::de::Error },
    #[error("board '{board}' has {count} tiles: between 1 and {TILES_MAX} are allowed")]
    TileCount { board: String, count: usize },
    #[error("board '{board}' has no title")]
    Untitled { board: String },
    #[error("tile {tile} of board '{board}' has no {key}")]
    KeyAbsent { board: String, tile: usize, key: &'static str },
    #[error("tile {tile} of board '{board}' is {width} wide: between 1 and {WIDTH_MAX} is allowed")]
    Width { board: String, tile: usize, width: u8 },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    pub title: Text,
    /// Boards are shown in the order of this number, then of their names.
    #[serde(default)]
    pub position: i32,
    /// ISO 4217 code of what is formatted as money.
    pub currency: Option<String>,
    /// What is shown in place of names of columns and of texts in cells.
    #[serde(default)]
    pub labels: Labels,
    #[serde(default)]
    pub tiles: Vec<Tile>,
}

/// A text in one language or both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    #[serde(default)]
    en: String,
    #[serde(default)]
    zh: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    #[serde(default)]
    en: BTreeMap<String, String>,
    #[serde(default)]
    zh: BTreeMap<String, String>,
}

/// Serialized for the script that draws it: title and statement stay here.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    #[serde(skip_serializing)]
    pub title: Text,
    pub chart: Chart,
    /// The column of categories or times.
    pub x: Option<String>,
    /// The columns of values.
    #[serde(default)]
    y: Names,
    /// For a KPI: the column with the value of the period before.
    before: Option<String>,
    /// How the numbers of a column are written.
    #[serde(default)]
    formats: BTreeMap<String, NumberFormat>,
    /// In twelfths of a row.
    #[serde(skip_serializing)]
    width: Option<u8>,
    #[serde(skip_serializing)]
    pub sql: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Chart {
    Line,
    Bar,
    Pie,
    Table,
    Kpi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberFormat {
    Number,
    Money,
    /// The value is a share: 0.5 is 50 %.
    Percent,
    /// Digits alone, as in numbers that name something.
    Plain,
}

/// `"revenue"` or `["revenue", "cost"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "OneOrMany")]
struct Names(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Names {
    fn from(names: OneOrMany) -> Self {
        match names {
            OneOrMany::One(name) => Self(vec![name]),
            OneOrMany::Many(names) => Self(names),
        }
    }
}

impl Board {
    pub fn parse(name: &str, text: &str) -> Result<Self, BoardError> {
        let board: Self = toml::from_str(text).map_err(|source| BoardError::Toml { board: name.to_owned(), source })?;
        if board.title.is_empty() {
            return Err(BoardError::Untitled { board: name.to_owned() });
        }
        if !(1..=TILES_MAX).contains(&board.tiles.len()) {
            return Err(BoardError::TileCount { board: name.to_owned(), count: board.tiles.len() });
        }
        board.tiles.iter().enumerate().try_for_each(|(index, tile)| tile.check(name, index + 1))?;
        Ok(board)
    }
}

impl Tile {
    pub fn width(&self) -> u8 {
        self.width.unwrap_or(match self.chart {
            Chart::Kpi => 3,
            Chart::Line | Chart::Bar | Chart::Pie => 6,
            Chart::Table => WIDTH_MAX,
        })
    }

    fn check(&self, board: &str, tile: usize) -> Result<(), BoardError> {
        let (needs_x, needs_y) = match self.chart {
            Chart::Line | Chart::Bar | Chart::Pie => (true, true),
            Chart::Kpi => (false, true),
            Chart::Table => (false, false),
        };
        let absent = [
            ("title", self.title.is_empty()),
            ("sql", self.sql.trim().is_empty()),
            ("x", needs_x && self.x.is_none()),
            ("y", needs_y && self.y.0.is_empty()),
        ];
        if let Some((key, _)) = absent.into_iter().find(|(_, absent)| *absent) {
            return Err(BoardError::KeyAbsent { board: board.to_owned(), tile, key });
        }
        if !(1..=WIDTH_MAX).contains(&self.width()) {
            return Err(BoardError::Width { board: board.to_owned(), tile, width: self.width() });
        }
        Ok(())
    }
}

impl Chart {
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Bar => "bar",
            Self::Pie => "pie",
            Self::Table => "table",
            Self::Kpi => "kpi",
        }
    }
}

impl Text {
    /// In the reader's language where there is such a text, else in the other one.
    pub fn shown(&self, language: Language) -> &str {
        let (first, second) = match language {
            Language::English => (&self.en, &self.zh),
            Language::Chinese => (&self.zh, &self.en),
        };
        if first.is_empty() { second } else { first }
    }

    fn is_empty(&self) -> bool {
        self.en.is_empty() && self.zh.is_empty()
    }
}

impl Labels {
    pub fn shown(&self, language: Language) -> &BTreeMap<String, String> {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;

    const BOARD: &str = r#"
        title.en = "Sales"
        currency = "CNY"
        labels.zh.tmall = "天猫"
        [[tiles]]
        title.zh = "销售额"
        chart = "kpi"
        y = "revenue"
        formats.revenue = "money"
        sql = "SELECT 1 AS revenue"
        [[tiles]]
        title.en = "Trend"
        chart = "line"
        x = "month"
        y = ["orders", "buyers"]
        width = 8
        sql = "SELECT 1"
    "#;

    #[test]
    fn a_board_is_read() {
        let board = Board::parse("sales", BOARD).unwrap();
        assert_eq!(board.title.shown(Language::Chinese), "Sales", "the only title there is");
        assert_eq!(board.labels.shown(Language::Chinese)["tmall"], "天猫");
        let [kpi, line] = &board.tiles[..] else { panic!("two tiles") };
        assert_eq!((kpi.width(), line.width()), (3, 8));
        assert_eq!(line.y, Names(vec!["orders".into(), "buyers".into()]));
        let shown = serde_json::to_value(kpi).unwrap();
        assert_eq!(shown["formats"]["revenue"], "money");
        assert!(shown.get("sql").is_none(), "the statement stays on the server");
    }

    #[test]
    fn a_board_that_does_not_fit_is_refused() {
        let without = |line: &str| BOARD.replace(line, "");
        for (text, message) in [
            (without("title.en = \"Sales\""), "missing field `title`"),
            (without("x = \"month\""), "tile 2 of board 'b' has no x"),
            (without("y = \"revenue\""), "tile 1 of board 'b' has no y"),
            (without("title.zh = \"销售额\""), "missing field `title`"),
            (BOARD.replace("width = 8", "width = 13"), "tile 2 of board 'b' is 13 wide: between 1 and 12 is allowed"),
            (BOARD.replace("width = 8", "colour = 8"), "unknown field `colour`"),
            (BOARD.replace("\"line\"", "\"radar\""), "unknown variant `radar`"),
            (BOARD.replace("SELECT 1 AS revenue", " "), "tile 1 of board 'b' has no sql"),
            ("title.en = \"x\"".to_owned(), "board 'b' has 0 tiles: between 1 and 48 are allowed"),
            ("title.en = \"\"".to_owned(), "board 'b' has no title"),
        ] {
            let error = Board::parse("b", &text).unwrap_err().to_string();
            assert!(error.contains(message), "{error} / {message}");
        }
    }

    #[test]
    fn every_shipped_board_can_be_shown() {
        let dataset = Dataset::shipped("retail").unwrap();
        assert!(!dataset.boards.is_empty());
        for board in &dataset.boards {
            Board::parse(&board.name, &board.toml).unwrap();
        }
    }
}
