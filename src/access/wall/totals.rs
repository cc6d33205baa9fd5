//! What secured scans have read and left out: for the program that embeds the lake. SQL cannot ask for it, because it tells
//! of hidden rows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

/// Sums over the scans that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanTotals {
    pub scans: u64,
    pub files_scanned: u64,
    /// Files that the statistics of the table's log ruled out.
    pub files_pruned: u64,
    pub row_groups_scanned: u64,
    /// Row groups that the statistics or bloom filters of their file ruled out.
    pub row_groups_pruned: u64,
    pub bytes_scanned: u64,
    /// Rows that the policy was asked about.
    pub rows_read: u64,
}

impl ScanTotals {
    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            scans: self.scans - earlier.scans,
            files_scanned: self.files_scanned - earlier.files_scanned,
            files_pruned: self.files_pruned - earlier.files_pruned,
            row_groups_scanned: self.row_groups_scanned - earlier.row_groups_scanned,
            row_groups_pruned: self.row_groups_pruned - earlier.row_groups_pruned,
            bytes_scanned: self.bytes_scanned - earlier.bytes_scanned,
            rows_read: self.rows_read - earlier.rows_read,
        }
    }

    /// Adds what the nodes of a plan have counted.
    fn add_plan(&mut self, plan: &dyn ExecutionPlan) {
        if let Some(metrics) = plan.metrics() {
            self.add_metrics(&metrics, plan.name() == "DataSourceExec");
        }
        plan.children().into_iter().for_each(|child| self.add_plan(child.as_ref()));
    }

    fn add_metrics(&mut self, metrics: &MetricsSet, is_source: bool) {
        for metric in metrics.iter() {
            let value = metric.value();
            let count = value.as_usize() as u64;
            match (value, value.name()) {
                (MetricValue::OutputRows(_), _) if is_source => self.rows_read += count,
                (MetricValue::Count { .. }, "files_scanned") => self.files_scanned += count,
                (MetricValue::Count { .. }, "files_pruned_by_log") => self.files_pruned += count,
                (MetricValue::Count { .. }, "bytes_scanned") => self.bytes_scanned += count,
                (MetricValue::PruningMetrics { pruning_metrics, .. }, "row_groups_pruned_statistics") => {
                    self.row_groups_scanned += pruning_metrics.matched() as u64;
                    self.row_groups_pruned += pruning_metrics.pruned() as u64;
                }
                (MetricValue::PruningMetrics { pruning_metrics, .. }, "row_groups_pruned_bloom_filter") => {
                    self.row_groups_scanned = self.row_groups_scanned.saturating_sub(pruning_metrics.pruned() as u64);
                    self.row_groups_pruned += pruning_metrics.pruned() as u64;
                }
                _ => {}
            }
        }
    }
}

/// Where the scans of one lake are summed up.
#[derive(Debug, Default)]
pub struct ScanCounters(Mutex<ScanTotals>);

impl ScanCounters {
    pub fn totals(&self) -> ScanTotals {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scan behind the wall; when the last that holds it lets go, and it has run, it is summed up.
#[derive(Debug)]
pub struct CountedScan {
    inner: Arc<dyn ExecutionPlan>,
    counters: Arc<ScanCounters>,
    has_run: AtomicBool,
}

impl CountedScan {
    pub fn new(inner: Arc<dyn ExecutionPlan>, counters: Arc<ScanCounters>) -> Self {
        Self { inner, counters, has_run: AtomicBool::new(false) }
    }

    /// The same counters for another plan.
    pub fn with_inner(&self, inner: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(inner, Arc::clone(&self.counters))
    }

    pub fn run(&self) {
        self.has_run.store(true, Ordering::Relaxed);
    }
}

impl Drop for CountedScan {
    fn drop(&mut self) {
        if self.has_run.load(Ordering::Relaxed) {
            let mut totals = self.counters.0.lock().unwrap_or_else(PoisonError::into_inner);
            totals.scans += 1;
            totals.add_plan(self.inner.as_ref());
        }
    }
}
