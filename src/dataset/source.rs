//! `sources/NAME/`: how the files of one platform become rows of tables, one SELECT a table over the relation `source`.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::Statement;
use serde::Deserialize;

use super::ddl::{Located, at, parse};
use super::error::{DatasetError, SqlFault};
use super::files::DatasetFile;
use super::settings::read_toml;

/// A platform whose files differ from the canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub title: Option<String>,
    /// Of the file's times that name none; `None` is the dataset's.
    pub time_zone: Option<String>,
    pub licence: Option<String>,
    pub attribution: Option<String>,
    /// Between the cells of a text file; `None` goes by the file's ending.
    pub delimiter: Option<u8>,
    /// By table, the SELECT that gives its rows from the relation `source`.
    pub tables: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceSettings {
    title: Option<String>,
    time_zone: Option<String>,
    licence: Option<String>,
    attribution: Option<String>,
    delimiter: Option<String>,
    encoding: Option<String>,
}

impl Source {
    pub(super) fn blank(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: None,
            time_zone: None,
            licence: None,
            attribution: None,
            delimiter: None,
            tables: BTreeMap::new(),
        }
    }

    pub(super) fn describe(&mut self, file: &DatasetFile) -> Result<(), DatasetError> {
        let settings: SourceSettings = read_toml(&file.path, file.text()?)?;
        if let Some(zone) = settings.time_zone.as_ref().filter(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
            return Err(DatasetError::TimeZone { path: file.path.clone(), zone: zone.clone() });
        }
        if let Some(encoding) = settings.encoding.filter(|name| !name.eq_ignore_ascii_case("utf-8")) {
            return Err(DatasetError::Encoding { path: file.path.clone(), encoding });
        }
        self.title = settings.title;
        self.time_zone = settings.time_zone;
        self.licence = settings.licence;
        self.attribution = settings.attribution;
        self.delimiter = settings.delimiter.map(|text| delimiter(&file.path, &text)).transpose()?;
        Ok(())
    }

    pub(super) fn map_table(&mut self, table: &str, file: &DatasetFile) -> Result<(), DatasetError> {
        let text = file.text()?;
        match parse(&file.path, text)?.as_slice() {
            [Located { statement: Statement::Query(query), .. }] => {
                self.tables.insert(table.to_owned(), query.to_string());
                Ok(())
            }
            [] => Err(at(&file.path, 1)(SqlFault::Nothing { wanted: "SELECT" })),
            [Located { line, statement }, rest @ ..] => {
                let (line, statement) = rest.first().map_or((*line, statement), |next| (next.line, &next.statement));
                let found = statement.to_string().split_whitespace().take(4).collect::<Vec<_>>().join(" ");
                Err(at(&file.path, line)(SqlFault::Statement { allowed: "one SELECT", found }))
            }
        }
    }
}

fn delimiter(path: &str, text: &str) -> Result<u8, DatasetError> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(DatasetError::Delimiter { path: path.to_owned(), text: text.to_owned() }),
    }
}
