//! Rows of a table of the lake, read without a session.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::error::IngestError;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{Snapshot, Store};

/// Gives `take` the columns of the rows of a snapshot that keep a condition, batch by batch.
pub async fn scan(
    store: &Store,
    contract: &Contract,
    snapshot: Arc<Snapshot>,
    columns: &[&str],
    kept: Option<Expr>,
    mut take: impl FnMut(&RecordBatch),
) -> Result<()> {
    let context = SessionContext::new();
    store.register(&context.runtime_env())?;
    let provider = snapshot.provider(contract.stored_schema(), None);
    let mut frame = context.read_table(provider).map_err(IngestError::from)?;
    if let Some(kept) = kept {
        frame = frame.filter(kept).map_err(IngestError::from)?;
    }
    let frame = frame.select_columns(columns).map_err(IngestError::from)?;
    let mut stream = frame.execute_stream().await.map_err(IngestError::from)?;
    while let Some(batch) = stream.try_next().await.map_err(IngestError::from)? {
        take(&batch);
    }
    Ok(())
}
