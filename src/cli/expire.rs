//! `henna expire`: takes away the rows that the dataset keeps no longer, now.

use std::process::ExitCode;

use clap::Args;

use super::tables;
use crate::config::Config;
use crate::error::Result;
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct ExpireArgs {
    /// Table whose old rows go; every table with a retention where none is named
    table: Option<String>,
}

pub async fn run(args: ExpireArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let only = match &args.table {
        None => None,
        Some(table) => tables(&lake, Some(table)).await?.pop().map(|(_, name)| name),
    };
    let expired = lake.expire(only.as_ref()).await?;
    lake.audit().flush().await;
    for (table, rows) in &expired {
        println!("{table}: {rows} rows were taken away");
    }
    if expired.is_empty() {
        println!("no rows are older than their tables keep them");
    }
    Ok(ExitCode::SUCCESS)
}
