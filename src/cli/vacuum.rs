//! `henna vacuum`: takes away the files of versions that are old enough, now.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::tables;
use crate::config::{Config, Span};
use crate::error::{Error, Reason, Result};
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct VacuumArgs {
    /// Table whose old files go; all tables where none is named
    table: Option<String>,
    /// How long files stay after they left their table, such as 12h; 0s is not at all [setting: version_retention]
    #[arg(long, value_name = "DURATION")]
    retain: Option<String>,
}

pub async fn run(args: VacuumArgs, config: &Config) -> Result<ExitCode> {
    let retain = match args.retain {
        None => config.version_retention,
        Some(text) => {
            Span::try_from(text).map_err(|text| Error::new(Reason::Configuration, format!("--retain: {text}")))?
        }
    };
    let retain = retain.0.unwrap_or(Duration::ZERO);
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let mut total = 0;
    for (shown, name) in tables(&lake, args.table.as_deref()).await? {
        let files = lake.store().vacuum(&name, retain).await?;
        if files > 0 {
            println!("{shown}: {files} files were taken away");
        }
        total += files;
    }
    println!("{total} files were taken away that left their tables more than {}", ago(retain));
    Ok(ExitCode::SUCCESS)
}

fn ago(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [(86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")];
    let (unit, word) = parts.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "seconds"));
    format!("{} {word} ago", seconds / unit)
}
