//! `henna dataset`: what another text of the lake's dataset would change, and making the lake go by it.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::FAILED;
use super::init;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::query::{DatasetPlan, Lake};

#[derive(Debug, Args)]
pub struct DatasetArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell what would change, and what cannot
    Diff(TextArgs),
    /// Add new tables and columns, replace views, marts, sources and boards; a server sees it without a restart
    Apply(TextArgs),
}

#[derive(Debug, Args)]
struct TextArgs {
    /// A dataset that comes with the program, or a folder with one; without it the shipped one of the lake's dataset
    #[arg(long, value_name = "NAME|DIR")]
    dataset: Option<String>,
}

pub async fn run(args: DatasetArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    match args.verb {
        Verb::Diff(text) => {
            let plan = lake.plan_dataset(&text.read(&lake)?).await?;
            show(&plan);
            let refusals = &plan.difference.refusals;
            for refusal in refusals {
                println!("cannot be followed: {}\n  {}", refusal.what, refusal.advice);
            }
            Ok(if refusals.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
        }
        Verb::Apply(text) => {
            let plan = lake.apply_dataset(text.read(&lake)?).await?;
            lake.audit().flush().await;
            show(&plan);
            if !plan.is_same() {
                println!("the lake {} goes by it", config.lake);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl TextArgs {
    fn read(&self, lake: &Lake) -> Result<Dataset> {
        match &self.dataset {
            Some(name) => init::dataset(name),
            None => Ok(Dataset::shipped(&lake.dataset().name)?),
        }
    }
}

fn show(plan: &DatasetPlan) {
    if plan.is_same() {
        println!("the lake goes by this dataset already");
        return;
    }
    for change in &plan.difference.changes {
        println!("{change}");
    }
    for statement in &plan.access_new {
        println!("access.sql, new: {}", one_line(statement));
    }
    for statement in &plan.access_gone {
        println!("access.sql, gone, and in force until it is revoked: {}", one_line(statement));
    }
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}
