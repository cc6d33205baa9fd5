//! A session with the functions, and readers of its answers and of the test data.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

pub fn session() -> SessionContext {
    session_with(SessionConfig::new().with_target_partitions(1))
}

pub fn session_with(config: SessionConfig) -> SessionContext {
    let mut session = SessionContext::new_with_config(config);
    henna_udfs::register_all(&mut session).unwrap();
    session
}

/// A session with the functions and the rule that groups by an array.
pub fn dense_session(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let state = SessionStateBuilder::new_with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rule(Arc::new(henna_udfs::DenseGroups))
        .build();
    let mut session = SessionContext::new_with_state(state);
    henna_udfs::register_all(&mut session).unwrap();
    session
}

/// The answer as text, a row a vector; NULL is "NULL".
pub async fn rows(session: &SessionContext, sql: &str) -> Vec<Vec<String>> {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    batches.iter().flat_map(text_of).collect()
}

/// The only value of the answer.
pub async fn value(session: &SessionContext, sql: &str) -> String {
    rows(session, sql).await.remove(0).remove(0)
}

/// The value of one expression in a session of its own.
pub async fn of(expression: &str) -> String {
    value(&session(), &format!("SELECT {expression}")).await
}

/// What the query is refused with.
pub async fn refusal(sql: &str) -> String {
    let frame = match session().sql(sql).await {
        Ok(frame) => frame,
        Err(error) => return error.to_string(),
    };
    frame.collect().await.unwrap_err().to_string()
}

fn text_of(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()).collect()
}

/// A file below the folder that HENNA_TEST_DATA names; without it the caller's test skips.
pub fn test_data(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HENNA_TEST_DATA");
    if folder.is_none() {
        eprintln!("skipped: HENNA_TEST_DATA names no folder with {file}");
    }
    folder.map(|folder| PathBuf::from(folder).join(file))
}

/// The lines of a CSV without quotes, after its header.
pub fn csv(text: &str) -> Vec<Vec<String>> {
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

pub fn close(actual: &str, expected: f64, tolerance: f64) {
    let actual: f64 = actual.parse().unwrap();
    assert!((actual - expected).abs() <= tolerance, "{actual} is not within {tolerance} of {expected}");
}
