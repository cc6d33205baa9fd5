//! Random tables: columns of several kinds, and rows of which some are traps.
//!
//! Rows of team `a` are mostly harmless. Of the others many have `x = 5`, on which `1 / (x - 5)` fails, and a text that is
//! a secret: one that stands nowhere else and that no cast can read.

use super::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Text,
    Numeric,
    Double,
    Boolean,
    Date,
    Instant,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// As CREATE TABLE has it.
    pub sql_type: &'static str,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    keyed: bool,
    partition: Option<&'static str>,
    sort: Option<String>,
    /// As CSV cells; None is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Columns that every table has: policies and sub-queries may rely on them.
pub const COMMON: [&str; 4] = ["id", "team", "x", "at"];
const ROWS_MAX: [i64; 3] = [60, 30, 12];
const TYPES: [(Kind, &str); 10] = [
    (Kind::Integer, "smallint"),
    (Kind::Integer, "integer"),
    (Kind::Integer, "bigint"),
    (Kind::Text, "text"),
    (Kind::Text, "varchar(40)"),
    (Kind::Numeric, "numeric(10, 2)"),
    (Kind::Numeric, "numeric(18, 4)"),
    (Kind::Double, "double precision"),
    (Kind::Boolean, "boolean"),
    (Kind::Date, "date"),
];

impl Table {
    pub fn random(dice: &mut Dice, number: usize) -> Self {
        let column = |name: &str, kind, sql_type| Column { name: name.to_owned(), kind, sql_type };
        let mut columns = vec![
            column("id", Kind::Integer, if dice.chance(50) { "integer" } else { "bigint" }),
            column("team", Kind::Text, "text"),
            column("x", Kind::Integer, if dice.chance(70) { "integer" } else { "smallint" }),
            column("at", Kind::Instant, "timestamptz"),
            column("s", Kind::Text, "text"),
        ];
        for nth in 0..dice.below(4) {
            let (kind, sql_type) = *dice.pick(&TYPES);
            columns.push(column(&format!("c{nth}"), kind, sql_type));
        }
        let mut table = Self {
            name: format!("t{number}"),
            keyed: dice.chance(50),
            partition: dice.chance(50).then(|| *dice.pick(&["team", "team", "at by month"])),
            sort: dice.chance(40).then(|| dice.pick(&columns).name.clone()),
            columns,
            rows: Vec::new(),
        };
        let clean = dice.chance(70);
        for id in 1..=dice.between(4, ROWS_MAX[number.min(2)]) {
            let row = table.row(dice, id, clean);
            table.rows.push(row);
        }
        table
    }

    fn row(&self, dice: &mut Dice, id: i64, clean: bool) -> Vec<Option<String>> {
        let team = (!dice.chance(5)).then(|| *dice.pick(&["a", "a", "b", "c"]));
        let harmless = team == Some("a") && (clean || !dice.chance(5));
        let mut cells = vec![Some(id.to_string()), team.map(str::to_owned)];
        cells.push(if !harmless && dice.chance(60) { Some("5".to_owned()) } else { small(dice) });
        for column in &self.columns[3..] {
            cells.push(self.cell(dice, column, id, harmless));
        }
        cells
    }

    fn cell(&self, dice: &mut Dice, column: &Column, id: i64, harmless: bool) -> Option<String> {
        if dice.chance(10) {
            return None;
        }
        let number = dice.between(-40, 400);
        Some(match column.kind {
            Kind::Integer if !harmless && dice.chance(50) => "5".to_owned(),
            Kind::Integer => return small(dice),
            Kind::Text if !harmless && dice.chance(65) => {
                secret(&format!("{}-{}-{id}", self.name.to_uppercase(), column.name.to_uppercase()))
            }
            Kind::Text => dice.between(10, 99).to_string(),
            // Quarters add up without rounding, in whatever order.
            Kind::Numeric | Kind::Double => format!("{}.{}", number, *dice.pick(&["00", "25", "50"])),
            Kind::Boolean => dice.chance(50).to_string(),
            Kind::Date => format!("2024-{:02}-{:02}", dice.between(1, 12), dice.between(1, 28)),
            Kind::Instant => instant(dice),
        })
    }

    pub fn create_sql(&self) -> String {
        let column = |column: &Column| {
            let key = if column.name == "id" && self.keyed { " PRIMARY KEY" } else { "" };
            format!("{} {}{key}", column.name, column.sql_type)
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("CREATE TABLE {} ({})", self.name, columns.join(", "))
    }

    /// What SQL cannot say of it: its part of dataset.toml.
    pub fn layout(&self) -> String {
        let partition = self.partition.map(|column| format!("partition = \"{column}\"\n")).unwrap_or_default();
        let sort = self.sort.as_ref().map(|column| format!("sort = [\"{column}\"]\n")).unwrap_or_default();
        format!("[tables.{}]\n{partition}{sort}", self.name)
    }

    /// Rows of this table as a CSV file.
    pub fn csv(&self, rows: &[Vec<Option<String>>]) -> String {
        let header: Vec<Option<String>> = self.columns.iter().map(|column| Some(column.name.clone())).collect();
        std::iter::once(&header).chain(rows).map(|row| csv_line(row)).collect()
    }
}

/// An integer that no expression of the statements fails on.
fn small(dice: &mut Dice) -> Option<String> {
    (!dice.chance(8)).then(|| dice.pick(&[1, 2, 3, 4, 6, 8, 9]).to_string())
}

/// Half of them so close to the first of June that the zone decides on which side they are.
fn instant(dice: &mut Dice) -> String {
    let day = match dice.below(4) {
        0 => "2024-05-31".to_owned(),
        1 => "2024-06-01".to_owned(),
        _ => format!("2024-{:02}-{:02}", dice.between(4, 8), dice.between(1, 30)),
    };
    format!("{day} {:02}:30:00+00", dice.between(0, 23))
}

fn secret(what: &str) -> String {
    format!("SECRET-{what}!")
}

/// The secrets that stand in a text, whole.
pub fn secrets(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("SECRET-").filter_map(|(start, _)| {
        let end = text[start..].find('!')?;
        let found = &text[start..start + end];
        let whole = found.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '-');
        (whole && found.matches('-').count() == 3).then_some(found)
    })
}

/// Every value quoted, NULL empty.
fn csv_line(cells: &[Option<String>]) -> String {
    let quoted = |cell: &Option<String>| {
        cell.as_ref().map_or(String::new(), |text| format!("\"{}\"", text.replace('"', "\"\"")))
    };
    format!("{}\n", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}
