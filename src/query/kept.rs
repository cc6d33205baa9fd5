//! Statements that a session has met before: parsed, described and planned once, while nothing has changed that they lean on.
//!
//! A plan that is kept knows what its names mean and that its columns may be read. It is good on its [`Ground`] alone: the
//! very security snapshot, principal and settings that it was made with; and while the tables that it reads are at the
//! versions that it was made over. Everything else makes it anew. Which rows it gives is not part of it: policies, masks
//! and grants are looked up again by each scan, the clock and the functions of the session by each run.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use super::names::lock;
use super::session::Prepared;
use crate::access::{Principal, SecuredTable, SecuritySnapshot, TableId};
use crate::dataset::Dataset;
use crate::lake::{RawTable, Snapshot, TableName};

/// Statements that one session keeps.
const STATEMENTS_MAX: usize = 64;
/// The same by weight. What a text is parsed into and planned as is some ten times as large.
const WEIGHT_MAX: usize = 256 << 10;
/// No statement takes the place of more than some others.
const STATEMENT_WEIGHT_MAX: usize = WEIGHT_MAX / 4;
/// A node of a plan, in bytes of text: a short text may name a view that is long.
const NODE_WEIGHT: usize = 256;

/// What a plan stands on beside the tables that it reads.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// A snapshot is never changed: the same one says the same of objects, rights, roles and views. Held weakly, so that it is
    /// nobody else's address, and not kept for the sake of a plan.
    security: Weak<SecuritySnapshot>,
    /// Which text of the dataset it is, in the same way.
    dataset: Weak<Dataset>,
    principal: Principal,
    settings: u64,
}

impl Ground {
    pub fn new(security: &Arc<SecuritySnapshot>, dataset: &Arc<Dataset>, principal: Principal, settings: u64) -> Self {
        Self { security: Arc::downgrade(security), dataset: Arc::downgrade(dataset), principal, settings }
    }
}

impl PartialEq for Ground {
    fn eq(&self, other: &Self) -> bool {
        let Self { security, dataset, principal, settings } = self;
        security.ptr_eq(&other.security)
            && dataset.ptr_eq(&other.dataset)
            && *principal == other.principal
            && *settings == other.settings
    }
}

/// A judged plan.
pub(super) struct KeptPlan {
    pub plan: LogicalPlan,
    /// The versions of tables that it reads, those of merged identities too.
    pub tables: Vec<(TableName, Arc<Snapshot>)>,
    /// What the statement names, for the audit log.
    pub relations: Vec<TableId>,
    /// The one row of a plan of constants, once it was made.
    pub row: OnceLock<RecordBatch>,
    ground: Ground,
    nodes: usize,
}

impl KeptPlan {
    /// None of a plan that may not be kept: what it reads was put together when it was planned.
    pub fn of(
        plan: &LogicalPlan,
        ground: Ground,
        tables: Vec<(TableName, Arc<Snapshot>)>,
        relations: Vec<TableId>,
    ) -> Option<Self> {
        let nodes = lasting_nodes(plan).ok()??;
        Some(Self { plan: plan.clone(), tables, relations, row: OnceLock::new(), ground, nodes })
    }

    /// Whether it gives one row that is written in the statement: the same at any time and to anyone.
    pub fn is_constant(&self) -> bool {
        let LogicalPlan::Projection(projection) = &self.plan else { return false };
        let LogicalPlan::EmptyRelation(input) = projection.input.as_ref() else { return false };
        input.produce_one_row && projection.expr.iter().all(is_written)
    }
}

/// The number of nodes, where each leaf is a table of the lake or holds what the statement itself says. System tables and table
/// functions are filled while they are planned; a view as owner has a plan of its own inside.
fn lasting_nodes(plan: &LogicalPlan) -> DfResult<Option<usize>> {
    let (mut nodes, mut lasts) = (0, true);
    plan.apply_with_subqueries(|node| {
        nodes += 1;
        if let LogicalPlan::TableScan(scan) = node {
            lasts &= reads_lake(scan)?;
        }
        lasts &= !matches!(node, LogicalPlan::Extension(_));
        Ok(if lasts { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(lasts.then_some(nodes))
}

fn reads_lake(scan: &TableScan) -> DfResult<bool> {
    let provider = source_as_provider(&scan.source)?;
    Ok(provider.downcast_ref::<SecuredTable>().is_some_and(|table| table.behind::<RawTable>().is_some()))
}

fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_written(&alias.expr),
        // The text of a time means what the settings say, and some texts mean the present.
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Literal(value, _) if is_number(&value.data_type())),
        _ => false,
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == DataType::Boolean
}

/// The statements that one session keeps, the last used first.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<Entry>>);

struct Entry {
    prepared: Arc<Prepared>,
    plan: Arc<KeptPlan>,
}

impl Entry {
    fn weight(&self) -> usize {
        self.prepared.statement.source.len() + self.plan.nodes * NODE_WEIGHT
    }
}

impl Kept {
    /// The statement of exactly this text and these hints of types, while its plan is good.
    pub fn find(&self, text: &str, types: &[Option<DataType>], ground: &Ground) -> Option<Arc<Prepared>> {
        let is_it = |entry: &Entry| {
            let Prepared { statement, types: hints, .. } = entry.prepared.as_ref();
            statement.is_alone && *statement.source == *text && hints == types
        };
        let mut entries = lock(&self.0);
        let entry = used(&mut entries, is_it)?;
        (entry.plan.ground == *ground).then(|| Arc::clone(&entry.prepared))
    }

    /// The plan of a statement, while it is good; the versions of its tables are left to the caller.
    pub fn plan_of(&self, prepared: &Arc<Prepared>, ground: &Ground) -> Option<Arc<KeptPlan>> {
        let mut entries = lock(&self.0);
        let entry = used(&mut entries, |entry| Arc::ptr_eq(&entry.prepared, prepared))?;
        (entry.plan.ground == *ground).then(|| Arc::clone(&entry.plan))
    }

    /// Keeps a plan in the place of an earlier one, and takes leave of what was not used for longest.
    pub fn keep(&self, prepared: &Arc<Prepared>, plan: &Arc<KeptPlan>) {
        let entry = Entry { prepared: Arc::clone(prepared), plan: Arc::clone(plan) };
        let is_same = |other: &Entry| {
            let (one, two) = (&entry.prepared.statement, &other.prepared.statement);
            Arc::ptr_eq(&entry.prepared, &other.prepared)
                || one.is_alone
                    && two.is_alone
                    && one.source == two.source
                    && entry.prepared.types == other.prepared.types
        };
        let mut entries = lock(&self.0);
        entries.retain(|other| !is_same(other));
        if entry.weight() > STATEMENT_WEIGHT_MAX {
            return;
        }
        entries.push_front(entry);
        while entries.len() > STATEMENTS_MAX || entries.iter().map(Entry::weight).sum::<usize>() > WEIGHT_MAX {
            entries.pop_back();
        }
    }

    /// DISCARD PLANS.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// The first entry that `is_it`, which becomes the first of all.
fn used(entries: &mut VecDeque<Entry>, is_it: impl Fn(&Entry) -> bool) -> Option<&Entry> {
    let place = entries.iter().position(is_it)?;
    let entry = entries.remove(place)?;
    entries.push_front(entry);
    entries.front()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::{Answer, Lake, Session};
    use super::*;

    async fn session() -> Session {
        let lake = Lake::detached().await.unwrap();
        lake.session(lake.principal("admin").unwrap()).await.unwrap()
    }

    async fn run(session: &Session, sql: &str) -> Arc<Prepared> {
        let prepared = session.prepare(&session.parse(sql).unwrap()[0], &[]).await.unwrap();
        if let Answer::Rows { stream, .. } = session.run(&prepared, Vec::new()).await.unwrap() {
            let _: Vec<RecordBatch> = futures::TryStreamExt::try_collect(stream).await.unwrap();
        }
        prepared
    }

    #[tokio::test]
    async fn a_statement_that_is_met_again_is_known_and_its_plan_is_the_same() {
        let session = session().await;
        let sql = "SELECT number FROM numbers WHERE number = 1";
        let first = run(&session, sql).await;
        assert!(Arc::ptr_eq(&first, &run(&session, sql).await));
        assert!(Arc::ptr_eq(&first, &session.known(sql, &[]).unwrap()));
        assert_eq!(session.kept.len(), 1);
        // Other hints and another text are other statements.
        assert!(session.known(sql, &[Some(DataType::Utf8)]).is_none());
        assert!(session.known("SELECT number FROM numbers WHERE number = 2", &[]).is_none());
        run(&session, "SET application_name = 'another'").await;
        assert!(session.known(sql, &[]).is_none());
        run(&session, sql).await;
        assert!(session.known(sql, &[]).is_some());
        run(&session, "DISCARD PLANS").await;
        assert!(session.known(sql, &[]).is_none());
    }

    #[tokio::test]
    async fn what_is_filled_while_it_is_planned_is_not_kept() {
        let session = session().await;
        for sql in [
            "SELECT count(*) FROM pg_catalog.pg_class",
            "SELECT count(*) FROM information_schema.tables",
            "SELECT count(*) FROM henna.settings",
            "SELECT count(*) FROM generate_series(1, 10)",
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class)",
            "SELECT number FROM numbers UNION ALL SELECT count(*) FROM henna.activity",
            "EXPLAIN SELECT number FROM numbers",
            "SHOW search_path",
        ] {
            run(&session, sql).await;
            assert_eq!(session.kept.len(), 0, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_session_keeps_so_many_statements_and_no_large_ones() {
        let session = session().await;
        for number in 0..3 * STATEMENTS_MAX {
            run(&session, &format!("SELECT number FROM numbers WHERE number = {number}")).await;
        }
        assert_eq!(session.kept.len(), STATEMENTS_MAX);
        let long = format!("SELECT '{}'", "x".repeat(STATEMENT_WEIGHT_MAX));
        run(&session, &long).await;
        assert!(session.known(&long, &[]).is_none());
        for number in 0..20 {
            run(&session, &format!("SELECT '{number}{}'", "x".repeat(STATEMENT_WEIGHT_MAX / 2))).await;
        }
        assert!(session.kept.len() < 10, "{}", session.kept.len());
    }

    #[tokio::test]
    async fn only_what_is_written_in_a_statement_is_a_constant() {
        let session = session().await;
        for (sql, expected) in [
            ("SELECT 1", true),
            ("SELECT 'a' AS b, NULL, true, 1.5", true),
            ("SELECT now()", false),
            ("SELECT current_user", false),
            ("SELECT '2026-01-01'::timestamptz", false),
            ("SELECT 1 FROM numbers", false),
            ("SELECT 1 WHERE false", false),
            ("SELECT (SELECT 1)", false),
            ("SELECT random()", false),
        ] {
            let prepared = run(&session, sql).await;
            let plan = lock(&session.kept.0)
                .iter()
                .find(|entry| Arc::ptr_eq(&entry.prepared, &prepared))
                .map(|entry| Arc::clone(&entry.plan));
            let plan = plan.unwrap_or_else(|| panic!("{sql} is not kept"));
            assert_eq!((plan.is_constant(), plan.row.get().is_some()), (expected, expected), "{sql}");
        }
    }
}
