//! `henna rejects`: rows that loads refused and nobody has corrected yet; `--out` writes them as files to be corrected.

use std::path::PathBuf;
use std::process::ExitCode;

use arrow::array::RecordBatch;
use clap::Args;
use futures::TryStreamExt;

use super::output::{Format, cells};
use super::sql::run_command;
use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::ingest::{Exported, Loader};
use crate::query::{ADMIN, Lake, Session, failure};

#[derive(Debug, Args)]
pub struct RejectsArgs {
    /// Load whose rows are meant; the beginning of its id will do. Without it, all loads that have some are listed
    load: Option<String>,
    /// Write the rows into files of this folder, in the form of the files that they come from, each with what is wrong with it
    #[arg(long, value_name = "DIR", requires = "load")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Rows that are still to be corrected.
const OPEN: &str = "SELECT DISTINCT r.load_id, r.table_name, r.file, r.line, r.column_name, r.reason, r.raw FROM henna.rejects AS r \
    LEFT JOIN henna.corrections AS c ON c.load_id = r.load_id AND c.file = r.file AND c.line = r.line WHERE c.load_id IS NULL";

pub async fn run(args: RejectsArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let loader = Loader::new(lake.store().clone(), lake.dataset());
    let session = lake.session(lake.principal(ADMIN)?).await?;
    let Some(prefix) = args.load else {
        let sql = format!(
            "SELECT o.load_id, o.table_name, min(l.status) AS status, min(l.source) AS source, count(*) AS rows, \
             min(l.started_at) AS loaded_at, min(o.file) AS file FROM ({OPEN}) AS o LEFT JOIN henna.loads AS l ON l.load_id = o.load_id \
             GROUP BY o.load_id, o.table_name ORDER BY loaded_at DESC"
        );
        run_command(&session, &sql, args.format).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let load = found(&session, &prefix).await?;
    let Some(folder) = args.out else {
        let sql = format!(
            "SELECT file, line, column_name, reason, left(raw, 200) AS raw FROM ({OPEN}) AS o WHERE load_id = '{}' ORDER BY file, line",
            load.id
        );
        run_command(&session, &sql, args.format).await?;
        return Ok(ExitCode::SUCCESS);
    };
    if load.is_refused {
        let text = format!("load {} was refused whole: none of its rows was taken", load.id);
        return Err(Error::new(Reason::Unsupported, text).with_hint("correct its files themselves and load them again"));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| Error::new(Reason::Io, format!("{}: {error}", folder.display())))?;
    let files = loader.export_rejects(&load.id, &folder).await?;
    if files.is_empty() {
        println!("load {} has no rows to correct", load.id);
    }
    files.iter().for_each(|file| println!("{}", told(file)));
    Ok(ExitCode::SUCCESS)
}

fn told(file: &Exported) -> String {
    let source = file.source.as_ref().map(|name| format!(" --source {name}")).unwrap_or_default();
    format!(
        "{}: {} rows of {}\n  correct them, leave _reject as it is, then: henna load {} '{}'{source}",
        file.path.display(),
        file.rows,
        file.file,
        file.table,
        file.path.display()
    )
}

struct Found {
    id: String,
    /// Whole: none of its rows was taken.
    is_refused: bool,
}

/// The one load with rejects whose id begins so.
async fn found(session: &Session, prefix: &str) -> Result<Found> {
    if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = format!("'{prefix}' is no id of a load, nor the beginning of one");
        return Err(Error::new(Reason::InvalidParameter, text));
    }
    let sql = format!(
        "SELECT DISTINCT r.load_id, l.status FROM henna.rejects AS r LEFT JOIN henna.loads AS l ON l.load_id = r.load_id \
         WHERE r.load_id LIKE '{}%' ORDER BY 1 LIMIT 2",
        prefix.to_ascii_lowercase()
    );
    let batches: Vec<RecordBatch> = session.execute(&sql).await?.try_collect().await.map_err(failure)?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(cells(batch)?);
    }
    match rows.as_slice() {
        [row] => Ok(Found { id: row[0].clone(), is_refused: row[1] == "refused" }),
        [] => Err(Error::new(Reason::FileMissing, format!("no load whose id begins with '{prefix}' has rejects"))
            .with_hint("henna rejects lists the loads that have some")),
        _ => Err(Error::new(Reason::InvalidParameter, format!("several loads have ids that begin with '{prefix}'"))),
    }
}
