//! The column of paths: lists of channels, or texts in ChannelAttribution's form, `ads > mail > ads`.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::texts::{Texts, coerce_texts};

/// Stands between two channels of a path that is a text.
const BETWEEN: &str = " > ";

pub(super) fn coerce_path(function: &str, path: &DataType) -> Result<DataType> {
    match path {
        DataType::Utf8 | DataType::Utf8View => Ok(path.clone()),
        DataType::LargeUtf8 => Ok(DataType::Utf8View),
        DataType::Dictionary(_, value) if value.is_string() => coerce_path(function, value),
        _ => {
            let wanted = "path must be a list of channels, or a text with ' > ' between them";
            coerce_texts(function, wanted, "a channel of path", path)
        }
    }
}

pub(super) enum PathColumn<'a> {
    Lists { lists: &'a ListArray, channels: Texts<'a> },
    Written(Texts<'a>),
}

impl<'a> PathColumn<'a> {
    /// Of a column in a type that [`coerce_path`] gives.
    pub fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::List(_) => {
                let lists = column.as_list::<i32>();
                Self::Lists { lists, channels: Texts::of(lists.values()) }
            }
            _ => Self::Written(Texts::of(column)),
        }
    }

    /// Calls `each` with every channel of a row's path, none of NULL or an empty one.
    #[inline]
    pub fn each(&self, row: usize, mut each: impl FnMut(&'a str)) {
        match self {
            Self::Lists { lists, .. } if lists.is_null(row) => {}
            Self::Lists { lists, channels } => {
                let offsets = lists.value_offsets();
                (offsets[row] as usize..offsets[row + 1] as usize)
                    .filter_map(|index| channels.get(index))
                    .for_each(each);
            }
            Self::Written(texts) => {
                let Some(mut rest) = texts.get(row).filter(|text| !text.is_empty()) else { return };
                while let Some(at) = between(rest) {
                    each(&rest[..at]);
                    rest = &rest[at + BETWEEN.len()..];
                }
                each(rest);
            }
        }
    }
}

/// Where the next ` > ` stands. Channels are a few bytes long: a search that prepares itself costs more than it finds.
#[inline]
fn between(text: &str) -> Option<usize> {
    text.as_bytes().windows(BETWEEN.len()).position(|window| window == BETWEEN.as_bytes())
}
