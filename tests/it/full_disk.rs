//! A disk that fills up: whoever writes is told so, nothing is lost, and work goes on when there is room again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::stream::{Server, number, post};
use super::support::{folder, henna, ran, run};

/// A lake fits, and a few bodies.
const DISK_BYTES: u64 = 24 << 20;
const BALLAST_BYTES: usize = 8 << 20;
const ROWS: usize = 2_000;

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "henna-test"]).arg(folder);
        let is_mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        is_mounted.then(|| Self(folder.to_path_buf()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Rows that do not compress.
fn body(load: usize) -> String {
    let rows = (0..ROWS).map(|row| {
        let text: String = (0..16).map(|_| format!("{:016x}", rand::random::<u64>())).collect();
        format!("{load},{row},{text}\n")
    });
    std::iter::once("load,row,text\n".to_owned()).chain(rows).collect()
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_and_work_goes_on_when_there_is_room() {
    let folder = folder();
    let Some(disk) = Disk::mount(&folder.path().join("disk")) else {
        eprintln!("SKIPPED a_full_disk_is_told: this user may not mount a tmpfs");
        return;
    };
    let (lake, ballast) = (disk.0.join("lake"), disk.0.join("ballast"));
    ran(henna(&lake).arg("init")).ok();
    ran(henna(&lake).args(["sql", "-c", "CREATE TABLE noise (load int, row int, text text)"])).ok();
    std::fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let server = Server::start(&lake);
    let send = |load: usize, body: &str| post(server.web, "noise", &format!("key-{load}"), body).unwrap();
    let mut bodies = Vec::new();
    let told = loop {
        bodies.push(body(bodies.len()));
        match send(bodies.len() - 1, &bodies[bodies.len() - 1]) {
            (200, _) => {}
            (status, told) => break (status, told),
        }
        assert!(bodies.len() < 100, "the disk does not fill up");
    };
    assert_eq!(told.0, 503, "{}", told.1);
    assert!(told.1.contains("no space is left where the lake lies"), "{}", told.1);
    assert!(bodies.len() > 2, "the disk was full at once");
    let (full, wire) = (bodies.len() - 1, server.wire);

    // Who reads is served, whoever else writes is told the same.
    let counts = "SELECT count(*) FROM noise";
    let (read, written) = run(async {
        let client = super::stream::connected(wire).await.unwrap();
        let read: i64 = client.query_one(counts, &[]).await.unwrap().get(0);
        let sql = "INSERT INTO noise SELECT 1000, n, md5(n::text) || md5((n + 1)::text) FROM generate_series(1, 100000) AS s (n)";
        (read, client.batch_execute(sql).await)
    });
    assert_eq!(read as usize, full * ROWS);
    let refused = written.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "53100", "{refused:?}");
    let file = folder.path().join("noise.csv");
    let orders: String =
        (0..40_000).map(|row| format!("tmall,{row}-{:x},2026-01-02,paid,1\n", rand::random::<u64>())).collect();
    std::fs::write(&file, "channel,order_id,order_time,status,paid_amount\n".to_owned() + &orders).unwrap();
    ran(henna(&lake).args(["load", "orders"]).arg(&file)).refused(1, &["no space is left where the lake lies"]);
    ran(henna(&lake).arg("check")).ok();

    std::fs::remove_file(&ballast).unwrap();
    for (load, body) in bodies.iter().enumerate() {
        let (status, told) = send(load, body);
        assert_eq!(status, 200, "load {load}: {told}");
        assert!(told.contains(&format!("\"rows_added\":{ROWS},")), "{told}");
    }
    server.kill();
    assert_eq!(number(&lake, counts), bodies.len() * ROWS);
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT load, row FROM noise) AS t";
    assert_eq!(number(&lake, distinct), bodies.len() * ROWS);
    ran(henna(&lake).arg("check")).ok();
    println!("full after {full} loads");
}
