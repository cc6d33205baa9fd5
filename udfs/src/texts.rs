//! Lists of texts, read as they come: to cast a slice of a list column costs as much as to cast the whole of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringViewArray};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, plan_err};

use crate::constants::coerce_text;

/// A list of Utf8 or Utf8View stays, others become lists of Utf8. `argument` and `element` are what messages call the list and what is in it.
pub(crate) fn coerce_texts(function: &str, argument: &str, element: &str, data_type: &DataType) -> Result<DataType> {
    let item = match data_type {
        DataType::List(item) if matches!(item.data_type(), DataType::Utf8 | DataType::Utf8View) => {
            return Ok(data_type.clone());
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            coerce_text(function, element, item.data_type())?
        }
        DataType::Null => DataType::Utf8,
        other => return plan_err!("{function}: {argument}, got {other}"),
    };
    Ok(DataType::List(Arc::new(Field::new("item", item, true))))
}

/// The elements of such a list.
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub fn of(elements: &'a ArrayRef) -> Self {
        match elements.data_type() {
            DataType::Utf8View => Self::View(elements.as_string_view()),
            _ => Self::Utf8(elements.as_string()),
        }
    }

    /// None for NULL.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::View(texts) => texts.is_valid(index).then(|| texts.value(index)),
        }
    }
}
