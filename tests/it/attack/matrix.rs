//! The table "How it is tried" of SECURITY.md names tests that exist, for every family and both doors.

use std::collections::BTreeSet;
use std::path::Path;

const CHAPTER: &str = include_str!("../../../SECURITY.md");
const HEAD: &str = "| family | in process | over the wire |";

/// The families that the design names; the table may have more.
const FAMILIES: usize = 43;

/// A family, and the tests of its two doors.
fn rows() -> Vec<(&'static str, [Vec<&'static str>; 2])> {
    let table = CHAPTER.split(HEAD).nth(1).unwrap_or_else(|| panic!("SECURITY.md has no table of tests"));
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [family, process, wire] = cells[..] else { panic!("{line}") };
        let named = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect();
        (family, [named(process), named(wire)])
    };
    lines.map(row).collect()
}

/// Where the tests of a name of the table lie: the beginning before `::` is a short word for a place.
fn exists(test: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let holds = |path: &Path, function: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        [format!("fn {function}()"), format!("async fn {function}()")].iter().any(|found| text.contains(found.as_str()))
    };
    let Some((place, function)) = test.split_once("::") else {
        return test.ends_with(".slt") && root.join("tests/slt").join(test).is_file();
    };
    [
        format!("tests/it/attack/{place}.rs"),
        format!("tests/it/{place}.rs"),
        format!("src/access/{place}/tests.rs"),
        format!("src/access/wall/tests/{place}.rs"),
        format!("src/query/tests/{place}/mod.rs"),
        format!("src/{place}/tests.rs"),
    ]
    .iter()
    .any(|path| holds(&root.join(path), function))
}

#[test]
fn every_family_of_attacks_has_a_test_at_either_door() {
    let rows = rows();
    let mut faults = Vec::new();
    for (family, doors) in &rows {
        for (door, tests) in ["in process", "over the wire"].iter().zip(doors) {
            if tests.is_empty() {
                faults.push(format!("{family}: nothing {door}"));
            }
            faults
                .extend(tests.iter().filter(|test| !exists(test)).map(|test| format!("{family}: there is no {test}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let named: BTreeSet<&str> = rows.iter().map(|(family, _)| *family).collect();
    assert!(named.len() == rows.len() && rows.len() >= FAMILIES, "{} families", rows.len());
}

/// A name that the table got wrong must be found.
#[test]
fn a_test_that_does_not_exist_is_missed() {
    assert!(exists("sessions::a_prepared_statement_follows_set_role"));
    assert!(exists("row_security/recursion.slt"));
    for wrong in ["sessions::a_prepared_statement_follows", "nowhere::a", "row_security/none.slt", "recursion"] {
        assert!(!exists(wrong), "{wrong}");
    }
}
