//! Statements about objects and rights in a block.
//!
//! A step is planned when it runs, over what its session sees. It is planned again, over the newest snapshot, at the first
//! statement after another session has written a record, and at COMMIT: unless it comes down to the same changes there, the
//! block fails (40001) and nothing of it is done. So no block keeps a right that was taken away meanwhile, or undoes what
//! it has not seen.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::{Block, BlockMark, Private};
use crate::access::statement::AccessStatement;
use crate::access::{Change, ObjectChange, Planned, Principal, SecuritySnapshot, authored, planned};
use crate::error::{Error, Reason, Result};
use crate::lake::TableName;
use crate::query::authoring::AuthorObjects;
use crate::query::ddl::Place;
use crate::query::names::Names;
use crate::query::session::Session;
use crate::query::unnamed::{Unnamed, discard};

/// Says of a place what changes there.
type ObjectPlan = Box<dyn Fn(&Place<'_>) -> Result<Vec<ObjectChange>> + Send + Sync>;

/// A statement that has changed the session's own snapshot.
pub(super) struct Step {
    tag: &'static str,
    principal: Principal,
    /// Whether it was given as a superuser, who may write what others may not.
    is_superuser: bool,
    plan: Plan,
    changes: Vec<Change>,
    /// The folders of tables that it dropped: they go after COMMIT.
    doomed: OnceLock<Vec<TableName>>,
}

/// How a step is planned again.
enum Plan {
    Objects(ObjectPlan),
    /// With the search path that it was planned with.
    Access(AccessStatement, Vec<String>),
}

impl Step {
    /// What it comes down to over another snapshot than its own.
    async fn changes_over(&self, names: &Arc<Names>, over: &Arc<SecuritySnapshot>) -> Result<Vec<Change>> {
        match &self.plan {
            Plan::Objects(plan) => authored(over, &self.principal, &names.at_place(over, &self.principal, plan)?),
            Plan::Access(statement, path) => {
                let over = Arc::clone(over);
                let objects = AuthorObjects {
                    names,
                    over: Some(Arc::clone(&over)),
                    principal: &self.principal,
                    path,
                    session: None,
                };
                Ok(planned(&over, &self.principal, statement, &objects).await?.changes)
            }
        }
    }
}

/// `over` with the steps, each of which must come down to what it came down to before.
async fn replayed(
    steps: &[Arc<Step>],
    names: &Arc<Names>,
    over: &Arc<SecuritySnapshot>,
) -> Result<Arc<SecuritySnapshot>> {
    let mut state = Arc::clone(over);
    for step in steps {
        if state.is_superuser(step.principal.current_role()) != step.is_superuser {
            return Err(conflict(step.tag));
        }
        let changes = match step.changes_over(names, &state).await {
            Err(error) if !matches!(error.reason(), Reason::Io | Reason::Corrupt) => {
                return Err(conflict(step.tag).with_detail(error.to_string()));
            }
            other => other?,
        };
        let is_same = changes.len() == step.changes.len()
            && changes.iter().zip(&step.changes).all(|(now, before)| now.equals(before));
        if !is_same {
            return Err(conflict(step.tag));
        }
        state = Arc::new(SecuritySnapshot::clone(&state).branched(&step.changes));
    }
    Ok(state)
}

fn conflict(tag: &str) -> Error {
    let text = format!("could not serialize access: another session changed what {tag} of this transaction relies on");
    Error::new(Reason::Serialization, text).with_hint("The transaction might succeed if retried.")
}

impl Block {
    /// Writes the record. Whoever is cut off from here on may have done so: what it names must stay.
    async fn commit(self, names: Arc<Names>) -> Result<()> {
        let Self { base, steps, tables, .. } = self;
        let store = names.lake().store().clone();
        let seen = base.map(|base| base.revision());
        let changes: Vec<Change> = steps.iter().flat_map(|step| step.changes.clone()).collect();
        let security = names.security().snapshot();
        let by = distinct(steps.iter().map(|step| step.principal.current_user_name(&security)));
        let tag = distinct(steps.iter().map(|step| step.tag.to_owned()));
        let written = names.lake().security().write(&by, &tag, |newest| {
            let (steps, names, changes) = (&steps, &names, changes.clone());
            Box::pin(async move {
                if Some(newest.revision()) != seen {
                    replayed(steps, names, &newest).await?;
                }
                Ok((changes, ()))
            })
        });
        let written = written.await;
        // Refused is not written, and the tables go; what failed to be stored may be there all the same.
        let may_be = written.as_ref().err().is_none_or(|error| error.reason() == Reason::Io);
        for made in tables {
            if may_be {
                made.table.keep();
            } else {
                made.table.discard().await;
            }
        }
        if written.is_ok() {
            for step in &steps {
                for folder in step.doomed.get().into_iter().flatten() {
                    discard(&store, folder).await;
                }
            }
        }
        written
    }
}

/// Each text once, in order.
fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(text.clone())).collect::<Vec<_>>().join(", ")
}

impl Session {
    /// Changes objects: durably at once, or as a step of the block. `plan` says of a place what changes there, or why it may
    /// not be; it is asked again where others change the place meanwhile.
    pub(in crate::query) async fn author<T: Send + 'static>(
        &self,
        tag: &'static str,
        plan: impl Fn(&Place<'_>) -> Result<(Vec<ObjectChange>, T)> + Send + Sync + 'static,
    ) -> Result<T> {
        let principal = self.principal().get();
        if !self.in_block() {
            let names = self.names();
            let over = |security: &SecuritySnapshot| names.at_place(security, &principal, &plan);
            return self.lake().security().author(&principal, tag, over).await;
        }
        let over = self.security().snapshot();
        let (changes, outcome) = self.names().at_place(&over, &principal, &plan)?;
        let changes = authored(&over, &principal, &changes)?;
        let is_superuser = over.is_superuser(principal.current_role());
        let plan = Plan::Objects(Box::new(move |place: &Place<'_>| plan(place).map(|(changes, _)| changes)));
        self.take_step(&over, Step { tag, principal, is_superuser, plan, changes, doomed: OnceLock::new() })?;
        Ok(outcome)
    }

    /// A statement of the access room as a step of the block.
    pub(in crate::query) async fn step_of_access(
        &self,
        statement: &AccessStatement,
        objects: &AuthorObjects<'_>,
    ) -> Result<Planned> {
        let (over, principal) = (self.security().snapshot(), objects.principal.clone());
        let planned = planned(&over, &principal, statement, objects).await?;
        let plan = Plan::Access(statement.clone(), objects.path.to_vec());
        let is_superuser = over.is_superuser(principal.current_role());
        let (tag, changes) = (statement.tag(), planned.changes.clone());
        self.take_step(&over, Step { tag, principal, is_superuser, plan, changes, doomed: OnceLock::new() })?;
        Ok(planned)
    }

    fn take_step(&self, over: &Arc<SecuritySnapshot>, step: Step) -> Result<()> {
        if step.changes.is_empty() {
            return Ok(());
        }
        let mut block = self.block();
        block.require_step(step.tag)?;
        let pending = SecuritySnapshot::clone(over).branched(&step.changes);
        block.base.get_or_insert_with(|| Arc::clone(over));
        block.steps.push(Arc::new(step));
        self.security().set_pending(Some(Arc::new(pending)));
        Ok(())
    }

    /// Takes up a table that a step has named: it goes unless the block is committed.
    pub(in crate::query) fn keep_with_block(&self, table: Unnamed, version: u64) {
        self.block().tables.push(Private { table, version });
    }

    /// Takes away the folders of tables that have no name any more: at once, or when the block is committed.
    pub(in crate::query) async fn take_away(&self, folders: Vec<TableName>) {
        if folders.is_empty() {
            return;
        }
        if self.in_block() {
            if let Some(step) = self.block().steps.last() {
                // The step that has dropped them is the last one, and it drops once.
                let _ = step.doomed.set(folders);
            }
            return;
        }
        for folder in folders {
            discard(self.lake().store(), &folder).await;
        }
    }

    /// Plans the steps again where another session has written a record since they were last planned.
    pub(in crate::query) async fn follow_others(&self) -> Result<()> {
        let (seen, steps) = {
            let block = self.block();
            let Some(base) = block.base.as_ref().filter(|_| !block.steps.is_empty()) else { return Ok(()) };
            (base.revision(), block.steps.clone())
        };
        let newest = self.lake().security().snapshot();
        if newest.revision() == seen {
            return Ok(());
        }
        let pending = replayed(&steps, self.names(), &newest).await?;
        self.block().base = Some(newest);
        self.security().set_pending(Some(pending));
        Ok(())
    }

    pub(super) async fn commit_steps(&self, block: Block) -> Result<()> {
        if block.steps.is_empty() {
            return Ok(());
        }
        let names = Arc::clone(self.names());
        // Not to be dropped half way, so on a task of its own.
        let committing = tokio::spawn(block.commit(names));
        committing.await.map_err(|fault| Error::new(Reason::Internal, format!("a commit failed: {fault}")))?
    }

    /// Goes back to the steps at a savepoint; gives the tables that were made after it, and those of before whose rows have
    /// to follow, with their versions then.
    pub(super) fn forget_steps_after(&self, mark: &BlockMark) -> (Vec<Unnamed>, Vec<(TableName, u64)>) {
        let mut block = self.block();
        block.steps.truncate(mark.steps);
        let kept = mark.versions.len().min(block.tables.len());
        let gone = block.tables.split_off(kept).into_iter().map(|made| made.table).collect();
        if block.steps.is_empty() {
            block.base = None;
        }
        let pending = block.base.as_ref().map(|base| {
            let changes = block.steps.iter().flat_map(|step| &step.changes);
            Arc::new(SecuritySnapshot::clone(base).branched(changes))
        });
        self.security().set_pending(pending);
        let made = block.tables.iter().zip(&mark.versions).filter(|(made, version)| made.version != **version);
        let made = made.map(|(made, version)| (made.table.folder().clone(), *version));
        let staged = block.staged.as_ref().zip(mark.staged).filter(|(staged, version)| staged.version() != *version);
        let staged = staged.map(|(staged, version)| (staged.folder().clone(), version));
        (gone, made.chain(staged).collect())
    }
}
