//! A load as a row of `henna.loads`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;

use super::error::IngestError;
use super::request::LoadReport;

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Loaded,
    Refused,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Refused => "refused",
        }
    }
}

pub struct LoadRow<'a> {
    pub load_id: &'a str,
    pub table: &'a str,
    pub source: Option<&'a str>,
    pub files: &'a str,
    pub status: Status,
    pub started_us: i64,
    pub finished_us: i64,
    pub report: &'a LoadReport,
}

impl LoadRow<'_> {
    /// One record a load and outcome: a repeated load adds none.
    pub fn write_id(&self) -> String {
        match self.status {
            Status::Loaded => format!("{}.loaded", self.load_id),
            Status::Refused => format!("{}.refused.{}", self.load_id, self.started_us),
        }
    }

    /// Counts are NULL where the load was only found to have been done.
    pub fn batch(&self, schema: &SchemaRef) -> Result<RecordBatch, IngestError> {
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let time = |us: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC")) };
        let known = !self.report.repeated;
        let count = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![known.then_some(value.cast_signed())])) };
        let report = self.report;
        let version = (self.status == Status::Loaded).then_some(report.version.cast_signed());
        let arrays = vec![
            text(Some(self.load_id)),
            text(Some(self.table)),
            text(self.source),
            text(Some(self.files)),
            text(Some(self.status.text())),
            time(self.started_us),
            time(self.finished_us),
            count(report.rows_read),
            count(report.rows_added),
            count(report.rows_updated),
            count(report.rows_duplicate),
            count(report.rows_rejected),
            count(report.identities_new),
            count(report.identities_merged),
            Arc::new(Int64Array::from(vec![version])),
        ];
        Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
    }
}
