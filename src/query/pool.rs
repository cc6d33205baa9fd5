//! The threads on which plans run, apart from those that serve sockets: a heavy plan cannot starve a cancel or a login.

use std::future::Future;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::stoppable::{StopOnDrop, Stoppable};
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

    /// Where work runs that outlives whoever asked for it.
    pub fn handle(&self) -> &Handle {
        &self.handle
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
        let task = AbortOnDropHandle::new(self.handle.spawn(forward(Arc::clone(&runnable.plan), context, sender)));
        batches(runnable.plan.schema(), receiver, task, runnable.stop_on_drop())
    }

    /// Makes a plan and executes it, on one thread of the pool: what is small does not change threads between the two.
    pub async fn start(
        &self,
        planning: impl Future<Output = Result<Stoppable>> + Send + 'static,
        context: Arc<TaskContext>,
    ) -> Result<(Arc<dyn ExecutionPlan>, SendableRecordBatchStream)> {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let (told, planned) = oneshot::channel();
        let task = AbortOnDropHandle::new(self.handle.spawn(async move {
            let (header, plan) = match planning.await {
                Ok(runnable) => (Ok((Arc::clone(&runnable.plan), runnable.stop_on_drop())), Some(runnable.plan)),
                Err(error) => (Err(error), None),
            };
            // Nobody waits for the rows of a plan that is not waited for.
            if told.send(header).is_ok()
                && let Some(plan) = plan
            {
                forward(plan, context, sender).await;
            }
        }));
        match planned.await {
            Ok(header) => {
                let (plan, stop) = header?;
                let rows = batches(plan.schema(), receiver, task, stop);
                Ok((plan, rows))
            }
            Err(_) => {
                let fault = task.await.err().map_or_else(|| "it ended".to_owned(), |fault| fault.to_string());
                Err(Error::new(Reason::Internal, format!("a query thread failed: {fault}")))
            }
        }
    }

    /// The same of a plan that gives a row or none: it comes back when it has run, and wakes its reader once.
    pub async fn finish(
        &self,
        planning: impl Future<Output = Result<Stoppable>> + Send + 'static,
        context: Arc<TaskContext>,
    ) -> Result<(Arc<dyn ExecutionPlan>, SendableRecordBatchStream)> {
        let work = async move {
            let runnable = planning.await?;
            // What waits for the work stops it by dropping it.
            let _stop = runnable.stop_on_drop();
            let given = match execute_stream(Arc::clone(&runnable.plan), context) {
                Ok(stream) => stream.collect().await,
                Err(error) => vec![Err(error)],
            };
            Ok((runnable.plan, given))
        };
        let (plan, given) = self.run(work).await?;
        let rows = RecordBatchStreamAdapter::new(plan.schema(), futures::stream::iter(given));
        Ok((plan, Box::pin(rows)))
    }
}

/// The batches that a task puts into a queue.
fn batches(
    schema: SchemaRef,
    receiver: mpsc::Receiver<DfResult<RecordBatch>>,
    task: AbortOnDropHandle<()>,
    stop: StopOnDrop,
) -> SendableRecordBatchStream {
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
