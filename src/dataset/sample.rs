//! The sample files of a dataset: its sample queries, run in a context of their own, as Parquet files to be loaded.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use super::error::DatasetError;
use super::folder::Dataset;
use super::sample_uniform::sample_uniform;

/// What becomes of the rows of a sample query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleTarget {
    /// They are loaded into the table.
    Table(String),
    /// Later sample queries read them under the name.
    View(String),
}

/// `sample/*.sql`: a SELECT whose first line is `-- table: NAME` or `-- view: NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleQuery {
    pub path: String,
    pub target: SampleTarget,
    /// `{permille}` and `{scale}` stand for the wanted size.
    pub sql: String,
}

impl SampleQuery {
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, DatasetError> {
        let first = text.lines().next().and_then(|line| line.strip_prefix("--")).map(str::trim);
        let target = match first.and_then(|line| line.split_once(':')) {
            Some(("table", name)) => SampleTarget::Table(name.trim().to_owned()),
            Some(("view", name)) => SampleTarget::View(name.trim().to_owned()),
            _ => return Err(DatasetError::SampleTarget { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), target, sql: text.to_owned() })
    }

    pub fn table(&self) -> Option<&str> {
        match &self.target {
            SampleTarget::Table(name) => Some(name),
            SampleTarget::View(_) => None,
        }
    }
}

/// A file that `load TABLE FILE` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    pub table: String,
    pub path: PathBuf,
}

/// Runs the sample queries in order and writes a Parquet file into `folder` for each that has a table; they are to be
/// loaded in the order given. `permille` is the size: 1000 is scale 1. Equal arguments give equal rows. Streams: no
/// query's rows are held whole.
pub async fn write_samples(dataset: &Dataset, folder: &Path, permille: u32) -> Result<Vec<SampleFile>, DatasetError> {
    let folder_fault = |source| DatasetError::SampleFile { path: folder.to_owned(), source };
    let spool = folder.join("views");
    fs::create_dir_all(&spool).map_err(folder_fault)?;
    let context = context(&dataset.time_zone);
    let mut written = Vec::with_capacity(dataset.sample.len());
    for query in &dataset.sample {
        let fault = |source| DatasetError::Sample { path: query.path.clone(), source };
        let name = Path::new(&query.path).with_extension("parquet");
        let name = name.file_name().unwrap_or_default();
        let stream = run(&context, query, permille).await.map_err(fault)?;
        match &query.target {
            SampleTarget::View(view) => {
                let path = spool.join(name);
                write(stream, &path).await.map_err(fault)?;
                let options = ParquetReadOptions::default();
                context.register_parquet(view.as_str(), path.to_string_lossy(), options).await.map_err(fault)?;
            }
            SampleTarget::Table(table) => {
                let path = folder.join(name);
                write(stream, &path).await.map_err(fault)?;
                written.push(SampleFile { table: table.clone(), path });
            }
        }
    }
    fs::remove_dir_all(&spool).map_err(folder_fault)?;
    Ok(written)
}

fn context(time_zone: &str) -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some(time_zone.to_owned());
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    let context = SessionContext::new_with_config(config);
    context.register_udf(sample_uniform());
    context
}

async fn run(
    context: &SessionContext,
    query: &SampleQuery,
    permille: u32,
) -> DataFusionResult<SendableRecordBatchStream> {
    let scale = permille.div_ceil(1000).max(1).to_string();
    let sql = query.sql.replace("{permille}", &permille.to_string()).replace("{scale}", &scale);
    context.sql(&sql).await?.execute_stream().await
}

async fn write(mut stream: SendableRecordBatchStream, path: &Path) -> DataFusionResult<()> {
    let mut writer = ArrowWriter::try_new(File::create(path)?, stream.schema(), None)?;
    while let Some(batch) = stream.try_next().await? {
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::super::files::DatasetFile;
    use super::*;

    fn shop(samples: &[&str]) -> Result<Dataset, DatasetError> {
        let table = ("tables/t.sql".to_owned(), "CREATE TABLE t (id bigint, u double precision)");
        let samples = samples.iter().enumerate().map(|(nth, sql)| (format!("sample/{nth}.sql"), *sql));
        let files = std::iter::once(table).chain(samples);
        let files = files.map(|(path, text)| DatasetFile { path, bytes: text.as_bytes().to_vec() });
        Dataset::parse("shop", files.collect())
    }

    fn rows(file: &SampleFile) -> i64 {
        let reader = SerializedFileReader::new(File::open(&file.path).unwrap()).unwrap();
        reader.metadata().file_metadata().num_rows()
    }

    #[tokio::test]
    async fn a_sample_has_as_many_rows_as_its_size_says_and_reads_the_views_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let view = "-- view: ids\nSELECT value AS id FROM generate_series(1, 3 * {permille})";
        let table = "-- table: t\nSELECT id, sample_uniform('t', id) AS u FROM ids WHERE id > {scale}";
        let files = write_samples(&shop(&[view, table, table]).unwrap(), folder.path(), 10).await.unwrap();
        assert_eq!(files.iter().map(rows).collect::<Vec<_>>(), [29, 29]);
        assert!(files.iter().all(|file| file.table == "t"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_wrong_sample_query_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_samples(&shop(&["-- table: t\nSELECT nonsense"]).unwrap(), folder.path(), 10).await;
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("sample/0.sql: "), "{message}");
    }

    #[test]
    fn a_sample_query_says_what_it_is_for() {
        let message = shop(&["SELECT 1"]).unwrap_err().to_string();
        assert_eq!(message, "sample/0.sql: the first line says '-- table: NAME' or '-- view: NAME'");
        let message = shop(&["-- table: u\nSELECT 1"]).unwrap_err().to_string();
        assert_eq!(message, "sample/0.sql: there is no table 'u'");
    }

    #[tokio::test]
    async fn the_sample_of_each_shipped_dataset_runs() {
        let folder = tempfile::tempdir().unwrap();
        for name in super::super::shipped::shipped_names() {
            let dataset = Dataset::shipped(&name).unwrap();
            let files = write_samples(&dataset, &folder.path().join(&name), 4).await.unwrap();
            assert!(files.iter().all(|file| rows(file) > 0), "{name}");
        }
    }
}
