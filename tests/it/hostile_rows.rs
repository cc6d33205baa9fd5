//! Rows that mean no good, by the thousand, in every format: what a load counts is what their recipe says, every row is accounted
//! for, and the program stays small. HENNA_TEST_ROWS says how many there are (10000000 for the long run).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use henna::dataset::Dataset;
use henna::ingest::trial;
use parquet::arrow::ArrowWriter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::bench::{Bench, measured};
use super::support::{folder, ran, run};

const ROWS: u64 = 40_000;
/// What a load may take at its height.
const MEMORY_MAX_KIB: u64 = 2 << 20;
/// Parquet files with a damaged footer.
const FOOTERS: usize = 400;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_hostile_row_is_counted_once_in_bounded_memory() {
    let (bench, rows) = (Bench::new(), number("HENNA_TEST_ROWS", ROWS));
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile/make.py");
    let files = folder();
    let told = ran(Command::new("python3").arg(make).arg(files.path()).arg(rows.to_string())).ok().out;
    let made: Value = serde_json::from_str(&told).unwrap();
    let mut rejected = 0;
    for wanted in made.as_array().unwrap() {
        let name = wanted["file"].as_str().unwrap();
        let begun = Instant::now();
        let mut command = bench.command();
        command.args(["load", "orders", "--json", "--reject-share-max", "1"]).arg(files.path().join(name));
        let (told, most_kib) = measured(&mut command);
        let report: Value = serde_json::from_str(told.ok().out.trim()).unwrap();
        println!("{name}: {:.1} s, {} MiB, {report}", begun.elapsed().as_secs_f64(), most_kib >> 10);
        for key in ["read", "added", "updated", "duplicate", "rejected"] {
            assert_eq!(report[format!("rows_{key}")], wanted[key], "{name}: {key}: {report}");
        }
        assert!(most_kib < MEMORY_MAX_KIB, "{name}: {most_kib} KiB");
        rejected += wanted["rejected"].as_u64().unwrap();
    }
    assert_eq!(bench.csv("SELECT count(*) FROM henna.rejects"), [rejected.to_string()]);
    let reasons = bench
        .csv("SELECT count(DISTINCT reason), count(DISTINCT file) FROM henna.rejects WHERE reason NOT LIKE 'value %'");
    assert!(reasons[0].split(',').next().unwrap().parse::<u64>().unwrap() >= 8, "{reasons:?}");
    // A newer version of each twentieth row of the first file, and nothing of the older ones.
    let sum = "SELECT count(*), sum(CASE WHEN paid_amount = 1 THEN 1 ELSE 0 END), sum(CASE WHEN paid_amount = 2 THEN 1 ELSE 0 END), \
        sum(CASE WHEN paid_amount = 99 THEN 1 ELSE 0 END) FROM orders WHERE order_id LIKE 'C%'";
    let groups = made[1]["updated"].as_u64().unwrap();
    assert_eq!(bench.csv(sum), [format!("{},{groups},0,{groups}", groups * 12)]);
    ran(bench.command().arg("check")).ok();
}

/// A file of orders in Parquet.
fn parquet_file(folder: &Path) -> PathBuf {
    let texts =
        |of: fn(usize) -> String| -> ArrayRef { Arc::new((0..200).map(|row| Some(of(row))).collect::<StringArray>()) };
    let batch = RecordBatch::try_from_iter([
        ("channel", texts(|_| "tmall".to_owned())),
        ("order_id", texts(|row| format!("P{row}"))),
        ("order_time", texts(|row| format!("2026-06-{:02} 10:00:00", row % 28 + 1))),
        ("status", texts(|_| "paid".to_owned())),
    ]);
    let batch = batch.unwrap();
    let path = folder.join("orders.parquet");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

#[test]
fn a_footer_that_lies_is_refused_or_gives_rows_and_nothing_else() {
    let folder = folder();
    let whole = std::fs::read(parquet_file(folder.path())).unwrap();
    let seed = number("HENNA_TEST_SEED", rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dataset = Arc::new(Dataset::shipped("retail").unwrap());
    let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let footer = whole.len() - 8 - length;
    let (mut refused, mut read) = (0, 0);
    for nth in 0..FOOTERS {
        let mut bytes = whole.clone();
        match nth % 4 {
            // Any byte of the footer: counts, offsets, types, encodings.
            0 | 1 => bytes[footer + random.random_range(0..length)] = random.random(),
            // How long the footer is.
            2 => bytes[whole.len() - 8..whole.len() - 4].copy_from_slice(&random.random::<u32>().to_le_bytes()),
            // A page's own head, or its data.
            _ => bytes[4 + random.random_range(0..footer - 4)] = random.random(),
        }
        let path = folder.path().join(format!("{nth}.parquet"));
        std::fs::write(&path, &bytes).unwrap();
        match run(trial(&dataset, None, &[path.to_string_lossy().into_owned()])) {
            Ok(_) => read += 1,
            Err(error) => {
                assert_ne!(error.to_string(), "the reading thread ended early", "seed {seed}, file {nth}");
                refused += 1;
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
    println!("{refused} refused, {read} read");
    assert!(refused > FOOTERS / 8, "{refused} of {FOOTERS}");
}
