//! Refused rows that come again, corrected: written out as a file in the form of the one that they came from (`export`, `row_file`, by
//! means of its `head`), and held to be settled once a load took them (`settled`).

mod export;
mod head;
mod row_file;
mod settled;

pub use head::{Head, HeadRow};
pub use row_file::Exported;
