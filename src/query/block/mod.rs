//! What a transaction block has done to the lake: seen by its session alone until COMMIT makes it durable, whole.
//!
//! A block holds one of two things. **Steps** are statements about objects and rights (`steps`): COMMIT writes what all of
//! them come down to as one record of the security log. **Staged rows** go into a table that existed before (`staged`): they
//! wait in a table beside it, and COMMIT inserts them. A record and a commit of a table are two writes that cannot be one,
//! so a block that has one of them refuses the other, and a second table.
//!
//! A table that the block itself makes is filled at once: nobody else can name it before the record does.

mod implicit;
mod staged;
mod steps;

use std::sync::{Arc, MutexGuard};

use self::staged::Staged;
use self::steps::Step;
use super::answer::TransactionStatus;
use super::names::lock;
use super::session::Session;
use super::unnamed::Unnamed;
use crate::access::SecuritySnapshot;
use crate::error::{Error, Reason, Result};
use crate::lake::TableName;

pub(super) use self::staged::Destination;

/// Statements of one block that change something: each is kept until the end, and may be planned again.
const STEPS_MAX: usize = 1_000;

/// See the module.
#[derive(Default)]
pub(super) struct Block {
    /// The snapshot that everyone sees and that the steps were last planned over; None before the first step.
    base: Option<Arc<SecuritySnapshot>>,
    steps: Vec<Arc<Step>>,
    /// The tables that it made, also those that it dropped again.
    tables: Vec<Private>,
    staged: Option<Staged>,
}

/// A table that one block has to itself.
struct Private {
    table: Unnamed,
    /// The version with all rows that the block has put into it.
    version: u64,
}

/// Where a block stands at a savepoint.
#[derive(Debug, Clone)]
pub(super) struct BlockMark {
    steps: usize,
    /// Of each table that it had made.
    versions: Vec<u64>,
    /// Of the staged rows, where there are some.
    staged: Option<u64>,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    Nothing,
    Steps,
    Rows,
}

impl Block {
    /// An error where a statement about objects or rights cannot be part of it.
    pub fn require_step(&self, tag: &str) -> Result<()> {
        if let Some(staged) = &self.staged {
            let table = staged.table();
            let text = format!("{tag} in a transaction block that has inserted into table {table} is not supported");
            return Err(Error::new(Reason::Unsupported, text).with_hint("COMMIT first, or insert after it"));
        }
        if self.steps.len() >= STEPS_MAX {
            let text = format!("a transaction block may change objects and rights {STEPS_MAX} times");
            return Err(Error::new(Reason::LimitExceeded, text).with_hint("COMMIT more often"));
        }
        Ok(())
    }

    fn mark(&self) -> BlockMark {
        BlockMark {
            steps: self.steps.len(),
            versions: self.tables.iter().map(|made| made.version).collect(),
            staged: self.staged.as_ref().map(Staged::version),
        }
    }

    fn made_mut(&mut self, folder: &TableName) -> Option<&mut Private> {
        self.tables.iter_mut().find(|made| made.table.folder() == folder)
    }
}

impl Session {
    pub(super) fn in_block(&self) -> bool {
        self.transaction() != TransactionStatus::Idle
    }

    /// What an end of the transaction would make durable, or lose.
    pub(super) fn holding(&self) -> Holding {
        let block = self.block();
        match (&block.staged, block.steps.is_empty()) {
            (Some(_), _) => Holding::Rows,
            (None, false) => Holding::Steps,
            (None, true) => Holding::Nothing,
        }
    }

    /// An error where a statement about objects or rights cannot be part of the open block.
    pub(super) fn require_step(&self, tag: &str) -> Result<()> {
        self.block().require_step(tag)
    }

    pub(super) fn mark_block(&self) -> BlockMark {
        self.block().mark()
    }

    /// COMMIT: all of the block, or an error and nothing of it.
    pub(super) async fn commit_block(&self) -> Result<()> {
        let mut block = std::mem::take(&mut *self.block());
        match block.staged.take() {
            Some(staged) => self.commit_staged(staged).await,
            None => self.commit_steps(block).await,
        }
    }

    /// ROLLBACK: its tables go.
    pub(super) async fn discard_block(&self) {
        let block = std::mem::take(&mut *self.block());
        let staged = block.staged.map(Staged::into_table);
        discard_all(block.tables.into_iter().map(|made| made.table).chain(staged)).await;
    }

    /// What everyone sees counts again.
    pub(super) fn leave_block(&self) {
        *self.block() = Block::default();
        self.security().set_pending(None);
        self.names().set_aside(None);
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(super) async fn take_block_back_to(&self, mark: &BlockMark) -> Result<()> {
        let (gone, earlier) = self.forget_steps_after(mark);
        discard_all(gone.into_iter().chain(self.forget_rows_after(mark))).await;
        for (folder, version) in earlier {
            let version = self.lake().store().take_back(&folder, version).await?;
            let mut block = self.block();
            if let Some(made) = block.made_mut(&folder) {
                made.version = version;
            } else if let Some(staged) = &mut block.staged {
                staged.set_version(version);
            }
        }
        Ok(())
    }

    pub(super) fn block(&self) -> MutexGuard<'_, Block> {
        lock(&self.block)
    }
}

async fn discard_all(tables: impl Iterator<Item = Unnamed>) {
    for table in tables {
        table.discard().await;
    }
}
