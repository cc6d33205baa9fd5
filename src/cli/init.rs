//! `henna init`: makes a lake.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use rand::Rng;
use rand::distr::Alphanumeric;

use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::query::{ADMIN, Lake};

const PASSWORD_VARIABLE: &str = "HENNA_ADMIN_PASSWORD";
const PASSWORD_LETTERS: usize = 20;

#[derive(Debug, Args)]
pub struct InitArgs {
    /// A dataset that comes with the program, or a folder with one
    #[arg(long, default_value = "retail", value_name = "NAME|DIR")]
    dataset: String,
}

pub async fn run(args: InitArgs, config: &Config) -> Result<ExitCode> {
    let dataset = dataset(&args.dataset)?;
    let given = std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty());
    let password = given.clone().unwrap_or_else(generated_password);
    let lake = Lake::found(&config.lake, &dataset, &password, super::limits(config)).await?;
    println!("made the lake {} with dataset {}", config.lake, dataset.name);
    println!("  {} tables, {} views", lake.dataset().contracts.len(), lake.dataset().views.len());
    match given {
        Some(_) => println!("  user {ADMIN}, password from {PASSWORD_VARIABLE}"),
        None => println!("  user {ADMIN}, password {password}   (shown only now)"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A shipped dataset by name, else a folder.
pub fn dataset(name: &str) -> Result<Dataset> {
    let folder = Path::new(name);
    if folder.is_dir() { Ok(Dataset::open(folder)?) } else { Ok(Dataset::shipped(name)?) }
}

pub fn generated_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LETTERS).map(char::from).collect()
}
