//! Row policies, and which of them apply to whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::role::RoleId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyCommand {
    All,
    Select,
    Insert,
    Update,
    Delete,
}

impl PolicyCommand {
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    fn covers(self, command: Self) -> bool {
        self == Self::All || self == command
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub id: u32,
    pub name: String,
    pub permissive: bool,
    pub command: PolicyCommand,
    /// PUBLIC is everyone.
    pub roles: Vec<RoleId>,
    /// SQL over the table's columns, with full names in sub-queries.
    pub using: Option<String>,
    pub check: Option<String>,
    pub comment: Option<String>,
}

/// The policies of one table that decide one command for one role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedPolicies<'a> {
    pub permissive: Vec<&'a Policy>,
    pub restrictive: Vec<&'a Policy>,
}

impl<'a> AppliedPolicies<'a> {
    /// `roles` is the caller's closure, PUBLIC included.
    pub fn select(
        policies: impl Iterator<Item = &'a Policy>,
        command: PolicyCommand,
        roles: &BTreeSet<RoleId>,
    ) -> Self {
        let applies = |p: &&Policy| p.command.covers(command) && p.roles.iter().any(|role| roles.contains(role));
        let (permissive, restrictive) = policies.filter(applies).partition(|policy| policy.permissive);
        Self { permissive, restrictive }
    }

    /// What existing rows must satisfy, as SQL: (one of the permissive) and (all of the restrictive).
    /// Without a permissive policy that has a USING that is `false`; a restrictive one without USING narrows nothing.
    pub fn using_sql(&self) -> String {
        self.combined(|policy| policy.using.as_deref())
    }

    /// What new rows must satisfy; USING stands in where there is no WITH CHECK.
    pub fn check_sql(&self) -> String {
        self.combined(|policy| policy.check.as_deref().or(policy.using.as_deref()))
    }

    fn combined(&self, text: impl Fn(&'a Policy) -> Option<&'a str>) -> String {
        let part = |policy: &&'a Policy| text(policy).map(|sql| format!("({sql})"));
        let any = self.permissive.iter().filter_map(part).collect::<Vec<_>>().join(" OR ");
        if any.is_empty() {
            return "false".to_string();
        }
        let all = self.restrictive.iter().filter_map(part);
        std::iter::once(format!("({any})")).chain(all).collect::<Vec<_>>().join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, permissive: bool, roles: &[u32], using: &str) -> Policy {
        Policy {
            id: 1,
            name: name.into(),
            permissive,
            command: PolicyCommand::Select,
            roles: roles.iter().map(|id| RoleId(*id)).collect(),
            using: Some(using.into()),
            check: None,
            comment: None,
        }
    }

    fn sql(policies: &[Policy], roles: &[u32]) -> String {
        let roles = roles.iter().map(|id| RoleId(*id)).collect();
        AppliedPolicies::select(policies.iter(), PolicyCommand::Select, &roles).using_sql()
    }

    #[test]
    fn permissive_policies_add_and_restrictive_ones_narrow() {
        let policies = [policy("a", true, &[1], "x"), policy("b", true, &[2], "y"), policy("c", false, &[0], "z")];
        assert_eq!(sql(&policies, &[0, 1, 2]), "((x) OR (y)) AND (z)");
        assert_eq!(sql(&policies, &[0, 2]), "((y)) AND (z)");
    }

    #[test]
    fn without_a_permissive_policy_nothing_is_visible() {
        let policies = [policy("a", true, &[1], "x"), policy("c", false, &[0], "z")];
        assert_eq!(sql(&policies, &[0, 3]), "false");
        assert_eq!(sql(&[], &[0]), "false");
    }

    #[test]
    fn a_policy_for_another_command_does_not_apply() {
        let mut insert = policy("a", true, &[0], "x");
        insert.command = PolicyCommand::Insert;
        assert_eq!(sql(&[insert.clone()], &[0]), "false");
        insert.command = PolicyCommand::All;
        assert_eq!(sql(&[insert], &[0]), "((x))");
    }
}
