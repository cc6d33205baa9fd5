//! What can stop a load. What is wrong with single rows does not: those become rejects.

use std::io;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;
use thiserror::Error as ThisError;

use crate::error::{Error, Reason};

#[derive(Debug, ThisError)]
pub enum IngestError {
    #[error("table '{table}' does not exist")]
    TableUnknown { table: String },
    #[error("there is no source '{source_name}'; the dataset has: {known}")]
    SourceUnknown { source_name: String, known: String },
    #[error("source '{source_name}' has no mapping for table '{table}'; it feeds: {known}")]
    SourceTable { source_name: String, table: String, known: String },
    #[error("file '{file}' does not exist")]
    FileAbsent { file: String },
    #[error("'{file}' cannot be read: {source}")]
    FileUnreadable { file: String, source: io::Error },
    #[error("'{file}' cannot be written: {source}")]
    FileUnwritable { file: String, source: io::Error },
    #[error(
        "'{file}' is of no known format: .csv, .tsv, .txt, .ndjson, .jsonl, .parquet, .xlsx, and the text ones also .gz and .zst"
    )]
    FormatUnknown { file: String },
    #[error(
        "'{file}' lies elsewhere, and only files of this machine and of s3:// are read: copy it, or pipe it into henna load TABLE -"
    )]
    FileElsewhere { file: String },
    /// Of a file in a bucket.
    #[error("{error}")]
    Elsewhere { error: Box<Error> },
    #[error("'{name}' names no file")]
    FilesAbsent { name: String },
    #[error("pattern '{pattern}': {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("{file} is not a workbook that can be read: {reason}")]
    NotWorkbook { file: String, reason: String },
    #[error("{file} has {found} columns; at most {max} are read")]
    TooManyColumns { file: String, found: usize, max: usize },
    #[error("{file} ends before its header in row {row}")]
    HeaderBeyond { file: String, row: u32 },
    #[error("{file} may be of {candidates}: name one with --source")]
    SourceAmbiguous { file: String, candidates: String },
    #[error("the files are of different sources ({found}): load them one source at a time, or name one with --source")]
    SourcesDiffer { found: String },
    #[error("{file} is of source '{source_name}', which does not feed table '{table}'; it feeds: {known}")]
    SourceElsewhere { file: String, source_name: String, table: String, known: String },
    #[error("{file} has no sheet '{sheet}'; it has: {known}")]
    SheetAbsent { file: String, sheet: String, known: String },
    #[error("{file} is not a Parquet file: {source}")]
    NotParquet { file: String, source: ParquetError },
    #[error("{file} is not a stream of Arrow IPC: {source}")]
    NotArrow { file: String, source: ArrowError },
    #[error("the body unpacks to more than {max} bytes")]
    BodyTooLong { max: usize },
    #[error("{file} cannot be decompressed: {source}")]
    Decompression { file: String, source: io::Error },
    #[error("{file} has no header")]
    HeaderAbsent { file: String },
    #[error("{file} has no header that is UTF-8 text")]
    HeaderNotText { file: String },
    #[error("{file}:{line}: a row is longer than {max} bytes; is a quote left open?")]
    RowTooLong { file: String, line: u64, max: usize },
    #[error("column {column} of {table} is absent from {file}")]
    ColumnAbsent { column: String, table: String, file: String },
    #[error("column {column} stands twice in the header of {file}")]
    ColumnTwice { column: String, file: String },
    #[error("column {column} of {file} is {found}, which cannot become {wanted}")]
    ColumnType { column: String, file: String, found: DataType, wanted: String },
    #[error("rule of column {column} of {table}: {source}")]
    Rule { table: String, column: String, source: DataFusionError },
    #[error("mapping of source '{source_name}' for {table}: {source}")]
    Mapping { source_name: String, table: String, source: DataFusionError },
    #[error("{file}:{line}: {reason}")]
    RowRefused { file: String, line: u64, reason: String },
    #[error("{rejected} of {read} rows were refused, more than the share of {max}; nothing was loaded")]
    ShareExceeded { rejected: u64, read: u64, max: f64 },
    #[error("'{value}' cannot be an identifier of type {id_type}")]
    IdentifierInvalid { id_type: String, value: String },
    #[error("the dataset keeps no identities: it has no table 'identities' with the columns that they need")]
    IdentitiesAbsent,
    #[error("no person has the number {number}")]
    PersonUnknown { number: i64 },
    #[error("nobody has the {id_type} '{value}'")]
    IdentifierUnknown { id_type: String, value: String },
    #[error("the {id_type} '{value}' is shared by {others} others at least, so it is nobody's")]
    IdentifierShared { id_type: String, value: String, others: i64 },
    #[error("the {id_type} '{value}' is an identifier of person {person}, not of {one_id}")]
    IdentifierElsewhere { id_type: String, value: String, person: i64, one_id: i64 },
    #[error("number {number} was not merged into person {one_id}")]
    NotMerged { number: i64, one_id: i64 },
    #[error("these are all identifiers of person {one_id}: name those that are another person's")]
    NothingLeft { one_id: i64 },
    #[error("the lake has identities but no identity key (secrets/identity.key)")]
    IdentityKeyAbsent,
    #[error("the identity key of the lake is damaged")]
    IdentityKeyDamaged,
    #[error("rows in flight: {source}")]
    Arrow { source: ArrowError },
    #[error("rows in flight: {source}")]
    Engine { source: DataFusionError },
    #[error("spool file: {source}")]
    Spool { source: ParquetError },
    #[error("spool file: {source}")]
    SpoolFile { source: io::Error },
    #[error("the reading thread ended early")]
    ThreadEnded,
}

impl From<ArrowError> for IngestError {
    fn from(source: ArrowError) -> Self {
        Self::Arrow { source }
    }
}

impl From<DataFusionError> for IngestError {
    fn from(source: DataFusionError) -> Self {
        Self::Engine { source }
    }
}

impl From<ParquetError> for IngestError {
    fn from(source: ParquetError) -> Self {
        Self::Spool { source }
    }
}

impl From<IngestError> for Error {
    fn from(error: IngestError) -> Self {
        use IngestError::*;
        if let Elsewhere { error } = error {
            return *error;
        }
        let reason = match &error {
            Elsewhere { error } => error.reason(),
            TableUnknown { .. } => Reason::UndefinedTable,
            SourceUnknown { .. } | SourceTable { .. } | SourceElsewhere { .. } => Reason::UndefinedObject,
            FileAbsent { .. } | FilesAbsent { .. } => Reason::FileMissing,
            FileElsewhere { .. } | Pattern { .. } => Reason::Unsupported,
            FileUnreadable { .. } | FileUnwritable { .. } | SpoolFile { .. } => Reason::Io,
            FormatUnknown { .. }
            | NotParquet { .. }
            | NotArrow { .. }
            | Decompression { .. }
            | NotWorkbook { .. }
            | TooManyColumns { .. }
            | HeaderBeyond { .. }
            | SourceAmbiguous { .. }
            | SourcesDiffer { .. }
            | SheetAbsent { .. }
            | HeaderAbsent { .. }
            | HeaderNotText { .. }
            | RowTooLong { .. } => Reason::FileInvalid,
            IdentifierInvalid { .. } | IdentifierElsewhere { .. } | NotMerged { .. } | NothingLeft { .. } => {
                Reason::InvalidParameter
            }
            PersonUnknown { .. } | IdentifierUnknown { .. } | IdentifierShared { .. } => Reason::UndefinedObject,
            IdentitiesAbsent => Reason::Unsupported,
            BodyTooLong { .. } => Reason::LimitExceeded,
            ColumnAbsent { .. } | ColumnTwice { .. } => Reason::UndefinedColumn,
            ColumnType { .. } => Reason::CannotCoerce,
            Rule { .. } | Mapping { .. } => Reason::Configuration,
            RowRefused { .. } | ShareExceeded { .. } => Reason::InvalidRow,
            IdentityKeyAbsent | IdentityKeyDamaged => Reason::Corrupt,
            Arrow { .. } | Engine { .. } | Spool { .. } | ThreadEnded => Reason::Internal,
        };
        let error = Error::of(reason, error);
        match reason {
            Reason::UndefinedColumn => {
                error.with_hint("henna sources test FILE tells which source recognises a file, if any")
            }
            Reason::InvalidRow => error.with_hint("SELECT file, line, column_name, reason FROM henna.rejects"),
            _ => error,
        }
    }
}
