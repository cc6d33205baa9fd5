//! Persons on the terminal, or as JSON.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::{Value, json};

use crate::error::Result;
use crate::ingest::person::{Identifier, Joined, Person, Split};
use crate::lake::TableName;
use crate::query::Lake;

/// Tells of persons with times in the zone of the lake, and tables as SQL names them.
pub struct Told {
    zone: chrono_tz::Tz,
    tables: BTreeMap<TableName, String>,
}

impl Told {
    pub async fn of(lake: &Lake) -> Result<Self> {
        let zone = lake.dataset().time_zone.parse().unwrap_or(chrono_tz::UTC);
        let tables = lake.tables().await?.into_iter().map(|(shown, name)| (name, shown)).collect();
        Ok(Self { zone, tables })
    }

    pub fn person(&self, person: &Person) {
        println!("person {}", person.one_id);
        for merged in &person.merged {
            let source = merged.source.as_deref().unwrap_or("an unknown source");
            println!("  {} became {} on {} by {source}", merged.number, merged.into, self.minute(merged.at_us));
        }
        for other in &person.parted_from {
            println!("  parted from {other}: no load joins the two");
        }
        if !person.identifiers.is_empty() {
            println!("identifiers");
        }
        for identifier in &person.identifiers {
            println!("  {}", self.identifier(identifier, person.one_id));
        }
        if person.rows.is_empty() {
            println!("no rows");
            return;
        }
        println!("rows");
        for (table, rows) in &person.rows {
            println!("  {}: {}", self.table(table), counted(rows, person.one_id));
        }
    }

    fn identifier(&self, identifier: &Identifier, one_id: i64) -> String {
        let Identifier { id_type, id_value, number, first_seen_us, last_seen_us, source, shared } = identifier;
        let seen = format!("{} to {}", self.minute(*first_seen_us), self.minute(*last_seen_us));
        let source = source.as_deref().unwrap_or("-");
        let under = if *number == one_id { String::new() } else { format!(", stored under {number}") };
        let shared = shared.map(|others| format!(", shared by {others} others at least: joins nobody any more"));
        format!("{id_type:<16} {id_value}  {seen}  {source}{under}{}", shared.unwrap_or_default())
    }

    pub fn json(&self, person: &Person) -> Value {
        let time = |at_us: Option<i64>| at_us.and_then(DateTime::from_timestamp_micros).map(|at| at.to_rfc3339());
        let identifier = |identifier: &Identifier| {
            json!({
                "id_type": identifier.id_type, "id_value": identifier.id_value, "one_id": identifier.number,
                "first_seen": time(identifier.first_seen_us), "last_seen": time(identifier.last_seen_us),
                "source": identifier.source, "shared_by": identifier.shared,
            })
        };
        let merged = person.merged.iter().map(
            |merged| json!({ "one_id": merged.number, "into": merged.into, "at": time(merged.at_us), "source": merged.source }),
        );
        let rows = person.rows.iter().map(|(table, rows)| (self.table(table), Value::from(rows.values().sum::<u64>())));
        json!({
            "one_id": person.one_id,
            "identifiers": person.identifiers.iter().map(identifier).collect::<Vec<_>>(),
            "merged": merged.collect::<Vec<_>>(),
            "parted_from": person.parted_from,
            "rows": rows.collect::<serde_json::Map<String, Value>>(),
        })
    }

    pub fn joined(&self, Joined { one_id, joined }: &Joined) {
        match joined.len() {
            0 => println!("they are person {one_id} already"),
            1 => println!("{} is now person {one_id}, in every table", listed(joined)),
            _ => println!("{} are now person {one_id}, in every table", listed(joined)),
        }
    }

    pub fn split(&self, split: &Split) {
        let Split { one_id, to, is_new, identifiers, undone, rows, left } = split;
        let state = if *is_new { "a new person" } else { "itself again" };
        println!("{identifiers} identifiers of person {one_id} are now those of {to}, {state}");
        for (table, rows) in rows {
            println!("  {}: {} went with them", self.table(table), counted(rows, *to));
        }
        if rows.is_empty() {
            println!("no rows went with them");
        }
        let others = if undone.is_empty() { "loaded for them" } else { "that came for them after the merge" };
        println!("rows {others} stay with {one_id}: a row names its person alone, and cannot be told apart");
        println!("a newer version of such a row that is loaded with its identifiers goes to the right person");
        for number in left {
            println!("{number} stays merged into {one_id}: henna identity split {one_id} one_id {number} undoes it");
        }
        println!("no load joins the two again: henna identity merge {one_id} {to} does");
    }

    fn table(&self, name: &TableName) -> String {
        self.tables.get(name).cloned().unwrap_or_else(|| name.to_string())
    }

    fn minute(&self, at_us: Option<i64>) -> String {
        let at = at_us.and_then(DateTime::from_timestamp_micros);
        at.map_or_else(|| "-".to_owned(), |at| at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string())
    }
}

/// `7 rows (2 of them stored under 5)`.
fn counted(rows: &BTreeMap<i64, u64>, one_id: i64) -> String {
    let total: u64 = rows.values().sum();
    let others: Vec<String> = rows
        .iter()
        .filter(|(number, _)| **number != one_id)
        .map(|(number, rows)| format!("{rows} under {number}"))
        .collect();
    if others.is_empty() { format!("{total} rows") } else { format!("{total} rows (stored: {})", others.join(", ")) }
}

fn listed(numbers: &BTreeSet<i64>) -> String {
    numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
