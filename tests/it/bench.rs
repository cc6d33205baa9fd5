//! A new retail lake, and the program in front of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::{Ran, folder, henna, ran};

pub struct Bench {
    pub folder: tempfile::TempDir,
    pub lake: PathBuf,
}

impl Bench {
    pub fn new() -> Self {
        let folder = folder();
        let lake = folder.path().join("lake");
        ran(henna(&lake).arg("init")).ok();
        Self { folder, lake }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn command(&self) -> Command {
        henna(&self.lake)
    }

    pub fn load(&self, table: &str, file: &Path, more: &[&str]) -> Ran {
        ran(self.command().args(["load", table]).arg(file).args(more))
    }

    pub fn report(&self, table: &str, file: &Path) -> Value {
        self.report_of(table, file, &[])
    }

    pub fn report_of(&self, table: &str, file: &Path, more: &[&str]) -> Value {
        let told = self.load(table, file, &[&["--json"], more].concat()).ok().out;
        serde_json::from_str(told.trim()).unwrap_or_else(|error| panic!("{error}: {told}"))
    }

    /// Rows read, added, updated, duplicate, rejected of a load that takes any share of rejects.
    pub fn counts(&self, table: &str, file: &Path) -> [u64; 5] {
        let report = self.report_of(table, file, &["--reject-share-max", "1"]);
        let counts = ["rows_read", "rows_added", "rows_updated", "rows_duplicate", "rows_rejected"]
            .map(|key| report[key].as_u64().unwrap());
        assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "{report}");
        counts
    }

    /// The rows of a query as CSV lines.
    pub fn csv(&self, sql: &str) -> Vec<String> {
        let told = ran(self.command().args(["sql", "--format", "csv", "-c", sql])).ok().out;
        told.lines().skip(1).map(str::to_owned).collect()
    }

    pub fn orders(&self) -> Vec<String> {
        self.csv("SELECT order_id FROM orders ORDER BY order_id")
    }
}

/// Runs the program, and tells how much memory it held at its height.
pub fn measured(command: &mut Command) -> (Ran, u64) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let mut most_kib = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            most_kib = most_kib.max(line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        most_kib
    });
    let output = Ran::from(child.wait_with_output().unwrap());
    (output, watch.join().unwrap())
}
