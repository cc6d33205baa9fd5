//! Files that mean no good, or were made badly: each is refused, or its rows are, with the line and the reason; and the program
//! stays small. Bombs in .gz and .zst are tried in `src/ingest/reader/input.rs`.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::bench::{Bench, measured};
use super::support::Ran;

/// What `henna load` may take at its height, the program itself and its caches included.
const MEMORY_MAX_KIB: u64 = 700 << 10;

/// Loads orders, and sees to it that the program stays small.
fn load(bench: &Bench, path: &Path) -> Ran {
    let (output, most_kib) = measured(bench.command().args(["load", "orders", "--reject-share-max", "1"]).arg(path));
    assert!(most_kib < MEMORY_MAX_KIB, "{}: {most_kib} KiB", path.display());
    output
}

fn rejects(bench: &Bench) -> String {
    bench.csv("SELECT line, column_name, reason FROM henna.rejects ORDER BY line").join("\n")
}

#[test]
fn rows_that_are_no_text_have_a_wrong_width_or_broken_quotes_are_refused_with_their_lines() {
    let bench = Bench::new();
    let mut text = b"channel,order_id,order_time,status\n".to_vec();
    text.extend(b"tmall,A1,2026-06-01,paid\n");
    text.extend(b"tmall,\xc4\xe3\xba\xc3,2026-06-01,paid\n");
    text.extend(b"tmall,A\0B,2026-06-01,paid\n");
    text.extend(b"tmall,A4,99999-01-01,paid\n");
    text.extend(b"tmall,\"A5\"x,2026-06-01,paid\n");
    text.extend(b"tmall,A6,2026-06-01\n");
    text.extend(b"tmall,\"A7,2026-06-01,paid\n");
    load(&bench, &bench.file("orders.csv", text)).ok();
    let wanted = [
        "3,,the row holds bytes that are no text in the file's encoding",
        "4,order_id,a text may not contain the character 0",
        "5,order_time,\"value \"\"+99998-12-31T16:00:00Z\"\" is out of range for type timestamp with time zone",
        "6,,text follows a closing quote",
        "7,,\"the row has 3 cells, the header 4\"",
        "8,,a quote is left open",
    ];
    let rejects = rejects(&bench);
    for (line, wanted) in rejects.lines().zip(wanted) {
        assert!(line.starts_with(wanted), "'{wanted}' does not begin '{line}'");
    }
    assert_eq!(rejects.lines().count(), wanted.len(), "{rejects}");
}

#[test]
fn numbers_out_of_range_are_refused_with_their_lines() {
    let bench = Bench::new();
    let huge = "9".repeat(40);
    let text = format!(
        "channel,order_id,order_time,status,paid_amount,item_count\n\
         tmall,A1,2026-06-01,paid,{huge},1\ntmall,A2,2026-06-01,paid,1e400,1\ntmall,A3,2026-06-01,paid,1,3000000000\n\
         tmall,A4,2026-06-01,paid,NaN,1\ntmall,A5,2026-06-01,paid,1.005,1\n"
    );
    load(&bench, &bench.file("orders.csv", text)).ok();
    let rejects = rejects(&bench);
    let columns: Vec<String> =
        rejects.lines().map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(columns, ["2,paid_amount", "3,paid_amount", "4,item_count", "5,paid_amount"], "{rejects}");
}

#[test]
fn an_export_of_another_encoding_is_told_by_its_mark_or_refused() {
    let bench = Bench::new();
    let text = "channel,order_id,order_time,status\ntmall,A1,2026-06-01,paid\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    load(&bench, &bench.file("marked.csv", [&[0xFF, 0xFE], wide.as_slice()].concat())).ok();
    load(&bench, &bench.file("bare.csv", &wide)).refused(1, &["bare.csv has no header that is UTF-8 text"]);
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exports/ExportOrderList202606181000.csv");
    let mut bytes = std::fs::read(export).unwrap();
    // One byte of a title in the 30th row.
    let row = bytes.split(|byte| *byte == b'\n').take(29).map(|line| line.len() + 1).sum::<usize>();
    let at = row + bytes[row..].windows(2).position(|pair| pair == [0xca, 0xe6]).unwrap();
    bytes[at + 1] = 0xff;
    load(&bench, &bench.file("broken.csv", bytes)).ok();
    let rejects = rejects(&bench);
    assert!(rejects.contains("30,,the row holds bytes that are no text in the file's encoding"), "{rejects}");
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    let bench = Bench::new();
    let path = bench.file("endless.csv", "channel,order_id,order_time,status\ntmall,A1,2026-06-01,paid\n");
    let mut file = File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(1 << 30)).unwrap();
    file.write_all(b"end").unwrap();
    load(&bench, &path).refused(1, &["endless.csv:3: a row is longer than 16777216 bytes"]);
    let open = [b"channel,order_id,order_time,status\ntmall,\"A".as_slice(), &vec![b'x'; 40 << 20]].concat();
    load(&bench, &bench.file("open.csv", open)).refused(1, &["is a quote left open?"]);
}

#[test]
fn a_header_of_ten_thousand_columns_is_refused() {
    let bench = Bench::new();
    let header: Vec<String> = (0..10_000).map(|nth| format!("c{nth}")).collect();
    let path = bench.file("wide.csv", header.join(",") + "\n");
    load(&bench, &path).refused(1, &["wide.csv has 10000 columns; at most 4096 are read"]);
}

#[test]
fn workbooks_that_are_none_or_swell_are_refused() {
    let bench = Bench::new();
    load(&bench, &bench.file("text.xlsx", "order_id\n1\n"))
        .refused(1, &["text.xlsx is not a workbook that can be read: "]);
    let path = bench.folder.path().join("swollen.xlsx");
    let mut book = zip::ZipWriter::new(File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    book.start_file("xl/sharedStrings.xml", options).unwrap();
    let strings = "<si><t>a</t></si>".repeat(1 << 16);
    (0..130).for_each(|_| book.write_all(strings.as_bytes()).unwrap());
    book.finish().unwrap();
    load(&bench, &path).refused(1, &["part xl/sharedStrings.xml is larger than 134217728 bytes once unpacked"]);
    let path = bench.folder.path().join("cell.xlsx");
    let mut book = zip::ZipWriter::new(File::create(&path).unwrap());
    book.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    (0..3).for_each(|_| book.write_all(&vec![b'x'; 1 << 20]).unwrap());
    book.finish().unwrap();
    load(&bench, &path).refused(1, &["part xl/worksheets/sheet1.xml holds a text of more than 1048576 bytes"]);
}
