//! What another text of a dataset changes for a lake that goes by this one, and what a lake cannot follow.

use std::collections::BTreeMap;
use std::fmt;

use super::contract::{Column, Contract, Retention};
use super::files::DatasetFile;
use super::folder::Dataset;
use super::settings;
use super::view::ViewFile;

/// Texts that are told of by their path, because what they say is not compared.
const FOLDERS: [&str; 3] = ["sources/", "boards/", "sample/"];
const FILES: [&str; 1] = ["demo.sql"];

/// What became of a text or a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    New,
    Changed,
    Gone,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        })
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Table {
        table: String,
        columns: usize,
    },
    Column {
        table: String,
        column: Column,
    },
    /// NOT NULL is taken off.
    Nullable {
        table: String,
        column: String,
    },
    /// What holds for rows that come: defaults, checks, references, order, comments.
    Rules {
        table: String,
    },
    /// Rows that are there may go by it.
    Retention {
        table: String,
        retention: Option<Retention>,
    },
    View {
        schema: String,
        name: String,
        turn: Turn,
    },
    /// dataset.toml, but for its tables.
    Settings,
    Text {
        path: String,
        turn: Turn,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { table, columns } => write!(f, "table {table}: new, with {columns} columns"),
            Self::Column { table, column } => {
                write!(f, "table {table}: column {} {} is new; ", column.name, column.sql_type)?;
                match &column.default {
                    None => f.write_str("rows that are there have no value in it"),
                    Some(default) => write!(f, "rows that are there get {default}"),
                }
            }
            Self::Nullable { table, column } => write!(f, "table {table}: column {column} may be null from now on"),
            Self::Rules { table } => write!(f, "table {table}: other rules for rows that come"),
            Self::Retention { table, retention: Some(kept) } => {
                write!(f, "table {table}: rows are kept for {kept}; older ones are taken away")
            }
            Self::Retention { table, retention: None } => write!(f, "table {table}: rows are kept for ever"),
            Self::View { schema, name, turn } => write!(f, "view {schema}.{name}: {turn}"),
            Self::Settings => write!(f, "{}: changed", settings::PATH),
            Self::Text { path, turn } => write!(f, "{path}: {turn}"),
        }
    }
}

/// What a lake with rows cannot follow, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub what: String,
    pub advice: &'static str,
}

/// From one text of a dataset to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    pub changes: Vec<Change>,
    pub refusals: Vec<Refusal>,
}

impl Difference {
    pub fn between(from: &Dataset, to: &Dataset) -> Self {
        let mut found = Self::default();
        found.names(from, to);
        for table in &to.contracts {
            match from.contract(&table.name) {
                None => {
                    let (table, columns) = (table.name.clone(), table.columns.len());
                    found.changes.push(Change::Table { table, columns });
                }
                Some(before) => found.table(before, table),
            }
        }
        for table in from.contracts.iter().filter(|table| to.contract(&table.name).is_none()) {
            let advice = "leave its file in tables/: what is no longer loaded costs nothing";
            found.refuse(format!("table {} is gone", table.name), advice);
        }
        found.views(&from.views, &to.views);
        found.texts(&from.files, &to.files);
        found
    }

    fn refuse(&mut self, what: String, advice: &'static str) {
        self.refusals.push(Refusal { what, advice });
    }

    fn names(&mut self, from: &Dataset, to: &Dataset) {
        if from.name != to.name {
            let advice = "make a lake of its own with henna init --dataset";
            self.refuse(format!("the lake is of dataset '{}', this is '{}'", from.name, to.name), advice);
        }
        if from.time_zone != to.time_zone {
            let what = format!("time_zone is {}, was {}", to.time_zone, from.time_zone);
            self.refuse(what, "rows were read by the old zone: make a new lake and load the files again");
        }
        let settings = |dataset: &Dataset| {
            let Dataset { title, as_of, as_of_columns, identity_shared_max, .. } = dataset;
            (title.clone(), *as_of, as_of_columns.clone(), *identity_shared_max)
        };
        if settings(from) != settings(to) {
            self.changes.push(Change::Settings);
        }
    }

    fn table(&mut self, before: &Contract, now: &Contract) {
        let table = &now.name;
        let of = |column: &str| format!("table {table}: column {column}");
        for column in &before.columns {
            match now.column(&column.name) {
                None => {
                    let advice = "leave it in the contract and load no values, or hide it by a view";
                    self.refuse(format!("{} is gone", of(&column.name)), advice);
                }
                Some(found) if found.sql_type != column.sql_type => {
                    let what = format!("{} is {}, was {}", of(&column.name), found.sql_type, column.sql_type);
                    self.refuse(what, "add a column of another name with the new type, and keep this one as it is");
                }
                Some(found) if column.nullable && !found.nullable => {
                    let advice =
                        "rows that are there may have no value: CHECK (... IS NOT NULL) holds for rows that come";
                    self.refuse(format!("{} is NOT NULL, was not", of(&column.name)), advice);
                }
                Some(found) if found.nullable && !column.nullable => {
                    self.changes.push(Change::Nullable { table: table.clone(), column: column.name.clone() });
                }
                Some(_) => {}
            }
        }
        for column in now.columns.iter().filter(|column| before.column(&column.name).is_none()) {
            if !column.nullable && column.default.is_none() {
                let advice = "give it a DEFAULT for the rows that are there, or let it be null";
                self.refuse(format!("{} is new and NOT NULL", of(&column.name)), advice);
            }
            self.changes.push(Change::Column { table: table.clone(), column: column.clone() });
        }
        self.layout(before, now);
        if before.retention != now.retention {
            self.changes.push(Change::Retention { table: table.clone(), retention: now.retention.clone() });
        }
        if rules(before, now) != rules(now, before) {
            self.changes.push(Change::Rules { table: table.clone() });
        }
    }

    fn layout(&mut self, before: &Contract, now: &Contract) {
        let table = &now.name;
        let advice = "rows lie by the old one: make a table of another name and load its files again";
        if before.primary_key != now.primary_key {
            let shown = |key: &[String]| if key.is_empty() { "none".to_owned() } else { key.join(", ") };
            let (key, old) = (shown(&now.primary_key), shown(&before.primary_key));
            self.refuse(format!("table {table}: the primary key is {key}, was {old}"), advice);
        }
        if before.version != now.version {
            self.refuse(format!("table {table}: the version column of {} is another one", settings::PATH), advice);
        }
        if before.partition != now.partition {
            self.refuse(format!("table {table}: the partition of {} is another one", settings::PATH), advice);
        }
    }

    fn views(&mut self, before: &[ViewFile], now: &[ViewFile]) {
        let key = |view: &ViewFile| (view.schema.clone(), view.name.clone());
        let of = |views: &[ViewFile]| views.iter().map(|view| (key(view), view.clone())).collect();
        for ((schema, name), turn) in turns(&of(before), &of(now)) {
            self.changes.push(Change::View { schema, name, turn });
        }
    }

    fn texts(&mut self, before: &[DatasetFile], now: &[DatasetFile]) {
        let is_told = |path: &str| FILES.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder));
        let of = |files: &[DatasetFile]| {
            let told = files.iter().filter(|file| is_told(&file.path));
            told.map(|file| (file.path.clone(), file.bytes.clone())).collect()
        };
        for (path, turn) in turns(&of(before), &of(now)) {
            self.changes.push(Change::Text { path, turn });
        }
    }
}

/// What holds for rows that come, in the columns that `other` has, too.
fn rules(contract: &Contract, other: &Contract) -> Contract {
    let shared = contract.columns.iter().filter(|column| other.column(&column.name).is_some());
    let mut columns: Vec<_> = shared.map(|column| Column { nullable: true, ..column.clone() }).collect();
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    Contract { columns, retention: None, ..contract.clone() }
}

fn turns<K: Ord + Clone, V: PartialEq>(before: &BTreeMap<K, V>, now: &BTreeMap<K, V>) -> Vec<(K, Turn)> {
    let gone = before.keys().filter(|key| !now.contains_key(key)).map(|key| (key.clone(), Turn::Gone));
    let come = now.iter().filter_map(|(key, value)| match before.get(key) {
        None => Some((key.clone(), Turn::New)),
        Some(old) if old != value => Some((key.clone(), Turn::Changed)),
        Some(_) => None,
    });
    come.chain(gone).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b integer)";

    fn dataset(table: &str, more: &[(&str, &str)]) -> Dataset {
        let files = [("tables/t.sql", table)].into_iter().chain(more.iter().copied());
        let file = |(path, text): (&str, &str)| DatasetFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        Dataset::parse("shop", files.map(file).collect()).unwrap()
    }

    fn told(table: &str, more: &[(&str, &str)]) -> Vec<String> {
        let before = dataset(TABLE, &[("marts/m.sql", "SELECT id FROM t"), ("boards/b.toml", "")]);
        let found = Difference::between(&before, &dataset(table, more));
        let changes = found.changes.iter().map(ToString::to_string);
        changes.chain(found.refusals.iter().map(|refusal| format!("! {}", refusal.what))).collect()
    }

    #[test]
    fn what_a_lake_can_follow_is_told_thing_by_thing() {
        let table =
            "CREATE TABLE t (id bigint PRIMARY KEY, n numeric(18,2) NOT NULL DEFAULT 0, a text, b integer, c date)";
        let more = [
            ("tables/u.sql", "CREATE TABLE u (a int, b int)"),
            ("marts/m.sql", "SELECT a FROM t"),
            ("views/v.sql", "SELECT 1"),
        ];
        assert_eq!(
            told(table, &more),
            [
                "table t: column a may be null from now on",
                "table t: column n numeric(18,2) is new; rows that are there get 0",
                "table t: column c date is new; rows that are there have no value in it",
                "table u: new, with 2 columns",
                "view mart.m: changed",
                "view public.v: new",
                "boards/b.toml: gone",
            ]
        );
    }

    #[test]
    fn what_would_lose_rows_or_their_meaning_is_refused() {
        let same = [("marts/m.sql", "SELECT id FROM t"), ("boards/b.toml", "")];
        assert_eq!(told(TABLE, &same), [] as [&str; 0]);
        for (table, refusal) in [
            ("CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL)", "! table t: column b is gone"),
            (
                "CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b bigint)",
                "! table t: column b is bigint, was integer",
            ),
            (
                "CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b integer NOT NULL)",
                "! table t: column b is NOT NULL, was not",
            ),
            (
                "CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b integer, c int NOT NULL)",
                "! table t: column c is new and NOT NULL",
            ),
            (
                "CREATE TABLE t (id bigint, a text NOT NULL, b integer, PRIMARY KEY (id, a))",
                "! table t: the primary key is id, a, was id",
            ),
        ] {
            assert!(told(table, &same).contains(&refusal.to_owned()), "{table}: {:?}", told(table, &same));
        }
        let before = dataset(TABLE, &[]);
        let zone = dataset(TABLE, &[("dataset.toml", "name = 'other'\ntime_zone = 'Asia/Shanghai'")]);
        let refusals = Difference::between(&before, &zone).refusals;
        assert_eq!(refusals[0].what, "the lake is of dataset 'shop', this is 'other'");
        assert_eq!(refusals[1].what, "time_zone is Asia/Shanghai, was UTC");
    }
}
