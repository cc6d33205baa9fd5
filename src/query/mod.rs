//! Sessions: statements in, streams of record batches out.
//!
//! [`Lake`] is what all sessions share; a [`Session`] is one principal's conversation with it. A statement is parsed
//! (`statement`), judged (`judge`, `utility`), its names resolved as the caller (`names`), planned (`planning`), kept for its next run (`kept`), run on
//! the query threads (`pool`) under one guard (`guard`), and told as PostgreSQL tells it (`answer`, `failure`). How it ended goes to the audit log (`audit`).

mod activity;
mod answer;
mod applying;
mod as_of;
mod audit;
mod audit_table;
mod authoring;
mod block;
mod calls;
mod columns;
mod copy;
mod cursor;
mod dataset_now;
mod ddl;
mod engine;
mod explain;
mod failure;
mod founded;
mod founding;
pub mod functions;
mod guard;
mod insert;
mod inspection;
mod judge;
mod kept;
mod load;
mod location;
mod names;
mod planning;
mod pool;
mod prepared;
mod pseudonym_key;
mod query_log;
mod retention;
mod role_attribute;
mod security_log;
mod series;
mod session;
mod settings;
mod size;
mod statement;
mod stoppable;
mod system;
#[cfg(test)]
mod tests;
mod travel;
mod unnamed;
mod upkeep;
mod utility;
mod viewpoint;

pub use answer::{Answer, Notice, TransactionStatus};
pub use applying::DatasetPlan;
pub use copy::{Columns, CopyCsv, CopyForm, CopyHeader, CopyIn, CopyStatement, CopyText};
pub use ddl::Ddl;
pub use engine::{Lake, Limits, Opening};
pub use failure::failure;
pub use founding::ADMIN;
pub use guard::{Canceller, StatementGuard};
pub use load::{Loaded, RowsLoad};
pub use pool::STACK_BYTES;
pub use prepared::{NamedStatement, NamedStatements};
pub use session::{Prepared, Session};
pub use settings::SERVER_VERSION;
pub use statement::{Statement, StatementKind};
pub use upkeep::Upkeep;
