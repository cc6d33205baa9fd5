//! Columns that the table does not have, as one JSON object a row. Empty cells are left out.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};

use super::super::cell::{Cells, TextCells, typed};
use super::super::error::IngestError;
use super::super::reader::{Chunk, Rows};
use super::mapping::Mapping;

/// The column `extras`. Members that the file itself gives in a column of that name stay, and come first.
pub fn column(chunk: &Chunk, mapping: &Mapping, nth: usize) -> Result<ArrayRef, IngestError> {
    let given = mapping.columns[nth];
    let unknown = mapping.unknown.iter().map(|(name, position)| (name.as_str(), *position));
    let array = match &chunk.rows {
        Rows::Text(rows) => {
            let cells = |position| TextCells { rows, column: position };
            let members: Vec<_> = unknown.map(|(name, position)| (name, cells(position))).collect();
            objects(rows.len(), given.map(cells).as_ref(), &members)
        }
        Rows::Typed { batch, .. } => {
            let texts = |position: usize| typed::as_texts(batch.column(position));
            let members: Result<Vec<(&str, StringArray)>, _> =
                unknown.map(|(name, position)| Ok::<_, IngestError>((name, texts(position)?))).collect();
            objects(batch.num_rows(), given.map(texts).transpose()?.as_ref(), &members?)
        }
    };
    Ok(Arc::new(array))
}

/// One JSON object a row: what stands in `given`, then the members that have a text. NULL where there is nothing.
pub fn objects<C: Cells>(rows: usize, given: Option<&C>, members: &[(&str, C)]) -> StringArray {
    let keys: Vec<String> = members.iter().map(|(name, _)| serde_json::Value::from(*name).to_string()).collect();
    let mut values = StringBuilder::with_capacity(rows, rows * 32);
    let mut object = String::new();
    for row in 0..rows {
        object.clear();
        let own = given.and_then(|cells| cells.get(row)).map(str::trim);
        object.push_str(own.and_then(members_of).unwrap_or_default());
        for ((_, cells), key) in members.iter().zip(&keys) {
            let Some(text) = cells.get(row).filter(|text| !text.is_empty()) else { continue };
            if !object.is_empty() {
                object.push(',');
            }
            object.push_str(key);
            object.push(':');
            object.push_str(&serde_json::Value::from(text).to_string());
        }
        if object.is_empty() { values.append_null() } else { values.append_value(format!("{{{object}}}")) }
    }
    values.finish()
}

/// What stands between the braces of a JSON object.
fn members_of(text: &str) -> Option<&str> {
    let is_object = text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    is_object.then(|| text[1..text.len() - 1].trim())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn unknown_cells_join_what_the_file_gives() {
        let given = StringArray::from(vec![Some("{\"a\": 1}"), None, None]);
        let colour = StringArray::from(vec![Some("r\"ed"), Some("blue"), None]);
        let made = objects(3, Some(&given), &[("colour", colour)]);
        let shown: Vec<_> = made.iter().collect();
        assert_eq!(shown, [Some("{\"a\": 1,\"colour\":\"r\\\"ed\"}"), Some("{\"colour\":\"blue\"}"), None]);
    }
}
