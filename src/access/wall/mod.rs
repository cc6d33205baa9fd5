//! The wall: tables whose hidden rows and values no statement can reach.
//!
//! A Filter node is no wall in DataFusion: predicates are merged and re-ordered, projections sink below filters, statistics
//! and metrics rise above them. So [`SecuredTable`] plans policy, masks and harmless predicates by itself, in a private state
//! with fixed options, and hands out a [`SecureScanExec`]: a leaf that tells nothing of its inside.

mod admission;
#[cfg(test)]
mod breach;
mod compact;
mod decision;
mod decisions;
mod environment;
mod expression;
mod leakproof;
mod membership;
mod planned_table;
mod pseudonym;
mod row_rules;
mod secure_scan;
mod secured_table;
mod totals;
mod wall_session;
mod walled_view;
mod zoned;

pub use admission::Admission;
#[cfg(test)]
pub use breach::Breach;
pub use environment::{TableResolver, WallEnvironment};
pub use membership::membership_rule;
pub use pseudonym::{Pseudonym, PseudonymKey};
pub use secure_scan::SecureScanExec;
pub use secured_table::{RawTables, SecuredTable};
pub use totals::ScanTotals;
pub use walled_view::WalledView;

#[cfg(test)]
mod tests;
