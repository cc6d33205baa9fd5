//! A security log that rots, is cut off, put out of order or lost: no table is read, and everybody is told what to do.

use std::path::{Path, PathBuf};

use super::super::support::{House, demo_files, folder, henna, ran, run};

/// The records, oldest first.
fn records(lake: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lake.join("security")).unwrap().map(|entry| entry.unwrap().path());
    let is_record = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().is_ok();
    let mut found: Vec<PathBuf> = entries.filter(is_record).collect();
    found.sort();
    found
}

fn after(path: &Path) -> PathBuf {
    let number: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    path.with_file_name(format!("{:020}.json", number + 1))
}

type Damage = (&'static str, fn(&Path));

/// Each is done to a copy of a sound lake.
const DAMAGES: [Damage; 9] = [
    ("a byte is another", |lake| {
        let victim = &records(lake)[40];
        let mut bytes = std::fs::read(victim).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(victim, bytes).unwrap();
    }),
    ("a record is cut short", |lake| {
        let victim = &records(lake)[41];
        let bytes = std::fs::read(victim).unwrap();
        std::fs::write(victim, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("a record is empty", |lake| std::fs::write(&records(lake)[42], "").unwrap()),
    ("a record is gone", |lake| std::fs::remove_file(&records(lake)[43]).unwrap()),
    ("two records changed places", |lake| {
        let found = records(lake);
        let (first, second) = (std::fs::read(&found[44]).unwrap(), std::fs::read(&found[45]).unwrap());
        std::fs::write(&found[44], second).unwrap();
        std::fs::write(&found[45], first).unwrap();
    }),
    ("an older record stands again at the end", |lake| {
        let last = records(lake).pop().unwrap();
        std::fs::copy(&last, after(&last)).unwrap();
    }),
    ("what follows the end is none", |lake| {
        let last = records(lake).pop().unwrap();
        std::fs::write(after(&last), "{}").unwrap();
    }),
    ("the end is cut off", |lake| std::fs::remove_file(records(lake).pop().unwrap()).unwrap()),
    ("all of it is gone", |lake| std::fs::remove_dir_all(lake.join("security")).unwrap()),
];

#[test]
fn a_damaged_security_log_locks_every_table_and_says_what_to_do() {
    run(async {
        for (damage, act) in DAMAGES {
            let folder = folder();
            let lake = folder.path().join("lake");
            demo_files(&lake).await;
            act(&lake);
            let told = ran(henna(&lake).arg("check"));
            assert_eq!(told.code, 1, "{damage}: {}", told.out);
            assert!(
                told.out.contains("FAULT  security log: record ") && told.out.contains("every table is locked"),
                "{damage}: {}",
                told.out
            );
            for sql in ["SELECT count(*) FROM orders", "SELECT * FROM mart.rfm", "GRANT SELECT ON orders TO tmall"] {
                let told = ran(henna(&lake).args(["sql", "-c", sql]));
                told.refused(
                    1,
                    &[
                        "security log is damaged at record ",
                        "hint: every table stays locked until the log is restored from a backup",
                    ],
                );
            }
        }
    });
}

#[test]
fn a_server_before_a_damaged_log_serves_no_rows_and_changes_no_rights() {
    run(async {
        for (damage, act) in [DAMAGES[0], DAMAGES[7]] {
            let folder = folder();
            let lake = folder.path().join("lake");
            demo_files(&lake).await;
            act(&lake);
            let house = House::serve(&lake, None).await;
            let mut asked = 0;
            for sql in [
                "SELECT count(*) FROM orders",
                "SELECT * FROM mart.rfm",
                "SELECT * FROM henna.audit_log",
                "SELECT 1 FROM customers LIMIT 0",
                "SELECT (SELECT max(team) FROM orders)",
                "EXPLAIN SELECT * FROM orders",
                "CREATE ROLE mole",
                "ALTER ROLE wecom SUPERUSER",
                "DROP POLICY orders_wecom ON orders",
                "CREATE SCHEMA mine",
            ] {
                for mut door in house.doors("admin").await {
                    let refusal = door.ask(sql).await.unwrap_err();
                    assert_eq!(refusal.sqlstate, "XX001", "{damage}, {}: {sql}: {refusal}", door.name());
                    assert_eq!(
                        refusal.hint.as_deref(),
                        Some("every table stays locked until the log is restored from a backup"),
                        "{sql}"
                    );
                    asked += 1;
                }
            }
            assert_eq!(asked, 20);
        }
    });
}
