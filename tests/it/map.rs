//! Who may import whom: the rooms of src/, and the one room of each foreign crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What every room may name.
const GROUND: &[&str] = &["error", "config", "sql", "plans"];

/// A room and the rooms that it may name, beside itself and the ground.
const ROOMS: &[(&str, &[&str])] = &[
    ("cli", &["web", "wire", "query", "access", "ingest", "dataset", "lake"]),
    ("wire", &["query", "access", "dataset", "forms"]),
    ("web", &["query", "access", "dataset", "ingest"]),
    ("query", &["catalog", "functions", "access", "lake", "ingest", "dataset"]),
    ("catalog", &["functions", "forms", "access", "dataset", "lake"]),
    ("functions", &["forms", "dataset"]),
    ("forms", &[]),
    ("ingest", &["dataset", "lake"]),
    ("access", &[]),
    ("lake", &[]),
    ("dataset", &[]),
    ("error", &[]),
    ("config", &[]),
    ("sql", &[]),
    ("plans", &[]),
];

/// Foreign crates that one room alone may name.
const CRATES: &[(&str, &[&str])] = &[
    ("pgwire", &["wire"]),
    ("axum", &["web"]),
    ("deltalake", &["lake"]),
    ("object_store", &["lake"]),
    ("clap", &["cli"]),
    ("rustyline", &["cli"]),
    ("indicatif", &["cli"]),
    ("calamine", &["ingest"]),
    ("zip", &["ingest"]),
    ("henna_udfs", &["query", "plans"]),
];

/// Files under src/ by room; `main.rs` and `lib.rs` are the roof and belong to none.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let room = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
                let text = code(&std::fs::read_to_string(&path).unwrap());
                found.push((room, inside.to_owned(), text));
            }
        }
    }
    found.retain(|(room, ..)| room != "main" && room != "lib");
    found
}

/// The text without its comments and without its unit tests, which may look further.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let body = body.split("\nmod tests {").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What follows `prefix` up to the end of the name, wherever `prefix` begins a path.
fn names_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let begins = !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':');
        let rest = &text[at + prefix.len()..];
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        begins.then(|| &rest[..end])
    })
}

#[test]
fn a_room_names_only_the_rooms_beneath_it() {
    let rules: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut faults = Vec::new();
    for (room, path, text) in sources() {
        let Some(allowed) = rules.get(room.as_str()) else {
            faults.push(format!("{}: room {room} is not on the map", path.display()));
            continue;
        };
        for named in names_after(&text, "crate::") {
            let is_room = rules.contains_key(named);
            if is_room && named != room && !GROUND.contains(&named) && !allowed.contains(&named) {
                faults.push(format!("{}: {room} names {named}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_foreign_crate_has_one_room() {
    let mut faults = Vec::new();
    for (room, path, text) in sources() {
        for (name, rooms) in CRATES {
            if !rooms.contains(&room.as_str()) && names_after(&text, &format!("{name}::")).next().is_some() {
                faults.push(format!("{}: {name} belongs to {}", path.display(), rooms.join(", ")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_functions_name_nothing_of_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let depends = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(!depends.lines().any(|line| line.starts_with("henna")), "{depends}");
    for heavy in ["\ndatafusion =", "\ndatafusion.", "\ntokio", "\nobject_store"] {
        assert!(!depends.contains(heavy), "udfs depends on {}", heavy.trim());
    }
}
