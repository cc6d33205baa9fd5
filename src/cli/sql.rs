//! `henna sql`: SQL in this process, without a server.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::output::{Format, write_rows};
use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::query::{ADMIN, Answer, Lake, Session, Statement};

const HISTORY: &str = ".henna_history";

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Run these statements
    #[arg(short = 'c', long = "command", value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,
    /// Run the statements of a file; - is standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Run as this role
    #[arg(long = "as", value_name = "ROLE", default_value = ADMIN)]
    role: String,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub async fn run(args: SqlArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let session = lake.session(lake.principal(&args.role)?).await?;
    match (args.command, args.file) {
        (Some(text), _) => run_command(&session, &text, args.format).await?,
        (None, Some(path)) => run_script(&session, &read(&path)?, args.format).await?,
        (None, None) if std::io::stdin().is_terminal() => prompt(&session, args.format).await?,
        (None, None) => run_script(&session, &read(&PathBuf::from("-"))?, args.format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &PathBuf) -> Result<String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|found| text = found)
    };
    read.map_err(|error| Error::new(Reason::FileMissing, format!("{}: {error}", path.display())))?;
    Ok(text)
}

/// One transaction, as psql's -c and one message of the wire are.
pub async fn run_command(session: &Session, text: &str, format: Format) -> Result<()> {
    let statements = session.parse(text)?;
    let ran = async {
        for statement in &statements {
            if statements.len() > 1 {
                session.begin_implicit()?;
            }
            run_one(session, statement, format).await?;
        }
        Ok(())
    };
    match ran.await {
        Ok(()) => session.end_implicit().await,
        Err(error) => {
            session.abandon_implicit().await?;
            Err(error)
        }
    }
}

/// Each statement by itself, as psql's -f has it.
async fn run_script(session: &Session, text: &str, format: Format) -> Result<()> {
    for statement in &session.parse(text)? {
        run_one(session, statement, format).await?;
    }
    Ok(())
}

async fn run_one(session: &Session, statement: &Statement, format: Format) -> Result<()> {
    let prepared = session.prepare(statement, &[]).await?;
    let answer = session.run(&prepared, Vec::new()).await;
    for notice in session.take_notices() {
        eprintln!("{}: {}", notice.severity, notice.message);
    }
    match answer? {
        Answer::Rows { stream, schema, guard, .. } => guard.run(write_rows(stream, schema, format)).await??,
        Answer::Done { tag } => eprintln!("{tag}"),
        Answer::CopyIn(_) => return Err(Answer::no_copy_here()),
        Answer::Empty => {}
    }
    Ok(())
}

/// Reads statements, each up to its semicolon, until end of input.
async fn prompt(session: &Session, format: Format) -> Result<()> {
    let unreadable = |error: ReadlineError| Error::new(Reason::Io, error.to_string());
    let mut editor = DefaultEditor::new().map_err(unreadable)?;
    let history = std::env::home_dir().map(|home| home.join(HISTORY));
    if let Some(path) = &history {
        // A first run has no history.
        let _ = editor.load_history(path);
    }
    let mut text = String::new();
    loop {
        match editor.readline(if text.is_empty() { "henna=> " } else { "henna-> " }) {
            Ok(line) if text.is_empty() && ["\\q", "exit", "quit"].contains(&line.trim()) => break,
            Ok(line) => {
                text.push_str(&line);
                text.push('\n');
                if line.trim_end().ends_with(';') {
                    // The history is a convenience: a line that it cannot keep is still run.
                    let _ = editor.add_history_entry(text.trim());
                    if let Err(error) = run_script(session, &std::mem::take(&mut text), format).await {
                        super::report(&error);
                    }
                }
            }
            Err(ReadlineError::Interrupted) => text.clear(),
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unreadable(error)),
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(())
}
