//! How an export lies in its file: by what it is known, its encoding and header, and what each column becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::contract::SqlType;
use super::ddl;
use super::error::{DatasetError, LayoutFault};

/// The layout of a source's files. Without columns the file's own are taken as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// A file whose header has all of these is one of the source; empty where it must be named.
    pub recognise: Vec<String>,
    /// Of a workbook, the sheet.
    pub sheet: Option<String>,
    /// Between the cells of a text file; `None` goes by the file's ending.
    pub delimiter: Option<u8>,
    /// A label of the WHATWG encoding standard, for files that are not UTF-8 and have no byte order mark.
    pub encoding: Option<String>,
    /// Rows of the file, from 1.
    pub header_row: u32,
    pub data_row: u32,
    /// For every cell, before the steps of its column.
    pub clean: Vec<Step>,
    /// Cells that stand for no value.
    pub nulls: BTreeSet<String>,
    /// By name.
    pub columns: Vec<SourceColumn>,
    /// Headers that are known and have no column; they go to extras.
    pub others: Vec<String>,
    /// The same, of some editions of the export only.
    pub may_have: Vec<String>,
    /// Headers whose cells are kept nowhere: personal ones.
    pub left_out: Vec<String>,
    /// Columns whose equal cells make rows one: where one of them is refused, all are. Of SELECTs that add rows up.
    pub together: Vec<String>,
}

/// A column that the source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    pub name: String,
    pub origin: Origin,
    pub clean: Vec<Step>,
    /// What the file's words become; where there are any, a word that is not among them is refused. `*` stands for all others.
    pub values: BTreeMap<String, String>,
    /// Where the cell is empty.
    pub absent: Option<String>,
    /// In the relation `source`; a cell that is none of the type is refused with its row. `None` is a text.
    pub sql_type: Option<SqlType>,
    /// Some editions of the export lack it.
    pub optional: bool,
}

/// Where a column's cells come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The first of these headers that the file has; all but the first are older or other names.
    Header(Vec<String>),
    /// All headers that begin so, their cells joined by `;`.
    Prefix(String),
    /// One text for all rows.
    Constant(String),
}

/// What is done to a cell's text. Blanks around it always go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `="0123"` becomes `0123`.
    Formula,
    /// `'0123` becomes `0123`.
    Apostrophe,
    /// A number that names something: `6.92673E+17`, where a spreadsheet has lost its last digits, refuses its row.
    Id,
    /// `￥1,234.50元（含运费）` becomes `1234.50`.
    Number,
    /// `3.5%` becomes `0.035`.
    Percent,
    /// A whole phone number gets stars in its middle.
    MaskPhone,
    /// `a;b，c` becomes a text array.
    List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutSettings {
    pub title: Option<String>,
    pub time_zone: Option<String>,
    pub licence: Option<String>,
    pub attribution: Option<String>,
    /// Tables that the columns feed as they stand.
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    recognise: Vec<String>,
    sheet: Option<String>,
    delimiter: Option<String>,
    encoding: Option<String>,
    header_row: Option<u32>,
    data_row: Option<u32>,
    #[serde(default)]
    clean: Vec<Step>,
    #[serde(default)]
    nulls: BTreeSet<String>,
    #[serde(default)]
    columns: BTreeMap<String, ColumnText>,
    #[serde(default)]
    others: Vec<String>,
    #[serde(default)]
    may_have: Vec<String>,
    #[serde(default)]
    left_out: Vec<String>,
    #[serde(default)]
    together: Vec<String>,
}

/// `name = "header"` or `name = { from = .., .. }`.
#[derive(Debug)]
struct ColumnText(ColumnSettings);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnSettings {
    from: Option<Headers>,
    value: Option<String>,
    #[serde(default)]
    clean: Vec<Step>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    absent: Option<String>,
    #[serde(rename = "type")]
    sql_type: Option<String>,
    #[serde(default)]
    optional: bool,
}

/// One header or several.
#[derive(Debug)]
struct Headers(Vec<String>);

impl<'de> Deserialize<'de> for ColumnText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = ColumnText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header, or a table with from or value")
            }

            fn visit_str<E: de::Error>(self, header: &str) -> Result<ColumnText, E> {
                let from = Some(Headers(vec![header.to_owned()]));
                Ok(ColumnText(ColumnSettings { from, ..ColumnSettings::default() }))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ColumnText, A::Error> {
                ColumnSettings::deserialize(de::value::MapAccessDeserializer::new(map)).map(ColumnText)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header or a list of headers")
            }

            fn visit_str<E: de::Error>(self, header: &str) -> Result<Headers, E> {
                Ok(Headers(vec![header.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Headers, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(Headers)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            recognise: Vec::new(),
            sheet: None,
            delimiter: None,
            encoding: None,
            header_row: 1,
            data_row: 2,
            clean: Vec::new(),
            nulls: BTreeSet::new(),
            columns: Vec::new(),
            others: Vec::new(),
            may_have: Vec::new(),
            left_out: Vec::new(),
            together: Vec::new(),
        }
    }
}

impl Layout {
    /// The layout that the settings of the file at `path` say.
    pub(super) fn of(path: &str, settings: LayoutSettings) -> Result<Self, DatasetError> {
        let fault = |fault| DatasetError::Layout { path: path.to_owned(), fault };
        if let Some(label) = &settings.encoding
            && encoding_rs::Encoding::for_label(label.as_bytes()).is_none()
        {
            return Err(fault(LayoutFault::Encoding { label: label.clone() }));
        }
        let header_row = settings.header_row.unwrap_or(1);
        let data_row = settings.data_row.unwrap_or(header_row + 1);
        if header_row == 0 || data_row <= header_row {
            return Err(fault(LayoutFault::Rows { header_row, data_row }));
        }
        if let Some(column) = settings.together.iter().find(|name| !settings.columns.contains_key(*name)) {
            return Err(fault(LayoutFault::Together { column: column.clone() }));
        }
        let columns = settings.columns.into_iter().map(|(name, text)| column(name, text));
        Ok(Self {
            recognise: settings.recognise,
            sheet: settings.sheet,
            delimiter: settings.delimiter.map(|text| delimiter(&text)).transpose().map_err(fault)?,
            encoding: settings.encoding,
            header_row,
            data_row,
            clean: settings.clean,
            nulls: settings.nulls,
            columns: columns.collect::<Result<_, _>>().map_err(fault)?,
            others: settings.others,
            may_have: settings.may_have,
            left_out: settings.left_out,
            together: settings.together,
        })
    }
}

fn column(name: String, ColumnText(settings): ColumnText) -> Result<SourceColumn, LayoutFault> {
    let headers = settings.from.map(|Headers(headers)| headers).unwrap_or_default();
    let origin = match (headers.as_slice(), settings.value) {
        ([], Some(value)) => Origin::Constant(value),
        ([one], None) if one.ends_with('*') => Origin::Prefix(one.trim_end_matches('*').to_owned()),
        ([_, ..], None) => Origin::Header(headers.clone()),
        _ => return Err(LayoutFault::Origin { column: name }),
    };
    let sql_type = settings.sql_type.map(|text| sql_type(&name, text)).transpose()?;
    let (clean, values, absent) = (settings.clean, settings.values, settings.absent);
    Ok(SourceColumn { name, origin, clean, values, absent, sql_type, optional: settings.optional })
}

/// A type as a table's contract writes it.
fn sql_type(column: &str, text: String) -> Result<SqlType, LayoutFault> {
    let table = format!("CREATE TABLE source (value {text})");
    let contract = ddl::contract("", "source", &table).ok();
    let declared = contract.filter(|contract| contract.columns.len() == 1);
    let declared = declared.and_then(|contract| contract.columns.into_iter().next());
    declared.map(|column| column.sql_type).ok_or_else(|| LayoutFault::Type { column: column.to_owned(), text })
}

fn delimiter(text: &str) -> Result<u8, LayoutFault> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(LayoutFault::Delimiter { text: text.to_owned() }),
    }
}
