//! A mask: the expression that stands for a column wherever a caller reads it.

use serde::{Deserialize, Serialize};

/// SQL over the columns of the same table, of the column's own type, with full names in sub-queries.
///
/// It may ask who reads: `current_user`, `role_attribute('x')`, `pg_has_role('r', 'member')`. Filters, joins, groups and
/// sorts see its value. The owner of the table, superusers and BYPASSRLS read the column itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    pub expression: String,
}
