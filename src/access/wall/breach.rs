//! Holes in the wall, for the tests that must find them. This file exists in builds for tests alone.

use std::sync::OnceLock;

use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;

use super::leakproof::LeakProof;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Every predicate of the caller runs on hidden rows.
    Predicates,
    /// Harmless predicates run on the values that masks cover.
    Masks,
}

/// The hole of one wall, if it has one.
#[derive(Debug, Default)]
pub struct Breached(OnceLock<Breach>);

impl Breached {
    /// A second hole in the same wall is not made.
    pub fn plant(&self, breach: Breach) {
        let _ = self.0.set(breach);
    }

    /// Whether the hole lets a predicate pass; None where there is no hole.
    pub fn lets_pass(&self, schema: &DFSchema, predicate: &Expr) -> Option<bool> {
        self.0.get().map(|breach| match breach {
            Breach::Predicates => true,
            Breach::Masks => LeakProof { schema, plain: &|_| true }.accepts(predicate),
        })
    }
}
