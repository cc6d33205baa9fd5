//! Sessions: statements in, streams of record batches out.

pub mod answer;
pub mod guard;
pub mod session;

pub use answer::{Answer, Notice, TransactionStatus};
pub use guard::{Canceller, StatementGuard};
pub use session::{Prepared, Session, Statement};
