//! One message of several statements is one transaction, although nobody has said BEGIN.
//!
//! It begins with the first statement and ends with the last, or with the first error, which undoes all of it. BEGIN within it
//! makes it a block that stays open; COMMIT and ROLLBACK end it, and what follows them is the next.

use super::Holding;
use crate::error::Result;
use crate::query::answer::TransactionStatus;
use crate::query::session::Session;
use crate::query::statement;
use crate::query::utility::{Modes, Utility};

impl Session {
    /// Before each of several statements: where no transaction is open, one begins that nobody has asked for.
    pub fn begin_implicit(&self) -> Result<()> {
        let mut state = self.lock();
        if state.transaction() != TransactionStatus::Idle {
            return Ok(());
        }
        self.begin(&mut state, &Modes::default())?;
        state.is_implicit = true;
        Ok(())
    }

    /// After the last of them: what they did is durable, or an error and nothing of it.
    pub async fn end_implicit(&self) -> Result<()> {
        self.leave_implicit(Utility::Commit { end: false }).await
    }

    /// After an error of one of them: nothing of it is done.
    pub async fn abandon_implicit(&self) -> Result<()> {
        self.leave_implicit(Utility::RollBack).await
    }

    async fn leave_implicit(&self, how: Utility) -> Result<()> {
        // It is over whatever comes of it, and nobody is told that there was no BEGIN.
        if !std::mem::take(&mut self.lock().is_implicit) {
            return Ok(());
        }
        match (self.holding(), how) {
            (Holding::Nothing, Utility::Commit { .. }) => self.commit().await,
            (Holding::Nothing, how) => self.do_utility(&how).await,
            // What is done or lost is told to the audit log like that of every other block.
            (_, how) => {
                for statement in statement::parse(how.tag())? {
                    let prepared = self.prepare(&statement, &[]).await?;
                    self.run(&prepared, Vec::new()).await?;
                }
                Ok(())
            }
        }
    }
}
