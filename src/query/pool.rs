//! The threads on which plans run, apart from those that serve sockets: a heavy plan cannot starve a cancel or a login.

use std::future::Future;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::stoppable::Stoppable;
use crate::error::{Error, Reason, Result};

/// Of a thread that plans: planning walks trees by recursion. What is not used takes no memory.
pub const STACK_BYTES: usize = 16 << 20;

/// Batches that wait between a plan and the door that reads it.
const BATCHES_WAITING_MAX: usize = 2;

/// A thread pool of its own.
#[derive(Debug)]
pub struct Pool {
    handle: Handle,
    /// Taken when the pool is dropped: a runtime must not be waited for on an async thread.
    runtime: Option<Runtime>,
}

impl Pool {
    /// `threads` of 0 is one per core.
    pub fn new(threads: usize) -> Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.thread_stack_size(STACK_BYTES);
        if threads > 0 {
            builder.worker_threads(threads);
        }
        let runtime =
            builder.thread_name("henna-query").enable_all().build().map_err(|error| Error::of(Reason::Io, error))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs `work` on the pool. Dropping the returned future ends the work at its next await.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        match AbortOnDropHandle::new(self.handle.spawn(work)).await {
            Ok(outcome) => outcome,
            Err(fault) => Err(Error::new(Reason::Internal, format!("a query thread failed: {fault}"))),
        }
    }

    /// Executes `plan` on the pool. Its batches pass a short queue: a reader that is slow slows the plan, and one that
    /// drops the stream ends it.
    pub fn stream(&self, runnable: &Stoppable, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let schema = runnable.plan.schema();
        let stop = runnable.stop_on_drop();
        let task = AbortOnDropHandle::new(self.handle.spawn(forward(Arc::clone(&runnable.plan), context, sender)));
        let batches = futures::stream::unfold((receiver, Some(task), stop), |(mut receiver, task, stop)| async move {
            match (receiver.recv().await, task) {
                (Some(item), task) => Some((item, (receiver, task, stop))),
                // The queue also closes when the task dies: that must not look like the end of the rows.
                (None, Some(task)) => match task.await {
                    Ok(()) => None,
                    Err(fault) => {
                        let error = DataFusionError::Internal(format!("a query thread failed: {fault}"));
                        Some((Err(error), (receiver, None, stop)))
                    }
                },
                (None, None) => None,
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn forward(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>, sender: mpsc::Sender<DfResult<RecordBatch>>) {
    let mut stream = match execute_stream(plan, context) {
        Ok(stream) => stream,
        Err(error) => {
            // A reader that is gone needs no error.
            let _ = sender.send(Err(error)).await;
            return;
        }
    };
    while let Some(item) = stream.next().await {
        let failed = item.is_err();
        if sender.send(item).await.is_err() || failed {
            return;
        }
    }
}
