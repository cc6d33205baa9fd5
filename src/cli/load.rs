//! `henna load`: files into a table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::ingest::LoadReport;
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct LoadArgs {
    table: String,
    files: Vec<PathBuf>,
}

pub async fn run(args: LoadArgs, config: &Config) -> Result<ExitCode> {
    let _ = (args, config);
    Err(Error::new(Reason::Unsupported, "x"))
}
pub enum Progress { Bar }
pub async fn load_file(lake: &Lake, table: &str, path: &Path, _p: Progress) -> Result<LoadReport> {
    let _ = (lake, table, path);
    Err(Error::new(Reason::Unsupported, "x"))
}
