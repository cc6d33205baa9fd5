//! The program: reads the command line, runs one verb, prints the error and its causes, returns an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    henna::cli::run()
}
