//! A wider sweep over statements that real clients send, in a folder that HENNA_CLIENTS_DIR names.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::Shop;

/// What a client sends to change something, or to steer its session: not for the catalog.
const OTHER: &[&str] = &[
    "create",
    "drop",
    "alter",
    "insert",
    "update",
    "delete",
    "truncate",
    "begin",
    "start",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "declare",
    "fetch",
    "move",
    "close",
    "copy",
    "prepare",
    "execute",
    "deallocate",
    "discard",
    "analyze",
    "comment",
    "lock",
    "listen",
    "unlisten",
    "vacuum",
    "end",
    "grant",
    "set",
    "reset",
    "show",
    "explain",
];

/// The statements of a file: text that follows a line `-- [kind]`, up to a line `;`.
fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<Vec<&str>> = None;
    for line in text.lines() {
        match &mut current {
            None if line.starts_with("-- [") && !line.contains("parse") && !line.contains("fastpath") => {
                current = Some(Vec::new())
            }
            None => {}
            Some(lines) if line == ";" => {
                found.push(lines.join("\n").trim().to_owned());
                current = None;
            }
            Some(lines)
                if lines.is_empty() && (line.starts_with("-- parameters") || line.starts_with("-- reference")) => {}
            Some(lines) => lines.push(line),
        }
    }
    found
}

fn concerns_catalog(sql: &str) -> bool {
    let text = sql.to_lowercase();
    let first = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    !OTHER.contains(&first) && !text.contains('$') && (text.contains("pg_") || text.contains("information_schema"))
}

#[tokio::test]
async fn every_catalog_statement_of_real_clients_is_answered() {
    let Ok(folder) = std::env::var("HENNA_CLIENTS_DIR") else {
        eprintln!("skipped: HENNA_CLIENTS_DIR names no folder of captured statements");
        return;
    };
    let only = std::env::var("HENNA_CLIENTS_ONLY").unwrap_or_default();
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut answered = 0;
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "sql")) {
        let client = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !only.is_empty() && !only.split(',').any(|name| name == client) {
            continue;
        }
        let shop = Shop::open();
        let mut seen = HashSet::new();
        for sql in statements(&std::fs::read_to_string(path).unwrap()) {
            if !concerns_catalog(&sql) || !seen.insert(sql.clone()) {
                continue;
            }
            match shop.query(&sql).await {
                Ok(_) => answered += 1,
                Err(error) => {
                    let told = error.split("\n  rewritten").next().unwrap_or_default();
                    let first = told.lines().collect::<Vec<_>>().join(" ").chars().take(300).collect();
                    failures.entry(first).or_default().push(format!("{client}: {sql}\n{error}"));
                }
            }
        }
    }
    for (error, examples) in &failures {
        eprintln!("{} x {error}\n  e.g. {}\n", examples.len(), examples.first().map_or("", String::as_str));
    }
    let failed: usize = failures.values().map(Vec::len).sum();
    eprintln!("{answered} answered, {failed} failed");
    assert_eq!(failed, 0);
}
