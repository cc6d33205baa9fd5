//! `sources/`: how the exports of one platform become rows of tables.
//!
//! `sources/NAME.toml` says how the file lies and what its columns become. Where that is not enough, the source is a folder: the
//! same text as `sources/NAME/source.toml`, and beside it one SELECT a table over the relation `source`, which has those columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Statement;

use super::ddl::{Located, at, parse};
use super::error::{DatasetError, LayoutFault, SqlFault};
use super::files::DatasetFile;
use super::layout::{Layout, LayoutSettings};
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
    pub layout: Arc<Layout>,
    pub tables: BTreeMap<String, Feed>,
    described: bool,
}

/// How a source feeds a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The layout's columns are the table's.
    Columns,
    /// A SELECT over the relation `source`.
    Select(String),
}

impl Source {
    pub(super) fn blank(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: None,
            time_zone: None,
            licence: None,
            attribution: None,
            layout: Arc::default(),
            tables: BTreeMap::new(),
            described: false,
        }
    }

    pub(super) fn describe(&mut self, file: &DatasetFile) -> Result<(), DatasetError> {
        let fault = |fault| DatasetError::Layout { path: file.path.clone(), fault };
        if std::mem::replace(&mut self.described, true) {
            return Err(fault(LayoutFault::Twice { source_name: self.name.clone() }));
        }
        let mut settings: LayoutSettings = read_toml(&file.path, file.text()?)?;
        if let Some(zone) = settings.time_zone.as_ref().filter(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
            return Err(DatasetError::TimeZone { path: file.path.clone(), zone: zone.clone() });
        }
        self.title = settings.title.take();
        self.time_zone = settings.time_zone.take();
        self.licence = settings.licence.take();
        self.attribution = settings.attribution.take();
        for table in std::mem::take(&mut settings.tables) {
            self.feed(table, Feed::Columns, &file.path)?;
        }
        self.layout = Arc::new(Layout::of(&file.path, settings)?);
        Ok(())
    }

    pub(super) fn map_table(&mut self, table: &str, file: &DatasetFile) -> Result<(), DatasetError> {
        let text = file.text()?;
        match parse(&file.path, text)?.as_slice() {
            [Located { statement: Statement::Query(query), .. }] => {
                self.feed(table.to_owned(), Feed::Select(query.to_string()), &file.path)
            }
            [] => Err(at(&file.path, 1)(SqlFault::Nothing { wanted: "SELECT" })),
            [Located { line, statement }, rest @ ..] => {
                let (line, statement) = rest.first().map_or((*line, statement), |next| (next.line, &next.statement));
                let found = statement.to_string().split_whitespace().take(4).collect::<Vec<_>>().join(" ");
                Err(at(&file.path, line)(SqlFault::Statement { allowed: "one SELECT", found }))
            }
        }
    }

    fn feed(&mut self, table: String, feed: Feed, path: &str) -> Result<(), DatasetError> {
        match self.tables.insert(table.clone(), feed) {
            None => Ok(()),
            Some(_) => Err(DatasetError::Layout { path: path.to_owned(), fault: LayoutFault::FedTwice { table } }),
        }
    }
}
