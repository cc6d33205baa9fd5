//! `henna forget`: erases a person.

use std::process::ExitCode;

use clap::Args;

use super::FAILED;
use crate::access::{AuditEvent, AuditKind};
use crate::config::Config;
use crate::error::Result;
use crate::ingest::Loader;
use crate::query::Lake;

#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// Type of the identifier, such as phone: the name of its column without id_
    id_type: String,
    /// The identifier as files have it
    value: String,
}

pub async fn run(args: ForgetArgs, config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let forgotten = Loader::new(lake.store().clone(), lake.dataset()).forget(&args.id_type, &args.value).await?;
    // Whose it was is not told: it is forgotten.
    lake.audit().record(AuditEvent {
        command: "FORGET".to_owned(),
        tables: forgotten.rows.iter().map(|(table, _)| table.to_string()).collect(),
        rows: Some(forgotten.rows.iter().map(|(_, rows)| rows).sum()),
        sqlstate: Some("00000".to_owned()),
        ..AuditEvent::now(AuditKind::Statement)
    });
    lake.audit().flush().await;
    for (table, rows) in &forgotten.rows {
        println!("{table}: {rows} rows erased");
    }
    println!("{} files of earlier versions were taken away", forgotten.files);
    if forgotten.persons.is_empty() {
        println!("nobody has this identifier");
        return Ok(ExitCode::from(FAILED));
    }
    println!("the person is forgotten; copies outside of this lake, such as backups, are not");
    Ok(ExitCode::SUCCESS)
}
