//! `henna load`: files into a table.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::ingest::{LoadReport, LoadRequest, Loader, OnReject, Phase, Progress, ProgressSink, REJECT_SHARE_MAX};
use crate::query::Lake;

/// Of a load's id, enough to tell it apart.
const LOAD_LETTERS: usize = 12;

#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Table that takes the rows
    table: String,
    /// CSV, TSV, NDJSON, XLSX or Parquet, also .gz and .zst; folders and patterns, also s3://BUCKET/...; - is standard input
    #[arg(required_unless_present = "watch")]
    files: Vec<String>,
    /// Load the files that come into this folder, until Ctrl-C; they go to its loaded/ or failed/
    #[arg(long, value_name = "DIR", conflicts_with_all = ["files", "json"])]
    watch: Option<String>,
    /// Take the files for those of this source of the dataset, whatever their headers say
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Keep refused rows in henna.rejects and go on, or stop at the first
    #[arg(long, value_enum, default_value = "keep")]
    on_reject: Rejecting,
    /// Share of refused rows, 0 to 1, above which nothing is loaded
    #[arg(long, default_value_t = REJECT_SHARE_MAX, value_name = "SHARE")]
    reject_share_max: f64,
    /// Print the report as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rejecting {
    Keep,
    Stop,
}

pub async fn run(args: LoadArgs, config: &Config) -> Result<ExitCode> {
    if !(0.0..=1.0).contains(&args.reject_share_max) {
        let text = format!("--reject-share-max must lie between 0 and 1, got {}", args.reject_share_max);
        return Err(Error::new(Reason::Configuration, text));
    }
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let request = LoadRequest {
        source: args.source,
        on_reject: match args.on_reject {
            Rejecting::Keep => OnReject::Keep,
            Rejecting::Stop => OnReject::Stop,
        },
        reject_share_max: args.reject_share_max,
        ..LoadRequest::new(args.table, args.files)
    };
    if let Some(folder) = args.watch {
        super::watch::watch(&lake, &folder, &request).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = load(&lake, request).await?;
    if args.json {
        let text = serde_json::to_string(&report).map_err(|error| Error::of(Reason::Internal, error))?;
        println!("{text}");
    } else {
        print!("{}", told(&report));
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads, with a progress bar where standard error is a terminal.
pub async fn load(lake: &Lake, mut request: LoadRequest) -> Result<LoadReport> {
    let bar = std::io::stderr().is_terminal().then(progress_bar);
    if let Some(bar) = bar.clone() {
        request.progress = Some(sink(bar));
    }
    let outcome = Loader::new(lake.store().clone(), lake.dataset()).load(request).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    outcome
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:>10} [{bar:40}] {bytes}/{total_bytes} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn sink(bar: ProgressBar) -> ProgressSink {
    Arc::new(move |progress: Progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(match progress.phase {
            Phase::Identities => "identities".to_owned(),
            Phase::Rows => format!("{} rows", progress.rows),
        });
    })
}

/// The report for the eye.
fn told(report: &LoadReport) -> String {
    let source = report.source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
    let mut lines = vec![format!("loaded into {}{source}", report.table)];
    let mut line = |label: &str, count: u64| lines.push(format!("  {label:<20} {count:>12}"));
    line("rows read", report.rows_read);
    line("rows added", report.rows_added);
    line("rows updated", report.rows_updated);
    line("rows duplicate", report.rows_duplicate);
    line("rows rejected", report.rows_rejected);
    line("identities new", report.identities_new);
    line("identities merged", report.identities_merged);
    lines.push(format!(
        "  version {}, {} files, {} bytes, {:.2} s",
        report.version, report.files, report.bytes, report.seconds
    ));
    lines.extend(super::sources::told_changes(&report.header));
    if !report.ignored_columns.is_empty() {
        lines.push(format!("  columns kept nowhere: {}", report.ignored_columns.join(", ")));
    }
    if report.rejects_settled > 0 {
        lines.push(format!("  {} rows that were refused before are settled", report.rejects_settled));
    }
    if report.rows_rejected > 0 {
        let load = report.load_id.get(..LOAD_LETTERS).unwrap_or(&report.load_id);
        lines.push(format!("  see henna rejects {load}; --out DIR writes them as files to be corrected"));
    }
    lines.join("\n") + "\n"
}
