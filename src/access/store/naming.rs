//! Which policies and masks name a relation, and so must not lose it.

use super::super::model::object::TableId;
use super::super::model::snapshot::SecuritySnapshot;
use super::qualify::{parse_expression, relation_name, relations};

/// A rule on a table that reads another relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingRule {
    /// The table that the rule is on.
    pub table: TableId,
    pub kind: NamingKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamingKind {
    Policy { id: u32, name: String },
    Mask { column: String },
}

impl SecuritySnapshot {
    /// The rules on other tables that name `id`. A text that cannot be read is held to name everything.
    pub fn rules_naming(&self, id: &TableId) -> Vec<NamingRule> {
        let mut found = Vec::new();
        for (table, relation) in self.relations().filter(|(table, _)| *table != id) {
            for policy in relation.policies.values() {
                if [&policy.using, &policy.check].into_iter().flatten().any(|text| names(text, id)) {
                    let kind = NamingKind::Policy { id: policy.id, name: policy.name.clone() };
                    found.push(NamingRule { table: table.clone(), kind });
                }
            }
            for (column, mask) in &relation.masks {
                if names(&mask.expression, id) {
                    found.push(NamingRule { table: table.clone(), kind: NamingKind::Mask { column: column.clone() } });
                }
            }
        }
        found
    }
}

fn names(expression: &str, id: &TableId) -> bool {
    let Ok(mut expression) = parse_expression(expression) else { return true };
    relations(&mut expression).iter().any(|name| match relation_name(name) {
        Ok(name) => name.schema.as_deref() == Some(id.schema.as_str()) && name.name == id.table,
        Err(_) => true,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::super::model::change::Change;
    use super::super::super::model::policy::{Policy, PolicyCommand};
    use super::*;

    #[test]
    fn a_policy_that_reads_a_table_names_it_and_no_other() {
        let orders = TableId::new("public", "orders");
        let policy = Policy {
            id: 7,
            name: "p".into(),
            permissive: true,
            command: PolicyCommand::Select,
            roles: Vec::new(),
            using: Some("team IN (SELECT team FROM \"lena\".\"teams\")".into()),
            check: None,
            comment: None,
        };
        let put = Change::PutPolicy { table: orders.clone(), policy };
        let snapshot = SecuritySnapshot::default().advanced(&[put]);
        let named = snapshot.rules_naming(&TableId::new("lena", "teams"));
        let kind = NamingKind::Policy { id: 7, name: "p".into() };
        assert_eq!(named, [NamingRule { table: orders, kind }]);
        assert_eq!(snapshot.rules_naming(&TableId::new("public", "teams")), []);
    }
}
