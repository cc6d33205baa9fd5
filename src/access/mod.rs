//! Who may see what: roles, grants, row policies and masks, and the wall that keeps them.
//!
//! 1. [`parse`] turns a security statement into an [`AccessStatement`].
//! 2. [`SecurityStore::apply`] checks that the principal may, writes one record into the security log, and publishes the
//!    next [`SecuritySnapshot`].
//! 3. [`SecurityStore::login`] gives the [`Principal`] of a user that proved itself; a session shares it with its tables
//!    through a [`PrincipalHandle`].
//! 4. A session can name [`SecuredTable`]s only. At each scan they decide anew, and give the raw scan or a [`SecureScanExec`].
//! 5. What was done, and what was refused, goes to the [`AuditLog`].

pub mod audit;
pub mod error;
pub mod model;
pub mod principal;
pub mod statement;
pub mod store;
pub mod throttle;
pub mod wall;

pub use audit::{
    AuditCheck, AuditEntry, AuditEvent, AuditKind, AuditLog, AuditReader, AuditRecord, AuditRun, AuditStore, AuditUser,
    Head, now_us,
};
pub use error::AccessError;
pub use model::change::Change;
pub use model::grant::{Privilege, PrivilegeSet};
pub use model::inquiry::RowSecurity;
pub use model::object::{ObjectId, RelationKind, TableId, Target, quoted};
pub use model::policy::PolicyCommand;
pub use model::role::{Membership, Role, RoleId};
pub use model::snapshot::{Revision, SecuritySnapshot};
pub use model::visible::Visible;
pub use principal::{Principal, PrincipalHandle, RowSecuritySetting};
pub use statement::{AccessStatement, RoleAlteration, parse};
pub use store::handle::SecurityHandle;
pub use store::log::{LogStore, LogStoreError, PutOutcome};
pub use store::memory::MemoryLog;
pub use store::naming::{NamingKind, NamingRule};
pub use store::objects::{ObjectChange, Objects, Relation};
pub use store::scram::Verifier;
pub use store::{AccessNotice, Applied, Planned, SecurityStore, authored, planned};
pub use throttle::{Attempt, Throttle};
#[cfg(test)]
pub use wall::Breach;
pub use wall::{
    Admission, Pseudonym, PseudonymKey, RawTables, ScanTotals, SecureScanExec, SecuredTable, TableResolver,
    WallEnvironment, WalledView, membership_rule,
};
