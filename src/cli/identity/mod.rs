//! `henna identity`: what the lake knows of persons, and what an operator does about it.

mod statistics;
mod told;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::told::Told;
use crate::access::{AuditEvent, AuditKind};
use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::ingest::Loader;
use crate::ingest::person::Who;
use crate::query::Lake;

/// As type of an identifier: the value is a person's number.
const NUMBER: &str = "one_id";

#[derive(Debug, Args)]
pub struct IdentityArgs {
    #[command(subcommand)]
    verb: Option<IdentityVerb>,
}

#[derive(Debug, Subcommand)]
enum IdentityVerb {
    /// Count persons, identifiers, merges and shared identifiers
    Stats {
        /// Count the persons with more identifiers than this
        #[arg(long, value_name = "N", default_value_t = statistics::MANY)]
        more_than: u64,
    },
    /// Show a person: by its number, or by type and value of an identifier (as files have it, or its hash)
    Show {
        #[arg(required = true, num_args = 1..=2, value_names = ["ONE_ID | TYPE", "VALUE"])]
        who: Vec<String>,
        #[arg(long)]
        json: bool,
    },
    /// Make one person of several; the oldest number stays
    Merge {
        #[arg(required = true, num_args = 2.., value_name = "ONE_ID")]
        persons: Vec<i64>,
    },
    /// Take identifiers off a person, to whom they were joined wrongly; `one_id NUMBER` takes off a number that was merged into it
    Split {
        #[arg(value_name = "ONE_ID")]
        person: i64,
        #[arg(required = true, num_args = 2.., value_names = ["TYPE", "VALUE"])]
        identifiers: Vec<String>,
    },
}

pub async fn run(args: IdentityArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let loader = Loader::new(lake.store().clone(), lake.dataset());
    let told = Told::of(&lake).await?;
    match args.verb.unwrap_or(IdentityVerb::Stats { more_than: statistics::MANY }) {
        IdentityVerb::Stats { more_than } => statistics::run(&lake, more_than).await?,
        IdentityVerb::Show { who, json } => {
            let who = match who.as_slice() {
                [number] => Who::Number(parsed(number)?),
                [id_type, value] => named(id_type, value)?,
                _ => return Err(unpaired()),
            };
            let person = loader.show_person(&who).await?;
            if json {
                println!("{}", told.json(&person));
            } else {
                told.person(&person);
            }
        }
        IdentityVerb::Merge { persons } => {
            let joined = loader.merge_persons(&persons).await?;
            record(&lake, "IDENTITY MERGE").await;
            told.joined(&joined);
        }
        IdentityVerb::Split { person, identifiers } => {
            let named = identifiers.chunks(2).map(|pair| match pair {
                [id_type, value] => named(id_type, value),
                _ => Err(unpaired()),
            });
            let split = loader.split_person(person, &named.collect::<Result<Vec<_>>>()?).await?;
            record(&lake, "IDENTITY SPLIT").await;
            told.split(&split);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(id_type: &str, value: &str) -> Result<Who> {
    // A column of a file is named id_phone, its type phone.
    let id_type = id_type.strip_prefix("id_").unwrap_or(id_type);
    match id_type {
        NUMBER => Ok(Who::Number(parsed(value)?)),
        _ => Ok(Who::Identifier { id_type: id_type.to_owned(), value: value.to_owned() }),
    }
}

fn parsed(number: &str) -> Result<i64> {
    let invalid = || Error::new(Reason::Configuration, format!("'{number}' is not the number of a person"));
    number.parse().map_err(|_| invalid().with_hint("name a person by one_id, or by TYPE VALUE of an identifier"))
}

fn unpaired() -> Error {
    Error::new(Reason::Configuration, "identifiers come as pairs of TYPE and VALUE")
}

/// Whose identity it was is not told.
async fn record(lake: &Lake, command: &str) {
    lake.audit().record(AuditEvent {
        command: command.to_owned(),
        sqlstate: Some("00000".to_owned()),
        ..AuditEvent::now(AuditKind::Statement)
    });
    lake.audit().flush().await;
}
