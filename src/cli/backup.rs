//! `henna backup` and `henna restore`: a whole lake copied to another folder, and back.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::config::Config;
use crate::error::Result;
use crate::ingest::identity::IDENTITIES;
use crate::ingest::{PUBLIC, system};
use crate::lake::{Store, TableName};
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Folder that takes the copy: absent or empty
    dest: String,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Folder that henna backup has filled
    src: String,
}

/// Copies the lake, also while a server writes to it.
pub async fn back_up(args: BackupArgs, config: &Config) -> Result<ExitCode> {
    copy(&config.lake, &args.dest, config).await
}

/// Makes the lake of a backup.
pub async fn restore(args: RestoreArgs, config: &Config) -> Result<ExitCode> {
    copy(&args.src, &config.lake, config).await
}

async fn copy(from: &str, to: &str, config: &Config) -> Result<ExitCode> {
    let started = Instant::now();
    let store = Store::open(from).await?;
    // Rows refer to persons, so the persons of a later moment are right for them.
    let last = [TableName::new(PUBLIC, IDENTITIES), TableName::new(system::SCHEMA, system::CONFLICTS)];
    let copied = store.copy_to(to, &last).await?;
    // What cannot be opened is no copy.
    Lake::open_with(to, super::limits(config)).await?;
    println!(
        "copied {} to {}: {} tables, {} files, {} bytes, {:.1} s",
        from,
        to,
        copied.tables,
        copied.files,
        copied.bytes,
        started.elapsed().as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}
