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

/// A statement and the values that its client gave for `$1`, `$2`, ...; `None` is NULL.
#[derive(Debug, Default, PartialEq, Eq, Hash, Clone)]
struct Sent {
    sql: String,
    values: Vec<Option<String>>,
}

/// The statements of a file: text that follows a line `-- [kind]`, up to a line `;`.
fn statements(text: &str) -> Vec<Sent> {
    let mut found = Vec::new();
    let mut current: Option<(Sent, Vec<&str>)> = None;
    for line in text.lines() {
        match &mut current {
            None if line.starts_with("-- [") && !line.contains("fastpath") => {
                current = Some((Sent::default(), Vec::new()));
            }
            None => {}
            Some((sent, lines)) if line == ";" => {
                found.push(Sent { sql: lines.join("\n").trim().to_owned(), values: std::mem::take(&mut sent.values) });
                current = None;
            }
            Some((sent, lines)) if lines.is_empty() && sent.values.is_empty() && line.starts_with("-- parameters") => {
                sent.values = values(line);
            }
            Some((_, lines)) if lines.is_empty() && line.starts_with("-- parameters") => {}
            Some((_, lines)) if lines.is_empty() && line.starts_with("-- reference") => {}
            Some((_, lines)) => lines.push(line),
        }
    }
    found
}

/// The values in `$1 = 'a', $2 = NULL`.
fn values(line: &str) -> Vec<Option<String>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(" = ") {
        rest = &rest[start + 3..];
        if let Some(quoted) = rest.strip_prefix('\'') {
            let mut value = String::new();
            let mut chars = quoted.char_indices().peekable();
            let mut end = quoted.len();
            while let Some((place, c)) = chars.next() {
                // A doubled quote is one of the text.
                if c != '\'' || chars.next_if(|(_, next)| *next == '\'').is_some() {
                    value.push(c);
                } else {
                    end = place;
                    break;
                }
            }
            rest = &quoted[end..];
            found.push(Some(value));
        } else {
            let word: String = rest.chars().take_while(|c| !matches!(c, ',' | ' ')).collect();
            found.push((word != "NULL" && word != "None").then_some(word));
        }
    }
    found
}

fn concerns_catalog(sql: &str) -> bool {
    let text = sql.to_lowercase();
    let first = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    !OTHER.contains(&first) && (text.contains("pg_") || text.contains("information_schema"))
}

/// What PostgreSQL named the columns of each statement, by client and text, where the folder tells it.
fn reference_names(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let Ok(text) = std::fs::read_to_string(folder.join("baseline.json")) else { return BTreeMap::new() };
    let told: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let names = |value: &serde_json::Value| {
        let columns = value.get("cols")?.as_array()?;
        columns.iter().map(|column| Some(column.get(0)?.as_str()?.to_owned())).collect::<Option<Vec<_>>>()
    };
    told.iter().filter_map(|(key, value)| Some((key.clone(), names(value)?))).collect()
}

#[tokio::test]
async fn every_catalog_statement_of_real_clients_is_answered() {
    let Ok(folder) = std::env::var("HENNA_CLIENTS_DIR") else {
        eprintln!("skipped: HENNA_CLIENTS_DIR names no folder of captured statements");
        return;
    };
    let folder = Path::new(&folder);
    let only = std::env::var("HENNA_CLIENTS_ONLY").unwrap_or_default();
    let reference = reference_names(folder);
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut answered = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "sql")) {
        let client = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !only.is_empty() && !only.split(',').any(|name| name == client) {
            continue;
        }
        let shop = Shop::open();
        let mut seen = HashSet::new();
        for sent in statements(&std::fs::read_to_string(path).unwrap()) {
            if !concerns_catalog(&sent.sql) || !seen.insert(sent.clone()) {
                continue;
            }
            let begin = std::time::Instant::now();
            let outcome = match shop.query_with(&sent.sql, &sent.values).await {
                Ok(table) => match reference.get(&format!("{client}|{}", sent.sql)) {
                    Some(names) if *names != table.names => {
                        Err(format!("columns named otherwise\n  here {:?}\n  there {names:?}", table.names))
                    }
                    _ => Ok(()),
                },
                Err(error) => Err(error),
            };
            if begin.elapsed().as_millis() > 1500 {
                eprintln!("slow: {} ms {client}: {}", begin.elapsed().as_millis(), sent.sql);
            }
            match outcome {
                Ok(()) => answered += 1,
                Err(error) => {
                    let told = error.split("\n  ").next().unwrap_or_default();
                    let first = told.lines().collect::<Vec<_>>().join(" ").chars().take(300).collect();
                    failures.entry(first).or_default().push(format!("{client}: {}\n{error}", sent.sql));
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
