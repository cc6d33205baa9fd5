//! `henna check`: verifies what lies in the lake.

use std::process::ExitCode;

use super::FAILED;
use crate::config::Config;
use crate::error::Result;
use crate::lake::Severity;
use crate::query::Lake;

pub async fn run(config: &Config) -> Result<ExitCode> {
    let lake = Lake::open_with(&config.lake, super::limits(config)).await?;
    let mut faults: u64 = 0;
    let mut findings = lake.store().check().await?;
    findings.extend(lake.check_objects().await?);
    for finding in findings {
        let word = match finding.severity {
            Severity::Info => "note",
            Severity::Fault => {
                faults += 1;
                "FAULT"
            }
        };
        println!("{word}  {}: {}", finding.path, finding.message);
    }
    if let Some(record) = lake.security().check().await? {
        faults += 1;
        println!("FAULT  security log: record {record} is damaged; every table is locked");
    }
    let audit = lake.audit().check().await?;
    for fault in &audit.faults {
        println!("FAULT  audit log: {fault}");
    }
    if audit.further > 0 {
        println!("FAULT  audit log: {} more", audit.further);
    }
    faults += audit.faults.len() as u64 + audit.further;
    if audit.records > 0 {
        println!("note  audit log: {} records, the newest is {} {}", audit.records, audit.head.number, audit.head.hash);
    }
    if faults > 0 {
        println!("{faults} faults");
        return Ok(ExitCode::from(FAILED));
    }
    println!("the lake {} is sound", config.lake);
    Ok(ExitCode::SUCCESS)
}
