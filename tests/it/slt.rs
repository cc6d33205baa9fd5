//! Every file of tests/slt runs in this process and over the wire, with equal answers.
//!
//! The first line may name the role: `# user: tmall`; it is `hq` otherwise. An error reads `SQLSTATE: message`, so
//! `statement error 42P01: .* does not exist` states both. NULL is `NULL`, an empty text `(empty)`.
//!
//! The files of row_security, privileges and transactions run against a fresh copy of tests/postgres/dataset instead of the demo's lake, and
//! tests/postgres/compare.py runs them against PostgreSQL: what is `onlyif postgres` there is none of ours.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use super::support::{Door, House, Refusal, Rows, run};

/// What was asked and what came of it.
type Told = Arc<Mutex<Vec<(String, Result<Rows, Refusal>)>>>;

struct Client {
    door: Door,
    told: Told,
}

#[async_trait]
impl AsyncDB for Client {
    type Error = Refusal;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refusal> {
        let answer = self.door.ask(sql).await;
        self.told.lock().unwrap().push((sql.to_owned(), answer.clone()));
        let rows = answer?;
        let types = vec![DefaultColumnType::Any; rows.first().map_or(0, Vec::len)];
        let cell = |cell: Option<String>| match cell {
            None => "NULL".to_owned(),
            Some(text) if text.is_empty() => "(empty)".to_owned(),
            Some(text) => text,
        };
        let rows = rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            found.push(path);
        }
    }
}

fn user(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let first = text.lines().next().and_then(|line| line.strip_prefix("# user:"));
    first.map_or("hq", str::trim).to_owned()
}

/// Whether PostgreSQL answers the same file.
fn is_beside_postgres(path: &Path) -> bool {
    const FOLDERS: [&str; 3] = ["row_security", "privileges", "transactions"];
    path.parent().is_some_and(|folder| FOLDERS.iter().any(|name| folder.ends_with(name)))
}

async fn through(door: &str, path: &Path) -> Result<Vec<(String, Result<Rows, Refusal>)>, String> {
    let (shared, own);
    let house = if is_beside_postgres(path) {
        own = House::sales().await;
        &own
    } else {
        shared = House::shared().await;
        shared
    };
    let (user, told) = (user(path), Told::default());
    let client = || async {
        let door = match door {
            "wire" => Door::Wire(house.wire(&user).await),
            _ => Door::InProcess(Box::new(house.in_process(&user).await)),
        };
        Ok(Client { door, told: Arc::clone(&told) })
    };
    let mut runner = Runner::new(client);
    runner.add_label("henna");
    let outcome = runner.run_file_async(path).await.map_err(|error| format!("{door}: {error}"));
    drop(runner);
    outcome.map(|()| std::mem::take(&mut *told.lock().unwrap()))
}

#[test]
fn every_slt_file_gives_the_same_answers_in_process_and_over_the_wire() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt"), &mut paths);
    let only = std::env::var("SLT").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&only));
    assert!(!paths.is_empty());
    let mut faults = Vec::new();
    for path in &paths {
        let (wire, in_process) = run(async { (through("wire", path).await, through("process", path).await) });
        match (wire, in_process) {
            (Ok(wire), Ok(in_process)) => {
                for (wire, in_process) in wire.iter().zip(&in_process) {
                    if wire != in_process {
                        faults.push(format!("the doors differ: wire {wire:?}\nprocess {in_process:?}"));
                    }
                }
            }
            (wire, in_process) => faults.extend([wire.err(), in_process.err()].into_iter().flatten()),
        }
    }
    assert!(faults.is_empty(), "{} of {} files\n{}", faults.len(), paths.len(), faults.join("\n"));
}
