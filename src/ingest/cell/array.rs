//! One-dimensional arrays, in PostgreSQL's text form (`{a,"b c",NULL}`) or as a JSON array.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringArray, StringBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::Field;

use super::fault::{CellFault, Faults};
use super::zone::ZoneClock;
use super::{Cells, column};
use crate::dataset::SqlType;

/// The items of a column of arrays, and where each row's begin.
#[derive(Default)]
struct Items {
    texts: StringBuilder,
    /// Of each item the row that it belongs to.
    rows: Vec<usize>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

pub fn arrays(item: &SqlType, clock: &mut ZoneClock, cells: &impl Cells, faults: &mut Faults<'_>) -> ArrayRef {
    let mut items = Items::default();
    for row in 0..cells.len() {
        let text = cells.get(row).map(str::trim_ascii).filter(|text| !text.is_empty());
        let list = match text.map(|text| (text, list(text))) {
            None => None,
            Some((_, Some(list))) => Some(list),
            Some((text, None)) => {
                faults.add(row, CellFault::syntax(SqlType::Array(Box::new(item.clone())), text));
                None
            }
        };
        items.valid.push(list.is_some());
        let list = list.unwrap_or_default();
        items.lengths.push(list.len());
        for text in &list {
            items.texts.append_option(text.as_deref());
            items.rows.push(row);
        }
    }
    let texts: StringArray = items.texts.finish();
    let values = column(item, clock, &texts, &mut faults.within(&items.rows));
    let field = Arc::new(Field::new("element", item.stored(), true));
    let offsets = OffsetBuffer::from_lengths(items.lengths);
    Arc::new(ListArray::new(field, offsets, values, Some(NullBuffer::from(items.valid))))
}

type List<'a> = Vec<Option<Cow<'a, str>>>;

fn list(text: &str) -> Option<List<'_>> {
    if text.starts_with('[') { json_list(text) } else { braced_list(text.strip_prefix('{')?.strip_suffix('}')?) }
}

fn json_list(text: &str) -> Option<List<'_>> {
    let values: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    values
        .into_iter()
        .map(|value| match value {
            serde_json::Value::Null => Some(None),
            serde_json::Value::String(text) => Some(Some(Cow::Owned(text))),
            serde_json::Value::Array(_) => None,
            other => Some(Some(Cow::Owned(other.to_string()))),
        })
        .collect()
}

fn braced_list(text: &str) -> Option<List<'_>> {
    let mut items = Vec::new();
    let mut rest = text.trim_ascii();
    if rest.is_empty() {
        return Some(items);
    }
    loop {
        let (item, after) = if rest.starts_with('"') { quoted_item(rest)? } else { plain_item(rest)? };
        items.push(item);
        match after.trim_ascii_start().strip_prefix(',') {
            Some(more) => rest = more.trim_ascii_start(),
            None => return after.trim_ascii().is_empty().then_some(items),
        }
    }
}

fn plain_item(text: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    let end = text.find(',').unwrap_or(text.len());
    let (item, after) = (text[..end].trim_ascii(), &text[end..]);
    if item.is_empty() || item.contains(['{', '}', '"']) {
        return None;
    }
    if item.eq_ignore_ascii_case("null") {
        return Some((None, after));
    }
    let item = if item.contains('\\') { Cow::Owned(unescaped(item)) } else { Cow::Borrowed(item) };
    Some((Some(item), after))
}

fn quoted_item(text: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    let inner = &text[1..];
    let mut skip = false;
    let end = inner.bytes().position(|byte| {
        let closes = byte == b'"' && !skip;
        skip = byte == b'\\' && !skip;
        closes
    })?;
    let item = &inner[..end];
    let item = if item.contains('\\') { Cow::Owned(unescaped(item)) } else { Cow::Borrowed(item) };
    Some((Some(item), &inner[end + 1..]))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' { plain.extend(characters.next()) } else { plain.push(character) }
    }
    plain
}
