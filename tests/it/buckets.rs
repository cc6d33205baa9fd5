//! Files in buckets of S3: found by name, folder and pattern, loaded like those of this machine. Needs `moto_server`, which
//! `tests/clients/tools.sh all` installs (or `pip install 'moto[server]'`, on the path); without it the test says that it does not run.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Ran, folder, henna, ran};

const START_MAX: Duration = Duration::from_secs(60);

/// A server of buckets on a free port, for as long as the value lives.
struct Buckets {
    child: Child,
    port: u16,
}

impl Drop for Buckets {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Buckets {
    fn start() -> Option<Self> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/tools.sh");
        let home = Command::new(tools).arg("home").output().map(|told| told.stdout).unwrap_or_default();
        let home = PathBuf::from(String::from_utf8_lossy(&home).trim());
        let known = [home.join("venv-s3/bin/moto_server"), PathBuf::from("moto_server")];
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = known.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        });
        let Some(child) = child else {
            eprintln!("SKIPPED buckets: there is no moto_server");
            return None;
        };
        let server = Self { child, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < START_MAX, "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }

    /// Puts a bucket, or a file into one.
    fn put(&self, path: &str, bytes: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "PUT /{path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n\
             content-length: {}\r\n\r\n",
            bytes.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }

    fn command(&self, lake: &Path) -> Command {
        let mut command = henna(lake);
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port));
        command
            .env("AWS_ACCESS_KEY_ID", "henna")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "cn-north-1");
        command
    }

    fn load(&self, lake: &Path, table: &str, name: &str) -> Ran {
        ran(self.command(lake).args(["load", table, name, "--json"]))
    }
}

fn orders(first: u32) -> String {
    let rows = (first..first + 3).map(|nth| format!("tmall,T{nth},2026-06-01 10:00:00,paid,1.25\n"));
    "channel,order_id,order_time,status,paid_amount\n".to_owned() + &rows.collect::<String>()
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn files_of_a_bucket_are_loaded_like_those_of_this_machine() {
    let Some(buckets) = Buckets::start() else { return };
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    buckets.put("shop", b"");
    buckets.put("shop/june/a.csv.gz", &packed(&orders(10)));
    buckets.put("shop/june/b.csv.gz", &packed(&orders(20)));
    buckets.put("shop/june/notes.doc", b"x");
    buckets.put("shop/june/deep/c.csv.gz", &packed(&orders(30)));
    buckets.put("shop/%E5%85%AD%E6%9C%88%20orders.csv", orders(40).as_bytes());
    let exports = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exports");
    for export in ["ExportOrderList202606181000.csv", "wechat_shop_orders.xlsx"] {
        buckets.put(&format!("shop/exports/{export}"), &std::fs::read(exports.join(export)).unwrap());
    }
    let counts = |name: &str| {
        let told = buckets.load(&lake, "orders", name).ok().out;
        let report: Value = serde_json::from_str(told.trim()).unwrap();
        ["rows_read", "rows_added", "rows_rejected"].map(|key| report[key].as_u64().unwrap())
    };
    assert_eq!(counts("s3://shop/june/*.csv.gz"), [6, 6, 0]);
    assert_eq!(counts("s3://shop/june/**/*.csv.gz"), [9, 3, 0]);
    assert_eq!(counts("s3://shop/june"), [0, 0, 0], "the same files in the same order are the same load");
    assert_eq!(counts("s3://shop/june/a.csv.gz"), [3, 0, 0]);
    assert_eq!(counts("s3://shop/六月 orders.csv"), [3, 3, 0]);
    assert_eq!(counts("s3://shop/exports/ExportOrderList202606181000.csv"), [80, 78, 2]);
    assert!(counts("s3://shop/exports/*.xlsx")[1] > 10);
    let sources =
        ran(buckets.command(&lake).args(["sources", "test", "s3://shop/exports/ExportOrderList202606181000.csv"]));
    assert!(sources.ok().out.contains("source  tmall_orders"));
    let refused = |name: &str, told: &str| drop(buckets.load(&lake, "orders", name).refused(1, &[told]));
    refused("s3://shop/july/*.csv", "'s3://shop/july/*.csv' names no file");
    refused("s3://shop/nothing.csv", "'s3://shop/nothing.csv' names no file");
    refused("s3://none/a*.csv", "there is no bucket 'none'");
    refused("s3://shop/june/notes.doc", "'s3://shop/june/notes.doc' is of no known format");
    refused("s3:///a.csv", "'s3:///a.csv' names no bucket: write s3://BUCKET/KEY");
    refused("https://host/a.csv", "'https://host/a.csv' lies elsewhere");
    let without = ran(buckets
        .command(&lake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .args(["load", "orders", "s3://shop/june"]));
    without.refused(2, &["there are no credentials for s3://shop", "set AWS_ACCESS_KEY_ID"]);
    ran(henna(&lake).arg("check")).ok();
}
