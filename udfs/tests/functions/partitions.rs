//! Every aggregate gives one answer, however its rows are spread and its partial states made.

use std::sync::Arc;

use datafusion::arrow::array::{
    Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext, col};
use proptest::prelude::{ProptestConfig, proptest};

use super::aggregates::{AGGREGATES, ESTIMATED, ROUNDED};
use super::support::{dense_session, rows, session_with};

/// Rows of a small linear congruential generator, each with the sets of its x.
async fn batches(seed: u64, rows: usize, customers: u64) -> Vec<RecordBatch> {
    let batches = plain_batches(seed, rows, customers);
    let session = session_with(config(1));
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    session.register_table("plain", Arc::new(table)).unwrap();
    let sets = "SELECT x, bitmap_build(id % 10) AS bitmap, hll_build(id % 10) AS hll, theta_build(id % 10) AS theta FROM plain GROUP BY x";
    // In order of id: one of the ways below tells the engine that rows are.
    let sql = format!(
        "SELECT plain.*, bitmap, hll, theta FROM plain JOIN ({sets}) AS sets ON sets.x = plain.x ORDER BY id, ts, amount, channel"
    );
    let whole = session.sql(&sql).await.unwrap().collect().await.unwrap();
    let whole = concat_batches(&whole[0].schema(), &whole).unwrap();
    let (half, third) = (whole.num_rows() / 2, whole.num_rows() / 3);
    [(0, half), (half, third), (half + third, whole.num_rows() - half - third - 1), (whole.num_rows() - 1, 1)]
        .map(|(from, length)| whole.slice(from, length))
        .to_vec()
}

fn plain_batches(seed: u64, rows: usize, customers: u64) -> Vec<RecordBatch> {
    let mut state = seed;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let day = 86_400_000_000;
    let mut batch = |rows: usize| {
        let mut ids: Vec<i64> = (0..rows).map(|_| next(customers) as i64).collect();
        ids.sort_unstable();
        let ts = TimestampMicrosecondArray::from_iter(
            (0..rows).map(|_| (next(20) > 0).then(|| (next(700 * 24) * 3_600_000_000) as i64)),
        )
        .with_timezone("Asia/Shanghai");
        let amount =
            Decimal128Array::from_iter((0..rows).map(|_| (next(10) > 0).then(|| i128::from(next(100_000)) - 1_000)))
                .with_precision_and_scale(18, 2)
                .unwrap();
        let as_of = Date32Array::from_iter((0..rows).map(|_| Some(600)));
        let conversion =
            TimestampMicrosecondArray::from_iter_values((0..rows).map(|_| 650 * day)).with_timezone("Asia/Shanghai");
        let channel =
            StringArray::from_iter((0..rows).map(|_| ["ads", "direct", "mail", "search"].get(next(5) as usize)));
        let x = Int64Array::from_iter((0..rows).map(|_| Some(next(6) as i64)));
        RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(ids)) as _),
            ("ts", Arc::new(ts) as _),
            ("amount", Arc::new(amount) as _),
            ("as_of", Arc::new(as_of) as _),
            ("conversion", Arc::new(conversion) as _),
            ("channel", Arc::new(channel) as _),
            ("x", Arc::new(x) as _),
        ])
        .unwrap()
    };
    vec![batch(rows / 2), batch(rows / 3), batch(rows / 6), batch(1)]
}

#[test]
fn no_aggregate_is_left_out() {
    let cases = || AGGREGATES.iter().chain(ESTIMATED).chain(ROUNDED.iter().map(|(aggregate, _)| aggregate));
    for aggregate in henna_udfs::aggregate_functions() {
        let call = format!("{}(", aggregate.name());
        assert!(
            cases().any(|case| case.starts_with(&call) || case.contains(&format!("({call}"))),
            "{call}...) has no case"
        );
    }
}

async fn rounded(session: &SessionContext, aggregate: &str, field: &str) -> Vec<Vec<String>> {
    rows(session, &format!("SELECT id % 5, round({aggregate}['{field}'], 9) + 0.0 FROM t GROUP BY 1 ORDER BY 1")).await
}

async fn answer(session: &SessionContext, aggregate: &str) -> Vec<Vec<String>> {
    rows(session, &format!("SELECT id, {aggregate}, {aggregate} FILTER (WHERE x > 2) FROM t GROUP BY id ORDER BY id"))
        .await
}

async fn plan(session: &SessionContext) -> String {
    let plan = rows(session, "EXPLAIN SELECT id, count(*) FROM t GROUP BY id").await;
    plan.concat().concat()
}

fn config(partitions: usize) -> SessionConfig {
    SessionConfig::new().with_target_partitions(partitions).with_batch_size(64)
}

async fn all_ways_agree(seed: u64) {
    let batches = batches(seed, 600, 40).await;
    let schema = batches[0].schema();
    let single = session_with(config(1));
    single.register_table("t", Arc::new(MemTable::try_new(schema.clone(), vec![batches.clone()]).unwrap())).unwrap();
    let spread: Vec<Vec<RecordBatch>> = batches.iter().cloned().map(|batch| vec![batch]).collect();
    let parallel = session_with(config(2));
    parallel.register_table("t", Arc::new(MemTable::try_new(schema.clone(), spread.clone()).unwrap())).unwrap();
    let wide = session_with(config(8));
    wide.register_table("t", Arc::new(MemTable::try_new(schema.clone(), spread.clone()).unwrap())).unwrap();
    // Partial aggregation is given up at once: every row becomes a state of its own.
    let skips = config(4)
        .set_u64("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", 1)
        .set_str("datafusion.execution.skip_partial_aggregation_probe_ratio_threshold", "0.0");
    let skipping = session_with(skips.clone());
    skipping.register_table("t", Arc::new(MemTable::try_new(schema.clone(), spread.clone()).unwrap())).unwrap();
    // Groups are found by an array, for as long as that pays, and given up after ten rows.
    let dense = dense_session(config(2), Arc::default());
    dense.register_table("t", Arc::new(MemTable::try_new(schema.clone(), spread.clone()).unwrap())).unwrap();
    assert!(plan(&dense).await.contains("DenseGroups"));
    let dense_skipping = dense_session(skips, Arc::default());
    dense_skipping.register_table("t", Arc::new(MemTable::try_new(schema.clone(), spread.clone()).unwrap())).unwrap();
    // Sorted by group, groups are emitted as soon as they are complete.
    let sorted = session_with(config(1));
    let table = MemTable::try_new(schema, spread).unwrap().with_sort_order(vec![vec![col("id").sort(true, false)]; 4]);
    sorted.register_table("t", Arc::new(table)).unwrap();
    for aggregate in AGGREGATES {
        let expected = answer(&single, aggregate).await;
        assert_eq!(expected, answer(&parallel, aggregate).await, "{aggregate} on 2 partitions, seed {seed}");
        assert_eq!(expected, answer(&wide, aggregate).await, "{aggregate} on 8 partitions, seed {seed}");
        assert_eq!(
            expected,
            answer(&skipping, aggregate).await,
            "{aggregate} without partial aggregation, seed {seed}"
        );
        assert_eq!(expected, answer(&sorted, aggregate).await, "{aggregate} of sorted rows, seed {seed}");
        assert_eq!(expected, answer(&dense, aggregate).await, "{aggregate} of dense groups, seed {seed}");
        assert_eq!(expected, answer(&dense_skipping, aggregate).await, "{aggregate} of rows apart, seed {seed}");
    }
    for estimate in ESTIMATED {
        let sql = format!("SELECT x, {estimate} FROM t GROUP BY x ORDER BY x");
        let expected = rows(&single, &sql).await;
        for session in [&parallel, &wide, &skipping, &sorted, &dense, &dense_skipping] {
            assert_eq!(expected, rows(session, &sql).await, "{estimate}, seed {seed}");
        }
    }
    for (aggregate, field) in ROUNDED {
        let expected = rounded(&single, aggregate, field).await;
        for session in [&parallel, &wide, &skipping, &sorted, &dense, &dense_skipping] {
            assert_eq!(expected, rounded(session, aggregate, field).await, "{aggregate}, seed {seed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_answer_does_not_depend_on_the_way(seed in 0u64..u64::MAX) {
        tokio::runtime::Runtime::new().unwrap().block_on(all_ways_agree(seed));
    }
}

/// Hand-made loops over the same rows are the independent source.
#[tokio::test]
async fn rfm_of_random_rows_is_what_sql_says() {
    let session = session_with(config(4));
    let batches = batches(7, 600, 40).await;
    let table = MemTable::try_new(batches[0].schema(), batches.into_iter().map(|batch| vec![batch]).collect()).unwrap();
    session.register_table("t", Arc::new(table)).unwrap();
    let ours = "SELECT id, r['recency_days'], r['frequency'], r['monetary'] FROM (SELECT id, rfm(ts, amount, as_of) AS r FROM t GROUP BY id) ORDER BY id";
    let plain = "SELECT id, 600 - max(day), count(*), sum(amount) FROM (SELECT id, amount, CAST(floor((arrow_cast(ts, 'Int64') + 28800000000) / 86400000000) AS BIGINT) AS day FROM t)
        WHERE day <= 600 GROUP BY id ORDER BY id";
    assert_eq!(rows(&session, ours).await, rows(&session, plain).await);
}

/// How often the plan went to disk.
fn spills(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
    own + plan.children().iter().map(|child| spills(child.as_ref())).sum::<usize>()
}

/// The answer in little memory with the number of spills, or what it was refused with.
async fn pressed(session: &SessionContext, sql: &str) -> Result<(Vec<Vec<String>>, usize), String> {
    let frame = session.sql(sql).await.map_err(|error| error.to_string())?;
    let (plan, task) = (frame.clone().create_physical_plan().await.unwrap(), Arc::new(frame.task_ctx()));
    let batches = collect(Arc::clone(&plan), task).await.map_err(|error| error.to_string())?;
    let cell = |batch: &RecordBatch, column: usize, row: usize| match batch.column(column).is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(batch.column(column), row).unwrap(),
    };
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| (0..batch.num_columns()).map(|column| cell(batch, column, row)).collect())
    });
    Ok((rows.collect(), spills(plan.as_ref())))
}

/// With so little memory that groups go to disk, the answer is the same, or says clearly that memory is out.
#[tokio::test]
async fn every_aggregate_spills_or_says_that_memory_is_out() {
    let batches = batches(11, 24_000, 8_000).await;
    let table = |ways: usize| {
        let parts: Vec<Vec<RecordBatch>> =
            (0..ways).map(|way| batches.iter().skip(way).step_by(ways).cloned().collect()).collect();
        Arc::new(MemTable::try_new(batches[0].schema(), parts).unwrap())
    };
    let roomy = session_with(config(1));
    roomy.register_table("t", table(1)).unwrap();
    for aggregate in AGGREGATES.iter().filter(|aggregate| !aggregate.contains("_fit(")) {
        let sql = format!("SELECT id, {aggregate} FROM t GROUP BY id ORDER BY id");
        let (expected, _) = pressed(&roomy, &sql).await.unwrap();
        let mut spilled = 0;
        for kilobytes in [16_384, 4_096, 1_024, 512] {
            let pool = Arc::new(FairSpillPool::new(kilobytes * 1_024));
            let runtime = Arc::new(RuntimeEnvBuilder::new().with_memory_pool(pool).build().unwrap());
            let small = config(2).with_batch_size(1_024).with_sort_spill_reservation_bytes(65_536);
            let mut session = SessionContext::new_with_config_rt(small.clone(), Arc::clone(&runtime));
            henna_udfs::register_all(&mut session).unwrap();
            session.register_table("t", table(2)).unwrap();
            let dense = dense_session(small, runtime);
            dense.register_table("t", table(2)).unwrap();
            for session in [&session, &dense] {
                match pressed(session, &sql).await {
                    Ok((answer, spills)) => {
                        assert_eq!(expected, answer, "{aggregate} in {kilobytes} kB");
                        spilled += spills;
                    }
                    Err(refused) => {
                        assert!(refused.contains("Resources exhausted"), "{aggregate} in {kilobytes} kB: {refused}")
                    }
                }
            }
        }
        assert!(spilled > 0, "{aggregate} never went to disk");
    }
}

/// Keys of every kind that counts as an integer, far and near, with NULL among them.
#[tokio::test]
async fn dense_groups_know_every_key() {
    let numbers =
        "SELECT CAST(column1 AS BIGINT) AS n FROM (VALUES (0), (1), (1), (NULL), (127), (-128), (NULL), (5), (0))";
    let keys = [
        "CAST(n AS SMALLINT)",
        "CAST(n AS INT)",
        "n",
        "arrow_cast(n, 'Int8')",
        "arrow_cast(abs(n), 'UInt8')",
        "arrow_cast(abs(n), 'UInt16')",
        "arrow_cast(abs(n), 'UInt32')",
        "n * 40000000000000000",
        "n * 4097",
    ];
    for key in keys {
        let sql = format!(
            "SELECT k, arrow_typeof(k), count(*), sum(n) FILTER (WHERE n > 0) FROM (SELECT {key} AS k, n FROM t) GROUP BY k ORDER BY k"
        );
        let mut answers = Vec::new();
        for session in [session_with(config(3)), dense_session(config(3), Arc::default())] {
            let table = session.sql(numbers).await.unwrap().collect().await.unwrap();
            let spread = MemTable::try_new(table[0].schema(), vec![table.clone(), table.clone(), table]).unwrap();
            session.register_table("t", Arc::new(spread)).unwrap();
            answers.push(rows(&session, &sql).await);
        }
        assert_eq!(answers[0], answers[1], "{key}");
        assert_eq!(answers[0].len(), 6, "{key}");
    }
}
