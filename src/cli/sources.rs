//! `henna sources`: the sources that a dataset has; `henna sources test`: what would become of a file.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use clap::{Args, Subcommand};

use crate::config::Config;
use crate::dataset::{Dataset, Feed, Origin, Source};
use crate::error::Result;
use crate::ingest::{HeaderChanges, TableTrial, Trial, trial};
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct SourcesArgs {
    #[command(subcommand)]
    verb: Option<SourcesVerb>,
    /// Dataset to look into instead of the lake's: retail, or a folder
    #[arg(long, global = true, value_name = "NAME|DIR")]
    dataset: Option<String>,
}

#[derive(Debug, Subcommand)]
enum SourcesVerb {
    /// Show of which source files are and what would become of their rows; nothing is loaded
    Test {
        #[arg(required = true)]
        files: Vec<String>,
        /// Take the files for those of this source, whatever their headers say
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
}

pub async fn run(args: SourcesArgs, config: &Config) -> Result<ExitCode> {
    let dataset = match &args.dataset {
        Some(name) if Path::new(name).is_dir() => Arc::new(Dataset::open(Path::new(name))?),
        Some(name) => Arc::new(Dataset::shipped(name)?),
        None => Lake::open_with(&config.lake, super::limits(config)).await?.dataset(),
    };
    match args.verb {
        None => {
            for source in &dataset.sources {
                let tables: Vec<&str> = source.tables.keys().map(String::as_str).collect();
                println!(
                    "{:<24} {:<28} {}",
                    source.name,
                    tables.join(", "),
                    source.title.as_deref().unwrap_or_default()
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(SourcesVerb::Test { files, source }) => {
            let trials = trial(&dataset, source.as_deref(), &files).await?;
            let known = trials.iter().all(|trial| trial.source.is_some());
            trials.iter().for_each(|trial| print!("{}", told(trial)));
            Ok(if known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn told(trial: &Trial) -> String {
    let mut lines = vec![trial.file.clone()];
    match &trial.source {
        None => {
            lines.push(
                "  no source recognises it; it is loaded in canonical form, by the names of the table's columns"
                    .to_owned(),
            );
            lines.push(format!("  header: {}", trial.header.join(", ")));
        }
        Some(source) => {
            lines.push(format!("  source  {}  {}", source.name, source.title.as_deref().unwrap_or_default()));
            lines.extend(told_columns(source));
            lines.extend(told_changes(&trial.changes));
            trial.tables.iter().for_each(|table| lines.extend(told_table(table)));
        }
    }
    lines.join("\n") + "\n"
}

fn told_columns(source: &Source) -> Vec<String> {
    let columns = source.layout.columns.iter().map(|column| {
        let from = match &column.origin {
            Origin::Header(aliases) => aliases.join(" or "),
            Origin::Prefix(prefix) => format!("{prefix}*"),
            Origin::Constant(text) => format!("always \"{text}\""),
        };
        format!("  column  {:<20} {from}", column.name)
    });
    let left_out = &source.layout.left_out;
    let last = (!left_out.is_empty()).then(|| format!("  kept nowhere: {}", left_out.join(", ")));
    columns.chain(last).collect()
}

/// How a header differs from the one that the source knows.
pub fn told_changes(changes: &HeaderChanges) -> Vec<String> {
    let renamed = changes.renamed.iter().map(|(found, usual)| format!("{found} for {usual}")).collect::<Vec<_>>();
    let parts = [
        ("columns by another name", &renamed),
        ("columns that are missing", &changes.missing),
        ("columns that are new", &changes.new),
    ];
    parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(label, names)| format!("  {label}: {}", names.join(", ")))
        .collect()
}

fn told_table(table: &TableTrial) -> Vec<String> {
    let way = if table.feed == Feed::Columns { "as they stand" } else { "by a SELECT" };
    let mut lines = vec![
        format!("  table   {}  ({way})", table.table),
        format!(
            "    rows read {}, good {} ({} of a person), refused {}",
            table.rows_read, table.rows_kept, table.rows_identified, table.rows_rejected
        ),
    ];
    if !table.ignored_columns.is_empty() {
        lines.push(format!("    columns kept nowhere: {}", table.ignored_columns.join(", ")));
    }
    for reject in &table.rejects {
        lines.push(format!("    refused {}:{}: {}", reject.file, reject.line, reject.message()));
    }
    let Some(rows) = &table.rows else { return lines };
    let schema = rows.schema();
    for row in 0..rows.num_rows() {
        let cells = schema.fields().iter().zip(rows.columns()).filter_map(|(field, array)| {
            // Persons are numbered by the load.
            let shown = array.is_valid(row) && field.name() != "one_id";
            shown.then(|| format!("{}={}", field.name(), array_value_to_string(array, row).unwrap_or_default()))
        });
        lines.push(format!("    row     {}", cells.collect::<Vec<_>>().join(" ")));
    }
    lines
}
