//! `henna compact`: gathers small files now.

use std::process::ExitCode;

use clap::Args;

use super::tables;
use crate::config::Config;
use crate::error::Result;
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Table whose small files are gathered; all tables where none is named
    table: Option<String>,
}

pub async fn run(args: CompactArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    for (shown, name) in tables(&lake, args.table.as_deref()).await? {
        let before = lake.store().snapshot(&name).await?.files.len();
        let commit = lake.store().compact(&name).await?;
        let after = lake.store().snapshot(&name).await?.files.len();
        match commit.files {
            0 => println!("{shown}: {before} files, none to gather"),
            _ => println!("{shown}: {before} files became {after}, version {}", commit.version),
        }
    }
    Ok(ExitCode::SUCCESS)
}
