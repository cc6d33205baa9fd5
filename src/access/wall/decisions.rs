//! What the snapshot decides, kept for all scans of a lake: a policy is parsed and resolved once, not at each scan.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::Schema;
use datafusion::error::Result;
use datafusion::execution::context::SessionState;

use super::super::error::AccessError;
use super::super::model::object::TableId;
use super::super::model::snapshot::SecuritySnapshot;
use super::super::principal::Principal;
use super::decision::Decision;
use super::row_rules::RowRules;

/// Decisions that are kept; where there are more, all are made anew.
const DECISIONS_MAX: usize = 4096;

/// A decision, and its rules as the engine's expressions.
#[derive(Debug)]
pub struct Decided {
    pub decision: Decision,
    rules: Mutex<Option<Arc<RowRules>>>,
}

impl Decided {
    /// The rules over a table of this schema; None where they read other tables too.
    pub fn row_rules(&self, id: &TableId, schema: &Schema, planner: &SessionState) -> Result<Option<Arc<RowRules>>> {
        if self.decision.has_query() {
            return Ok(None);
        }
        let mut kept = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = kept.as_ref().filter(|rules| rules.are_over(schema)) {
            return Ok(Some(Arc::clone(rules)));
        }
        let rules = Arc::new(RowRules::resolve(&self.decision, &id.table, schema, planner)?);
        *kept = Some(Arc::clone(&rules));
        Ok(Some(rules))
    }
}

/// The decisions that one snapshot led to. Another snapshot, whichever it is, finds none of them.
#[derive(Debug, Default)]
pub struct Decisions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    snapshot: Option<Arc<SecuritySnapshot>>,
    of: HashMap<TableId, HashMap<Principal, Arc<Decided>>>,
    count: usize,
}

impl Decisions {
    /// What `snapshot` decides about a table for a principal.
    pub fn of(
        &self,
        snapshot: &Arc<SecuritySnapshot>,
        principal: &Principal,
        id: &TableId,
    ) -> Result<Arc<Decided>, AccessError> {
        if let Some(found) = self.find(snapshot, principal, id) {
            return Ok(found);
        }
        let decision = Decision::of(snapshot, principal, id)?;
        let decided = Arc::new(Decided { decision, rules: Mutex::default() });
        if snapshot.branch().is_some() {
            // One session's own, until its transaction ends: what everyone uses stays where it is.
            return Ok(decided);
        }
        self.keep(snapshot, principal, id, Arc::clone(&decided));
        Ok(decided)
    }

    fn find(&self, snapshot: &Arc<SecuritySnapshot>, principal: &Principal, id: &TableId) -> Option<Arc<Decided>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_of(snapshot) {
            return None;
        }
        kept.of.get(id)?.get(principal).map(Arc::clone)
    }

    fn keep(&self, snapshot: &Arc<SecuritySnapshot>, principal: &Principal, id: &TableId, decided: Arc<Decided>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.is_of(snapshot) || kept.count >= DECISIONS_MAX {
            *kept = Kept { snapshot: Some(Arc::clone(snapshot)), ..Kept::default() };
        }
        if kept.of.entry(id.clone()).or_default().insert(principal.clone(), decided).is_none() {
            kept.count += 1;
        }
    }
}

impl Kept {
    fn is_of(&self, snapshot: &Arc<SecuritySnapshot>) -> bool {
        self.snapshot.as_ref().is_some_and(|own| Arc::ptr_eq(own, snapshot))
    }
}
