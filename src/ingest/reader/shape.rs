//! Rows as they stand in an export -> rows with the columns that its source's layout gives, cleaned, and the unknown ones after
//! them. Faulty rows stay, with the text that they had.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::cell::typed;
use super::super::check::{REASON, REJECT};
use super::super::error::IngestError;
use super::clean::{is_shortened, step, trimmed};
use super::text_rows::{Cell, RowFault, RowMark, TextRows};
use super::{Rows, unique};
use crate::dataset::{Layout, Origin, SourceColumn, Step};

/// The longest part of a cell that a reason quotes.
const QUOTED_CHARS_MAX: usize = 80;

/// How a file's header differs from the one that its source knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Known by another name: that of the file, the usual one.
    pub renamed: Vec<(String, String)>,
    /// Not in the file.
    pub missing: Vec<String>,
    /// In the file alone.
    pub new: Vec<String>,
}

/// A layout over one header.
pub struct Shape {
    layout: Arc<Layout>,
    names: Arc<[String]>,
    outs: Vec<Out>,
    /// Of the file's columns.
    header: Vec<String>,
}

enum Out {
    /// A column of the layout, and where its cells stand.
    Column {
        nth: usize,
        positions: Vec<usize>,
    },
    Other(usize),
}

impl Shape {
    pub fn of(layout: &Arc<Layout>, header: &[String]) -> Self {
        let header = unique(header);
        let keys: Vec<String> = header.iter().map(|name| key(name)).collect();
        let find = |name: &str| keys.iter().position(|known| *known == key(name));
        let left_out = layout.left_out.iter().map(String::as_str).chain([REJECT, REASON]);
        let mut taken: HashSet<usize> = left_out.filter_map(find).collect();
        let (mut names, mut outs) = (Vec::new(), Vec::new());
        for (nth, column) in layout.columns.iter().enumerate() {
            let positions: Vec<usize> = match &column.origin {
                Origin::Constant(_) => Vec::new(),
                Origin::Header(aliases) => aliases.iter().find_map(|alias| find(alias)).into_iter().collect(),
                Origin::Prefix(prefix) => {
                    (0..keys.len()).filter(|position| keys[*position].starts_with(&key(prefix))).collect()
                }
            };
            if positions.is_empty() && !matches!(column.origin, Origin::Constant(_)) && column.absent.is_none() {
                continue;
            }
            taken.extend(&positions);
            names.push(column.name.clone());
            outs.push(Out::Column { nth, positions });
        }
        for (position, name) in header.iter().enumerate() {
            if !taken.contains(&position) && !is_unnamed(name, position) {
                names.push(name.clone());
                outs.push(Out::Other(position));
            }
        }
        Self { layout: Arc::clone(layout), names: unique(&names).into(), outs, header }
    }

    /// The same layout over a header that grew.
    pub fn over(self, header: &[String]) -> Self {
        Self::of(&self.layout, header)
    }

    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Which of `names` the layout has no column for.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.outs).filter(|(_, out)| matches!(out, Out::Other(_))).map(|(name, _)| name.as_str())
    }

    pub fn changes(&self) -> HeaderChanges {
        let mut changes = HeaderChanges::default();
        let found = |name: &str| self.header.iter().find(|known| key(known) == key(name));
        let has = |name: &str| found(name).is_some();
        for column in &self.layout.columns {
            if let Origin::Header(aliases) = &column.origin {
                match aliases.iter().position(|alias| has(alias)) {
                    None if column.optional => {}
                    None => changes.missing.push(aliases[0].clone()),
                    Some(0) => {}
                    Some(nth) => {
                        changes.renamed.extend(found(&aliases[nth]).map(|name| (name.clone(), aliases[0].clone())));
                    }
                }
            }
        }
        changes.missing.extend(self.layout.others.iter().filter(|name| !has(name)).cloned());
        changes.missing.dedup();
        let known: HashSet<String> =
            self.layout.others.iter().chain(&self.layout.may_have).map(|name| key(name)).collect();
        changes.new = self.others().filter(|name| !known.contains(&key(name))).map(str::to_owned).collect();
        changes
    }

    pub fn rows(&self, rows: Rows) -> Result<Rows, IngestError> {
        match rows {
            Rows::Text(rows) => Ok(Rows::Text(self.text_rows(rows))),
            Rows::Typed { batch, first } => Ok(Rows::Typed { batch: self.batch(&batch)?, first }),
        }
    }

    fn text_rows(&self, rows: TextRows) -> TextRows {
        let mut new = NewCells { added: String::new(), cells: Vec::with_capacity(rows.len() * self.outs.len()) };
        let mut marks: Vec<RowMark> = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let mut mark = rows.row(row).clone();
            if mark.fault.is_some() {
                new.cells.resize(new.cells.len() + self.outs.len(), Cell::NULL);
                marks.push(mark);
                continue;
            }
            for out in &self.outs {
                let cell = match out {
                    Out::Other(position) => rows.cell(row, *position).and_then(|text| self.cleaned(text)),
                    Out::Column { nth, positions } => {
                        let cells = positions.iter().filter_map(|position| rows.cell(row, *position));
                        self.value(&self.layout.columns[*nth], cells).unwrap_or_else(|fault| {
                            mark.fault.get_or_insert(fault);
                            None
                        })
                    }
                };
                new.push(rows.text(), cell);
            }
            marks.push(mark);
        }
        rows.with_cells(&new.added, new.cells, self.outs.len(), marks)
    }

    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, IngestError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.outs.len());
        for out in &self.outs {
            let plain = match out {
                Out::Other(position) => Some(*position),
                Out::Column { nth, positions } => {
                    positions.first().copied().filter(|_| is_plain(&self.layout.columns[*nth]))
                }
            };
            let texts = |position: &usize| typed::as_texts(batch.column(*position));
            arrays.push(match (plain, out) {
                (Some(position), _) if !is_text(batch.column(position).data_type()) => {
                    Arc::clone(batch.column(position))
                }
                (_, Out::Other(position)) => {
                    let cells = texts(position)?;
                    Arc::new(cells.iter().map(|cell| cell.and_then(|text| self.cleaned(text))).collect::<StringArray>())
                }
                (_, Out::Column { nth, positions }) => {
                    let cells = positions.iter().map(texts).collect::<Result<Vec<_>, _>>()?;
                    let row = |row: usize| {
                        let cells = cells.iter().filter(|cells| cells.is_valid(row)).map(|cells| cells.value(row));
                        // A word without a counterpart goes on as it is: the contract refuses its row.
                        let value = self.value(&self.layout.columns[*nth], cells);
                        value.unwrap_or_else(|fault| fault.value().map(|word| Cow::Owned(word.to_owned())))
                    };
                    Arc::new((0..batch.num_rows()).map(row).collect::<StringArray>())
                }
            });
        }
        let fields = self.names.iter().zip(&arrays);
        let fields: Vec<Field> =
            fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    /// A cell after the steps that all cells take; `None` where it stands for no value.
    fn cleaned<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        let start = Cow::Borrowed(trimmed(text));
        let text = self.layout.clean.iter().fold(start, |text, with| step(*with, text));
        (!text.is_empty() && !self.layout.nulls.contains(text.as_ref())).then_some(text)
    }

    fn value<'a>(
        &'a self,
        column: &'a SourceColumn,
        mut cells: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Cow<'a, str>>, RowFault> {
        let absent = || column.absent.as_deref().map(Cow::Borrowed);
        let text = match &column.origin {
            Origin::Constant(text) => return Ok(Some(Cow::Borrowed(text))),
            Origin::Header(_) => cells.next().and_then(|text| self.cleaned(text)),
            Origin::Prefix(_) => {
                let texts: Vec<Cow<'_, str>> = cells.filter_map(|text| self.cleaned(text)).collect();
                (!texts.is_empty()).then(|| Cow::Owned(texts.join(";")))
            }
        };
        let Some(text) = text else { return Ok(absent()) };
        let text = column.clean.iter().fold(text, |text, with| step(*with, text));
        if text.is_empty() {
            return Ok(absent());
        }
        if column.clean.contains(&Step::Id) && is_shortened(&text) {
            return Err(RowFault::DigitsLost { column: column.name.clone(), value: text.into_owned() });
        }
        if column.values.is_empty() {
            return Ok(Some(text));
        }
        match column.values.get(text.as_ref()).or_else(|| column.values.get("*")) {
            Some(value) => Ok(Some(Cow::Borrowed(value))),
            None => Err(RowFault::ValueUnknown {
                column: column.name.clone(),
                value: text.chars().take(QUOTED_CHARS_MAX).collect(),
            }),
        }
    }
}

/// By which headers are compared: without blanks, brackets of one width, small letters.
pub fn key(name: &str) -> String {
    let narrow = |character: char| match character {
        '（' => '(',
        '）' => ')',
        '％' => '%',
        '：' => ':',
        '＿' => '_',
        other => other,
    };
    let shown =
        name.chars().filter(|character| !character.is_whitespace() && !trimmed(&character.to_string()).is_empty());
    shown.map(narrow).flat_map(char::to_lowercase).collect()
}

/// Whether a name is one that `unique` gave to a column without a name.
fn is_unnamed(name: &str, position: usize) -> bool {
    name == format!("column_{}", position + 1)
}

fn is_plain(column: &SourceColumn) -> bool {
    column.clean.is_empty() && column.values.is_empty() && column.absent.is_none()
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Cells in the text that their rows have, or in one that is added to it.
struct NewCells {
    added: String,
    cells: Vec<Cell>,
}

impl NewCells {
    fn push(&mut self, base: &str, cell: Option<Cow<'_, str>>) {
        let Some(text) = cell else { return self.cells.push(Cell::NULL) };
        let start = match &text {
            Cow::Borrowed(part) => part_of(base, part),
            Cow::Owned(_) => None,
        };
        let start = start.unwrap_or_else(|| {
            self.added.push_str(&text);
            base.len() + self.added.len() - text.len()
        });
        self.cells.push(Cell::new(start, start + text.len()));
    }
}

/// Where in `base` a part of it begins; `None` where it is no part of it.
fn part_of(base: &str, part: &str) -> Option<usize> {
    let start = (part.as_ptr() as usize).checked_sub(base.as_ptr() as usize)?;
    (start + part.len() <= base.len()).then_some(start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use super::super::delimited::{Delimited, Grid, LineUnit};
    use super::*;
    use crate::dataset::{Dataset, DatasetFile};

    fn layout(toml: &str) -> Arc<Layout> {
        let files = [("tables/orders.sql", "CREATE TABLE orders (id text)"), ("sources/shop.toml", toml)];
        let files = files.map(|(path, text)| DatasetFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() });
        let dataset = Dataset::parse("shop", files.to_vec()).unwrap();
        Arc::clone(&dataset.source("shop").unwrap().layout)
    }

    type Shown = Vec<(Vec<Option<String>>, Option<RowFault>)>;

    fn shaped(toml: &str, csv: &str) -> (Shape, Shown) {
        let grid = Grid { delimiter: b',', header_row: 1, data_row: 2, unit: LineUnit::Break };
        let mut reader = Delimited::open("f".into(), Box::new(Cursor::new(csv.to_owned())), grid).unwrap();
        let shape = Shape::of(&layout(toml), reader.names());
        let rows = shape.text_rows(reader.next().unwrap().unwrap());
        let width = shape.names().len();
        let cells = |row| (0..width).map(|column| rows.cell(row, column).map(str::to_owned)).collect();
        let shown = (0..rows.len()).map(|row| (cells(row), rows.row(row).fault.clone())).collect();
        (shape, shown)
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned()).filter(|text| !text.is_empty())).collect()
    }

    #[test]
    fn columns_are_found_by_any_of_their_names_and_the_rest_follows() {
        let toml = "clean = ['formula']\nnulls = ['-']\nleft_out = ['Name']\nothers = ['Farbe']\n[columns]\n\
            id = { from = ['Nummer', 'Nr（neu）'] }\nat = 'Zeit'\nshop = { value = 'x' }\ntags = { from = 'Tag*' }\n";
        let csv = "nr (NEU) ,Name,Tag1,Tag2,Farbe,Farbe,,Neu\n\"=\"\"007\"\"\",Anna,a, b ,rot,-,z,9\n";
        let (shape, rows) = shaped(toml, csv);
        assert_eq!(**shape.names(), ["id", "shop", "tags", "Farbe", "Farbe_2", "Neu"].map(str::to_owned));
        assert_eq!(rows, [(some(&["007", "x", "a;b", "rot", "", "9"]), None)]);
        let changes = shape.changes();
        assert_eq!(changes.renamed, [("nr (NEU)".to_owned(), "Nummer".to_owned())]);
        assert_eq!(changes.missing, ["Zeit"]);
        assert_eq!(changes.new, ["Farbe_2", "Neu"]);
    }

    #[test]
    fn a_word_without_a_counterpart_makes_its_row_faulty() {
        let toml = "[columns]\nid = 'Nr'\nstate = { from = 'Stand', values = { 'fertig' = 'done' }, absent = 'new' }\n";
        let (_, rows) = shaped(toml, "Nr,Stand\n1,fertig\n2,\n3,halb\n");
        assert_eq!(rows[0], (some(&["1", "done"]), None));
        assert_eq!(rows[1], (some(&["2", "new"]), None));
        let fault = RowFault::ValueUnknown { column: "state".to_owned(), value: "halb".to_owned() };
        assert_eq!(rows[2].1, Some(fault));
    }

    #[test]
    fn typed_columns_keep_their_type_and_texts_are_cleaned() {
        let toml = "[columns]\nid = 'Nr'\npaid = { from = 'Betrag', clean = ['number'] }\nshop = { value = 'x' }\n";
        let shape = Shape::of(&layout(toml), &["Nr", "Betrag", "Neu"].map(str::to_owned));
        let number: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2]));
        let amount: ArrayRef = Arc::new(StringArray::from(vec![Some("1,000.50"), None]));
        let columns = [("Nr", Arc::clone(&number)), ("Betrag", amount), ("Neu", Arc::clone(&number))];
        let batch = shape.batch(
            &RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap(),
        );
        let batch = batch.unwrap();
        assert_eq!(batch.column(0), &number);
        assert_eq!(typed::shown(batch.column(1), 0), "1000.50");
        assert!(batch.column(1).is_null(1));
        assert_eq!(typed::shown(batch.column(2), 1), "x");
        assert_eq!(batch.schema().field(3).name(), "Neu");
    }
}
