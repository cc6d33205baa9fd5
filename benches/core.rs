//! What a user waits for, measured over the sample brand: a load, a scan, the RFM mart, a query over the wire. And, in
//! `policy`, what a row policy costs.
//!
//! HENNA_BENCH_PERMILLE sets the size; 200 is a fifth of the demo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod policy;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures::TryStreamExt;
use henna::cli::serve::LakeBackend;
use henna::config::TlsPolicy;
use henna::dataset::{Dataset, SampleFile, write_samples};
use henna::ingest::Loader;
use henna::query::{Lake, Session};
use henna::wire;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;

const PERMILLE: u32 = 200;
const SCAN: &str = "SELECT channel, count(*), sum(paid_amount) FROM orders GROUP BY channel";
const RFM: &str = "SELECT segment, count(*), sum(monetary) FROM mart.rfm GROUP BY segment";
const NEWEST: &str = "SELECT channel, count(*), max(one_id), sum(paid_amount) FROM orders GROUP BY channel";
const POINT: &str = "SELECT status, paid_amount FROM orders WHERE channel = 'tmall' AND order_id = '1'";

fn permille() -> u32 {
    std::env::var("HENNA_BENCH_PERMILLE").ok().and_then(|text| text.parse().ok()).unwrap_or(PERMILLE)
}

fn henna(lake: &Path, arguments: &[&str], file: Option<&Path>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_henna"));
    // The sizes of the benches are no settings of the program.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HENNA_")) {
        command.env_remove(name);
    }
    command
        .arg("--lake")
        .arg(lake)
        .args(arguments)
        .args(file)
        .env("HENNA_ADMIN_PASSWORD", "bench")
        .env("HENNA_LOG", "error");
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

/// The sample's files, and a lake that holds them.
struct Sample {
    folder: tempfile::TempDir,
    files: Vec<SampleFile>,
    lake: PathBuf,
}

impl Sample {
    fn made(runtime: &Runtime) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dataset = Dataset::shipped("retail").unwrap();
        let files = runtime.block_on(write_samples(&dataset, folder.path(), permille())).unwrap();
        let lake = folder.path().join("lake");
        henna(&lake, &["init"], None);
        for file in &files {
            henna(&lake, &["load", &file.table], Some(&file.path));
        }
        runtime.block_on(users(&lake, &dataset));
        Self { folder, files, lake }
    }

    fn file(&self, table: &str) -> &Path {
        &self.files.iter().find(|file| file.table == table).unwrap().path
    }
}

async fn users(lake: &Path, dataset: &Dataset) {
    let lake = Lake::open(&lake.to_string_lossy()).await.unwrap();
    let admin = lake.session(lake.principal("admin").unwrap()).await.unwrap();
    admin.run_script("demo.sql", dataset.demo_sql.as_deref().unwrap()).await.unwrap();
}

async fn rows(session: &Session, sql: &str) -> usize {
    let mut stream = session.execute(sql).await.unwrap();
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await.unwrap() {
        rows += batch.num_rows();
    }
    rows
}

/// A server in this process and a client of it.
async fn client(lake: Lake) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = wire::Settings {
        tls: TlsPolicy::Off,
        identity: None,
        connections_max: 10,
        idle_max: None,
        drain_max: Duration::ZERO,
    };
    tokio::spawn(wire::serve(listener, Arc::new(LakeBackend::new(lake, None)), settings, CancellationToken::new()));
    let address = format!("host=127.0.0.1 port={port} user=tmall password=henna-demo dbname=henna");
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The sample's orders, of whose buyers `share` percent were merged into the one before.
fn merged(runtime: &Runtime, sample: &Sample, share: usize) -> Lake {
    let root = sample.folder.path().join(format!("merged-{share}"));
    henna(&root, &["init"], None);
    henna(&root, &["load", "orders"], Some(sample.file("orders")));
    runtime.block_on(async {
        let lake = Lake::open(&root.to_string_lossy()).await.unwrap();
        let session = lake.session(lake.principal("admin").unwrap()).await.unwrap();
        let sql = "SELECT DISTINCT one_id FROM orders WHERE one_id IS NOT NULL ORDER BY 1";
        let batches: Vec<_> = session.execute(sql).await.unwrap().try_collect().await.unwrap();
        let buyers: Vec<i64> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        let pairs: Vec<(i64, i64)> = buyers.windows(2).map(|pair| (pair[1], pair[0])).collect();
        let some: Vec<_> =
            pairs.iter().enumerate().filter(|(nth, _)| nth % 100 < share).map(|(_, pair)| *pair).collect();
        Loader::new(lake.store().clone(), lake.dataset()).merge_pairs(&some).await.unwrap();
        lake
    })
}

fn core(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let sample = Sample::made(&runtime);
    let lake = runtime.block_on(Lake::open(&sample.lake.to_string_lossy())).unwrap();

    let mut group = criterion.benchmark_group("core");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(8));

    let mut lakes = 0;
    group.bench_function("load_orders", |bencher| {
        bencher.iter_batched(
            || {
                lakes += 1;
                let lake = sample.folder.path().join(format!("load-{lakes}"));
                henna(&lake, &["init"], None);
                lake
            },
            |lake| henna(&lake, &["load", "orders"], Some(sample.file("orders"))),
            BatchSize::PerIteration,
        );
    });
    for (name, role, sql) in [
        ("scan_headquarters", "hq", SCAN),
        ("scan_tmall", "tmall", SCAN),
        ("rfm_headquarters", "hq", RFM),
        ("rfm_tmall", "tmall", RFM),
        (
            "churn_headquarters",
            "hq",
            "SELECT churn_level, count(*), avg(p_alive) FROM mart.churn_risk GROUP BY churn_level",
        ),
        (
            "roi_headquarters",
            "hq",
            "SELECT channel, model, sum(attributed_revenue) FROM mart.channel_roi GROUP BY channel, model",
        ),
    ] {
        let session = runtime.block_on(lake.session(lake.principal(role).unwrap())).unwrap();
        group.bench_function(name, |bencher| bencher.to_async(&runtime).iter(|| rows(&session, sql)));
    }
    for share in [0, 20] {
        let merged = merged(&runtime, &sample, share);
        let session = runtime.block_on(merged.session(merged.principal("admin").unwrap())).unwrap();
        let name = format!("scan_{share}_percent_merged");
        group.bench_function(name, |bencher| bencher.to_async(&runtime).iter(|| rows(&session, NEWEST)));
    }
    let client = runtime.block_on(client(lake.clone()));
    group.bench_function("wire_point_query", |bencher| {
        bencher.to_async(&runtime).iter(async || client.simple_query(POINT).await.unwrap().len());
    });
    group.bench_function("wire_all_orders", |bencher| {
        bencher.to_async(&runtime).iter(async || client.simple_query("SELECT * FROM orders").await.unwrap().len());
    });
    group.finish();
}

criterion_group!(benches, core, policy::compare);
criterion_main!(benches);
