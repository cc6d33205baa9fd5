//! `henna functions`: the reference of the SQL functions.

use std::process::ExitCode;

use clap::Args;

use crate::error::{Error, Reason, Result};
use crate::query::functions::documented;

#[derive(Debug, Args)]
pub struct FunctionsArgs {
    /// Show this function in full
    name: Option<String>,
}

pub fn run(args: FunctionsArgs) -> Result<ExitCode> {
    let Some(name) = args.name else {
        for function in documented() {
            let summary = function.description.lines().next().unwrap_or_default();
            println!("{:<18} {:<10} {summary}", function.name, function.kind);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(function) = documented().iter().find(|function| function.name == name) else {
        return Err(Error::new(Reason::UndefinedFunction, format!("there is no function '{name}'"))
            .with_hint("henna functions lists them"));
    };
    println!("{}  ({})\n\n{}", function.syntax, function.kind, function.description);
    if !function.arguments.is_empty() {
        println!("\n{}", function.arguments.replace("; ", "\n"));
    }
    if let Some(example) = &function.example {
        println!("\n{example}");
    }
    Ok(ExitCode::SUCCESS)
}
