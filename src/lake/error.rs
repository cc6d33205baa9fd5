//! What goes wrong in the lake, and what each case asks of the caller.

use std::io;
use std::time::Duration;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use parquet::errors::ParquetError;

use crate::error::{Error, Reason};

#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("\"{root}\" is not a place for a lake: {rule}")]
    RootInvalid { root: String, rule: &'static str },
    #[error("there is no lake at \"{root}\"")]
    LakeAbsent { root: String },
    #[error("there is a lake at \"{root}\" already")]
    LakeExists { root: String },
    #[error("\"{root}\" is not empty")]
    PlaceTaken { root: String },
    #[error("the lake at \"{root}\" has format {found}, this program reads format {known}")]
    FormatUnknown { root: String, found: u64, known: u64 },
    #[error("table \"{table}\" does not exist")]
    TableAbsent { table: String },
    #[error("table \"{table}\" already exists")]
    TableExists { table: String },
    #[error("table \"{table}\" cannot be stored: {rule}")]
    SpecInvalid { table: String, rule: String },
    #[error("table \"{table}\" uses the Delta feature \"{feature}\", which this program does not read")]
    FeatureUnknown { table: String, feature: String },
    #[error("rows for table \"{table}\" do not fit: {difference}")]
    RowsMismatch { table: String, difference: String },
    #[error("one write to table \"{table}\" may hold {limit} keys at most")]
    KeysExceeded { table: String, limit: usize },
    #[error("a row has a key that table \"{table}\" holds, or that another row of the statement has")]
    KeyTaken { table: String },
    #[error("{error}")]
    PartRefused { part: usize, error: Box<Error> },
    #[error("\"{path}\" lies among the tables; only commits write there")]
    PathReserved { path: String },
    #[error("another process has been writing to the lake at \"{root}\" for {waited:?}")]
    Locked { root: String, waited: Duration },
    #[error("table \"{table}\" changed under the write {attempts} times")]
    Contended { table: String, attempts: usize },
    #[error("table \"{table}\" is at version {found}, the rows were worked out from version {seen}")]
    Moved { table: String, seen: u64, found: u64 },
    #[error("the columns of table \"{table}\" changed under the write: repeat it")]
    Altered { table: String },
    #[error("column \"{column}\" of table \"{table}\" {rule}")]
    AlterRefused { table: String, column: String, rule: String },
    #[error("table \"{table}\" has no version {version}, its newest is {newest}")]
    VersionAbsent { table: String, version: u64, newest: u64 },
    #[error(
        "files of version {version} of table \"{table}\" were taken away: those from {oldest} to {newest} can be read; how long they are kept says version_retention"
    )]
    VersionGone { table: String, version: u64, oldest: u64, newest: u64 },
    #[error("table \"{table}\" was made later than that")]
    TableYoung { table: String },
    #[error("{path}: {found}")]
    Corrupt { path: String, found: String },
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("sorting rows in the folder for temporary files: {source}")]
    Spill { source: io::Error },
    #[error("'{name}' names no bucket: write s3://BUCKET/KEY")]
    BucketUnnamed { name: String },
    #[error("there are no credentials for s3://{bucket}")]
    BucketCredentials { bucket: String },
    #[error("there is no bucket '{bucket}'")]
    BucketAbsent { bucket: String },
    #[error("more than {max} files of s3://{bucket} are meant: load them in parts")]
    BucketCrowded { bucket: String, max: usize },
    #[error("{url} may not be read with these credentials")]
    BucketDenied { url: String, source: object_store::Error },
    #[error("{url} was changed while it was read: load it again")]
    BucketFileChanged { url: String },
    #[error("{url}: {source}")]
    Bucket { url: String, source: object_store::Error },
    #[error("object store: {source}")]
    Objects {
        #[from]
        source: object_store::Error,
    },
    #[error("table log: {source}")]
    Log {
        #[from]
        source: DeltaTableError,
    },
    #[error("{source}")]
    Arrow {
        #[from]
        source: ArrowError,
    },
    #[error("{source}")]
    Parquet {
        #[from]
        source: ParquetError,
    },
    #[error("{source}")]
    Engine {
        #[from]
        source: DataFusionError,
    },
}

/// What the caller is told of a full disk, whichever step met it.
#[derive(Debug, thiserror::Error)]
#[error("no space is left where the lake lies")]
struct DiskFull {
    source: LakeError,
}

impl LakeError {
    fn reason(&self) -> Reason {
        match self {
            Self::RootInvalid { .. } => Reason::Configuration,
            Self::LakeExists { .. } | Self::PlaceTaken { .. } => Reason::DuplicateObject,
            Self::LakeAbsent { .. } => Reason::FileMissing,
            Self::FormatUnknown { .. } | Self::FeatureUnknown { .. } | Self::SpecInvalid { .. } => Reason::Unsupported,
            Self::TableAbsent { .. } => Reason::UndefinedTable,
            Self::TableExists { .. } => Reason::DuplicateTable,
            Self::RowsMismatch { .. } => Reason::DatatypeMismatch,
            Self::KeysExceeded { .. } => Reason::LimitExceeded,
            Self::KeyTaken { .. } => Reason::Unique,
            Self::VersionAbsent { .. } | Self::VersionGone { .. } | Self::TableYoung { .. } => Reason::UndefinedObject,
            Self::PartRefused { error, .. } => error.reason(),
            Self::PathReserved { .. } => Reason::InvalidParameter,
            Self::Locked { .. } => Reason::Locked,
            Self::Contended { .. } | Self::Moved { .. } | Self::Altered { .. } => Reason::Serialization,
            Self::AlterRefused { .. } => Reason::Unsupported,
            Self::Corrupt { .. } => Reason::Corrupt,
            Self::Io { source, .. } | Self::Spill { source } => of_causes(source),
            Self::BucketUnnamed { .. } => Reason::InvalidParameter,
            Self::BucketCredentials { .. } => Reason::Configuration,
            Self::BucketAbsent { .. } => Reason::FileMissing,
            Self::BucketCrowded { .. } => Reason::LimitExceeded,
            Self::BucketDenied { .. } => Reason::Privilege,
            Self::BucketFileChanged { .. } => Reason::FileInvalid,
            Self::Bucket { source, .. } | Self::Objects { source } => of_objects(source),
            Self::Log { source: DeltaTableError::ObjectStore { source } } => of_objects(source),
            Self::Log { source: DeltaTableError::InvalidJsonLog { .. } | DeltaTableError::InvalidStatsJson { .. } } => {
                Reason::Corrupt
            }
            Self::Log { .. } => Reason::Io,
            Self::Arrow { .. } => Reason::Internal,
            Self::Parquet { source } => of_causes(source),
            Self::Engine { source } => of_engine(source),
        }
    }
}

fn of_io(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Reason::DiskFull,
        io::ErrorKind::NotFound => Reason::FileMissing,
        _ => Reason::Io,
    }
}

fn of_objects(error: &object_store::Error) -> Reason {
    if let object_store::Error::NotFound { .. } = error {
        return Reason::FileMissing;
    }
    of_causes(error)
}

/// What the innermost error of input or output says: others are wrapped around it.
fn of_causes(error: &(dyn std::error::Error + 'static)) -> Reason {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map_or(Reason::Io, of_io)
}

fn of_engine(error: &DataFusionError) -> Reason {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Reason::MemoryExhausted,
        DataFusionError::IoError(io) => of_io(io),
        DataFusionError::ObjectStore(source) => of_objects(source),
        DataFusionError::ParquetError(source) => of_causes(source),
        _ => Reason::Internal,
    }
}

impl From<LakeError> for Error {
    fn from(error: LakeError) -> Self {
        // An error that the caller's own stream of rows raised goes back as it came.
        match error {
            LakeError::Engine { source: DataFusionError::External(inner) } => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(inner) => Error::of(Reason::Internal, DataFusionError::External(inner)),
            },
            error @ LakeError::Spill { .. } => Error::of(error.reason(), error).with_hint("TMPDIR names that folder"),
            error if error.reason() == Reason::DiskFull => Error::of(Reason::DiskFull, DiskFull { source: error })
                .with_hint("make room and write again: what was acknowledged is there, and nothing of this write is"),
            error @ LakeError::BucketCredentials { .. } => Error::of(error.reason(), error).with_hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a bucket that anybody may read",
            ),
            error => Error::of(error.reason(), error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn an_error_of_the_callers_rows_comes_back_as_it_was() {
        let own = Error::new(Reason::FileInvalid, "line 3 is torn");
        let error = Error::from(LakeError::from(DataFusionError::External(Box::new(own))));
        assert_eq!((error.reason(), error.to_string()), (Reason::FileInvalid, "line 3 is torn".to_owned()));
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let full = || object_store::Error::Generic {
            store: "test",
            source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
        };
        let wrapped = io::Error::other(full());
        for error in [
            LakeError::from(full()),
            LakeError::from(ParquetError::External(Box::new(full()))),
            LakeError::Io { path: "x".to_owned(), source: wrapped },
        ] {
            let error = Error::from(error);
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (Kind::Exhausted, "no space is left where the lake lies")
            );
        }
        let broken = Error::from(LakeError::from(ParquetError::General("torn".to_owned())));
        assert_eq!((broken.reason(), broken.to_string().as_str()), (Reason::Io, "Parquet error: torn"));
    }
}
