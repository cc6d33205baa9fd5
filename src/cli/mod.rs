//! The command line: one file a verb.

mod backup;
mod check;
mod compact;
mod config;
mod dataset;
mod demo;
mod expire;
mod forget;
mod functions;
mod identity;
mod init;
mod load;
mod output;
mod rejects;
pub mod serve;
mod sources;
mod sql;
mod vacuum;
mod watch;

use std::error::Error as _;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Layers, LogFormat};
use crate::error::{Error, Reason, Result};
use crate::ingest::PUBLIC;
use crate::lake::TableName;
use crate::query::{Lake, Limits, STACK_BYTES};

/// Exit codes: done; failed; used wrongly.
const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// What verbs that end by themselves log, unless the setting says otherwise: their output is the report.
const LOG_OF_VERBS: &str = "warn";

#[derive(Debug, Parser)]
#[command(name = "henna", version, about = "A columnar query server for retailers that sell on many channels")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags that every verb takes; each overrides the setting of its name.
#[derive(Debug, Args)]
struct Common {
    /// Folder of the lake [setting: lake, HENNA_LAKE]
    #[arg(long, global = true, value_name = "DIR")]
    lake: Option<String>,
    /// What is logged to standard error [setting: log]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a lake with a dataset's tables, views, roles and policies
    Init(init::InitArgs),
    /// Load files into a table
    Load(load::LoadArgs),
    /// Serve the lake on the Postgres wire and the web
    Serve(serve::ServeArgs),
    /// Make a lake with a sample brand where there is none, and serve it
    Demo(demo::DemoArgs),
    /// Run SQL in this process, without a server
    Sql(sql::SqlArgs),
    /// Verify commit logs, files, checksums, row counts, the security log and the audit log
    Check,
    /// List the sources of the dataset, or test which one a file is of
    Sources(sources::SourcesArgs),
    /// List rows that loads refused, or write them as files to be corrected
    Rejects(rejects::RejectsArgs),
    /// Compare the lake with another text of its dataset, or make it go by that
    Dataset(dataset::DatasetArgs),
    /// Gather small files into large ones; a server does it by itself, too
    Compact(compact::CompactArgs),
    /// Take away files of old versions; a server does it by itself, too
    Vacuum(vacuum::VacuumArgs),
    /// Take away rows that the dataset keeps no longer; a server does it by itself, too
    Expire(expire::ExpireArgs),
    /// Copy the whole lake to another folder, also while it is served
    Backup(backup::BackupArgs),
    /// Make the lake of a backup
    Restore(backup::RestoreArgs),
    /// Erase a person by one identifier from every table, reject and file
    Forget(forget::ForgetArgs),
    /// Show persons and their identifiers; merge or split them
    Identity(identity::IdentityArgs),
    /// Show the SQL functions
    Functions(functions::FunctionsArgs),
    /// Show the effective settings and where each comes from
    Config,
}

/// Runs the verb of the command line to its end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(if error.reason() == Reason::Configuration { MISUSED } else { FAILED })
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode> {
    let layers = layers(&cli)?;
    let config = layers.config()?;
    let serves = matches!(cli.verb, Verb::Serve(_));
    start_log(&config, if serves || layers.is_set("log") { &config.log } else { LOG_OF_VERBS })?;
    if matches!(cli.verb, Verb::Config) {
        config::run(&layers);
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("henna-io")
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| Error::of(Reason::Io, error))?;
    let outcome = runtime.block_on(dispatch(cli.verb, &config));
    // A blocking read of standard input must not hold the program back.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(verb: Verb, config: &Config) -> Result<ExitCode> {
    match verb {
        Verb::Init(args) => init::run(args, config).await,
        Verb::Load(args) => load::run(args, config).await,
        Verb::Demo(args) => demo::run(args, config).await,
        Verb::Serve(_) => serve::run(config).await,
        Verb::Sql(args) => sql::run(args, config).await,
        Verb::Check => check::run(config).await,
        Verb::Sources(args) => sources::run(args, config).await,
        Verb::Rejects(args) => rejects::run(args, config).await,
        Verb::Dataset(args) => dataset::run(args, config).await,
        Verb::Compact(args) => compact::run(args, config).await,
        Verb::Vacuum(args) => vacuum::run(args, config).await,
        Verb::Expire(args) => expire::run(args, config).await,
        Verb::Backup(args) => backup::back_up(args, config).await,
        Verb::Restore(args) => backup::restore(args, config).await,
        Verb::Forget(args) => forget::run(args, config).await,
        Verb::Identity(args) => identity::run(args, config).await,
        Verb::Functions(args) => functions::run(args),
        Verb::Config => Ok(ExitCode::SUCCESS),
    }
}

fn layers(cli: &Cli) -> Result<Layers> {
    let mut layers = Layers::read(Path::new("."), std::env::vars())?;
    let serve = match &cli.verb {
        Verb::Serve(args) => Some(args),
        Verb::Demo(args) => Some(&args.serve),
        _ => None,
    };
    let flags = [
        ("lake", cli.common.lake.as_ref()),
        ("log", cli.common.log.as_ref()),
        ("listen", serve.and_then(|args| args.listen.as_ref())),
        ("web", serve.and_then(|args| args.web.as_ref())),
    ];
    for (key, value) in flags {
        if let Some(value) = value {
            layers.flag(key, value)?;
        }
    }
    Ok(layers)
}

fn start_log(config: &Config, filter: &str) -> Result<()> {
    let filter = filter.parse::<tracing_subscriber::EnvFilter>().map_err(|error| {
        Error::new(Reason::Configuration, format!("setting log: '{filter}' is not a filter: {error}"))
    })?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    let started = match config.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| Error::new(Reason::Internal, error.to_string()))
}

/// How the settings let a lake use the machine.
fn limits(config: &Config) -> Limits {
    Limits {
        memory_bytes: config.memory_max.0.and_then(|bytes| usize::try_from(bytes).ok()),
        spill_bytes: config.spill_max.0,
        threads: config.threads,
        audit_retention: config.audit_retention.0,
        query_log_retention: config.query_log_retention.0,
    }
}

/// The table that a name means, in schema public unless it says another; all tables where there is no name. Each as SQL
/// names it, with where it lies.
async fn tables(lake: &Lake, name: Option<&str>) -> Result<Vec<(String, TableName)>> {
    let mut tables = lake.tables().await?;
    let Some(name) = name else { return Ok(tables) };
    let wanted = if name.contains('.') { name.to_owned() } else { format!("{PUBLIC}.{name}") };
    tables.retain(|(shown, _)| *shown == wanted);
    if tables.is_empty() {
        return Err(Error::new(Reason::UndefinedTable, format!("table \"{name}\" does not exist")));
    }
    Ok(tables)
}

/// The error, its causes and the hint, to standard error.
fn report(error: &Error) {
    eprintln!("henna: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    if let Some(detail) = error.detail() {
        eprintln!("  detail: {detail}");
    }
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {hint}");
    }
}
