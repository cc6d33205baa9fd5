//! What the log of a table still tells of rows that were erased: the least and greatest values of files that left it.
//!
//! A commit stays for ever, for it is the way to every version. What it says of the values in a file that is gone helps nobody:
//! that version cannot be read any more. Checkpoints before the newest are read by nobody and go.

use std::collections::HashSet;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};

use super::error::LakeError;
use super::store::{Store, commit_path};
use super::table::TableName;
use crate::error::Result;

impl Store {
    /// Takes away what the log tells of values in files that the newest version does not have. Gives the number of log files that
    /// were changed or went. For tables whose old files are gone.
    pub async fn clear_traces(&self, name: &TableName) -> Result<u64> {
        Ok(self.without_traces(name).await?)
    }

    async fn without_traces(&self, name: &TableName) -> Result<u64, LakeError> {
        let _turn = self.locks().hold(name).await?;
        let snapshot = self.newest(name).await?;
        let live: HashSet<&str> = snapshot.files.iter().map(|file| file.name.as_str()).collect();
        let log = Path::from(format!("{}/_delta_log", name.folder()));
        let listed: Vec<ObjectMeta> = self.object_store().list(Some(&log)).try_collect().await?;
        let mut changed = 0;
        for meta in listed.iter().filter(|meta| meta.location.extension() == Some("json")) {
            let bytes = self.object_store().get(&meta.location).await?.bytes().await?;
            if let Some(text) = without_bounds(&bytes, &live) {
                self.object_store().put(&meta.location, text.into()).await?;
                changed += 1;
            }
        }
        let old: Vec<&ObjectMeta> = listed.iter().filter(|meta| is_checkpoint(meta)).collect();
        if !old.is_empty() {
            // What is read instead of them must be there before they go.
            self.write_checkpoint(name).await?;
            self.renew(name).await?;
            let newest = format!("{:020}.", snapshot.version);
            let is_newest =
                |meta: &&&ObjectMeta| meta.location.filename().is_some_and(|file| file.starts_with(&newest));
            for meta in old.iter().filter(|meta| !is_newest(meta)) {
                self.object_store().delete(&meta.location).await?;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

impl Store {
    /// Writes the first commit anew as it is. What processes remember of a table is good while that file is the one that they
    /// have seen: they read the log anew, from the checkpoint that stays.
    async fn renew(&self, name: &TableName) -> Result<(), LakeError> {
        let first = commit_path(name, 0);
        let bytes = self.object_store().get(&first).await?.bytes().await?;
        self.object_store().put(&first, bytes.into()).await?;
        Ok(())
    }
}

fn is_checkpoint(meta: &ObjectMeta) -> bool {
    meta.location.filename().is_some_and(|file| file.contains(".checkpoint."))
}

/// A commit without the bounds of files that are not `live`; `None` where it has none.
fn without_bounds(commit: &[u8], live: &HashSet<&str>) -> Option<Vec<u8>> {
    let mut is_changed = false;
    let lines = commit.split(|byte| *byte == b'\n').map(|line| {
        let cleared = serde_json::from_slice::<Value>(line).ok().and_then(|action| cleared(action, live));
        is_changed |= cleared.is_some();
        cleared.map_or_else(|| line.to_vec(), |action| action.to_string().into_bytes())
    });
    let text = lines.collect::<Vec<_>>().join(&b'\n');
    is_changed.then_some(text)
}

fn cleared(mut action: Value, live: &HashSet<&str>) -> Option<Value> {
    let add = action.get_mut("add")?.as_object_mut()?;
    if live.contains(add.get("path")?.as_str()?) {
        return None;
    }
    let mut stats: Value = serde_json::from_str(add.get("stats")?.as_str()?).ok()?;
    let bounds = ["minValues", "maxValues"]
        .map(|key| stats.get(key).and_then(Value::as_object).is_some_and(|it| !it.is_empty()));
    if bounds == [false, false] {
        return None;
    }
    stats["minValues"] = json!({});
    stats["maxValues"] = json!({});
    add.insert("stats".to_owned(), stats.to_string().into());
    Some(action)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn only_bounds_of_files_that_are_gone_leave_a_commit() {
        let add = |path: &str, bounds: &str| {
            let stats =
                format!(r#"{{"numRecords":1,"minValues":{bounds},"maxValues":{bounds},"nullCount":{{"a":0}}}}"#);
            json!({"add": {"path": path, "size": 3, "stats": stats}}).to_string()
        };
        let commit = [
            r#"{"commitInfo":{"timestamp":1}}"#.to_owned(),
            add("gone.parquet", r#"{"a":"anna"}"#),
            add("here.parquet", r#"{"a":"bert"}"#),
            String::new(),
        ];
        let live = HashSet::from(["here.parquet"]);
        let cleared = String::from_utf8(without_bounds(commit.join("\n").as_bytes(), &live).unwrap()).unwrap();
        let lines: Vec<&str> = cleared.split('\n').collect();
        assert!(!cleared.contains("anna") && cleared.contains(r#"\"numRecords\":1"#), "{cleared}");
        assert_eq!((lines[0], lines[2], lines[3]), (commit[0].as_str(), commit[2].as_str(), ""));
        assert_eq!(without_bounds(cleared.as_bytes(), &live), None);
    }
}
