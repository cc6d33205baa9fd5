//! What the snapshot decides about one table for one principal, before any plan.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::Expr;

use super::super::error::AccessError;
use super::super::model::grant::Privilege;
use super::super::model::inquiry::RowSecurity;
use super::super::model::object::TableId;
use super::super::model::policy::PolicyCommand;
use super::super::model::snapshot::SecuritySnapshot;
use super::super::principal::{Principal, RowSecuritySetting};
use super::expression::{for_caller, has_query, shows_column, truth};

/// The rows and values that the principal gets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// What a row must satisfy; None is every row.
    pub policy: Option<Expr>,
    /// What stands for a column. Columns that the principal sees as they are, are not in it.
    pub masks: BTreeMap<String, Expr>,
}

impl Decision {
    pub fn of(snapshot: &SecuritySnapshot, principal: &Principal, id: &TableId) -> Result<Self, AccessError> {
        snapshot.ensure_sound()?;
        let role = principal.checked_role();
        let policy = match snapshot.row_security(role, id, PolicyCommand::Select) {
            RowSecurity::Bypassed => None,
            RowSecurity::Policies(_) if principal.row_security() == RowSecuritySetting::Off => {
                return Err(AccessError::RowSecurityOff(id.table.clone()));
            }
            RowSecurity::Policies(policies) => Some(for_caller(&policies.using_sql(), snapshot, principal)?),
        };
        let policy = policy.filter(|policy| truth(policy) != Some(true));
        let masks = if snapshot.unmasked(role, id) { BTreeMap::new() } else { masks(snapshot, principal, id)? };
        Ok(Self { policy, masks })
    }

    /// Whether its expressions read other tables.
    pub fn has_query(&self) -> bool {
        self.policy.iter().chain(self.masks.values()).any(has_query)
    }

    /// Whether the principal sees the table as it is.
    pub fn is_open(&self) -> bool {
        self.policy.is_none() && self.masks.is_empty()
    }
}

fn masks(
    snapshot: &SecuritySnapshot,
    principal: &Principal,
    id: &TableId,
) -> Result<BTreeMap<String, Expr>, AccessError> {
    let mut masks = BTreeMap::new();
    for (column, mask) in snapshot.relation(id).into_iter().flat_map(|relation| &relation.masks) {
        let expression = for_caller(&mask.expression, snapshot, principal)?;
        if !shows_column(&expression, column) {
            masks.insert(column.clone(), expression);
        }
    }
    Ok(masks)
}

/// An error unless the principal may read every one of `columns`; of none, unless it may read some column.
pub fn require_select<'a>(
    snapshot: &SecuritySnapshot,
    principal: &Principal,
    id: &TableId,
    mut columns: impl Iterator<Item = &'a str>,
) -> Result<(), AccessError> {
    snapshot.ensure_sound()?;
    let role = principal.checked_role();
    let whole = snapshot.has_table_privilege(role, id, Privilege::Select);
    let some = whole || snapshot.has_any_column_privilege(role, id, Privilege::Select);
    let each = whole || columns.all(|column| snapshot.has_column_privilege(role, id, column, Privilege::Select));
    if some && each { Ok(()) } else { Err(AccessError::Denied { kind: "table", name: id.table.clone() }) }
}
