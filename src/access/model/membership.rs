//! Who counts as whom: the closures over memberships.

use std::collections::BTreeSet;

use super::role::{Membership, RoleId};
use super::snapshot::SecuritySnapshot;

impl SecuritySnapshot {
    /// The roles whose privileges and policies apply to `role` without SET ROLE: itself, PUBLIC, and what it inherits.
    pub fn applicable(&self, role: RoleId) -> BTreeSet<RoleId> {
        let mut found = self.reachable(role, |edge| edge.inherit);
        found.insert(RoleId::PUBLIC);
        found
    }

    /// Whether `role` is in `group`, by any membership or by being it.
    pub fn is_member(&self, role: RoleId, group: RoleId) -> bool {
        self.is_superuser(role) || self.leads_to(role, group)
    }

    /// Whether memberships lead from `role` to `group`, whatever else `role` may do.
    pub fn leads_to(&self, role: RoleId, group: RoleId) -> bool {
        self.reachable(role, |_| true).contains(&group)
    }

    /// Whether `role` has the privileges of `group` without SET ROLE.
    pub fn has_privileges_of(&self, role: RoleId, group: RoleId) -> bool {
        self.is_superuser(role) || self.reachable(role, |edge| edge.inherit).contains(&group)
    }

    /// Whether a session of `role` may SET ROLE to `target`.
    pub fn may_set_role(&self, role: RoleId, target: RoleId) -> bool {
        self.is_superuser(role) || self.reachable(role, |edge| edge.set).contains(&target)
    }

    /// Whether `role` may grant membership in `group`.
    pub fn is_admin(&self, role: RoleId, group: RoleId) -> bool {
        let own = self.reachable(role, |edge| edge.inherit);
        self.is_superuser(role)
            || self.memberships().iter().any(|edge| edge.admin && edge.role == group && own.contains(&edge.member))
    }

    pub fn is_superuser(&self, role: RoleId) -> bool {
        self.role(role).is_some_and(|role| role.superuser)
    }

    /// `role` and everything that it reaches over the edges that `follow` accepts.
    fn reachable(&self, role: RoleId, follow: impl Fn(&Membership) -> bool) -> BTreeSet<RoleId> {
        let mut found = BTreeSet::new();
        let mut open = vec![role];
        while let Some(member) = open.pop() {
            if self.role(member).is_none() || !found.insert(member) {
                continue;
            }
            open.extend(self.memberships().iter().filter(|e| e.member == member && follow(e)).map(|e| e.role));
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::change::Change;
    use super::super::role::Role;
    use super::*;

    fn edge(role: u32, member: u32, inherit: bool, set: bool) -> Change {
        Change::PutMembership(Membership {
            role: RoleId(role),
            member: RoleId(member),
            grantor: RoleId::BOOTSTRAP,
            admin: false,
            inherit,
            set,
        })
    }

    fn world(edges: &[(u32, u32, bool, bool)]) -> SecuritySnapshot {
        let mut snapshot = SecuritySnapshot::default();
        for id in 1..=4 {
            snapshot.apply(&Change::PutRole(Role::named(RoleId(id), format!("r{id}"))));
        }
        for (role, member, inherit, set) in edges {
            snapshot.apply(&edge(*role, *member, *inherit, *set));
        }
        snapshot
    }

    #[test]
    fn inheritance_passes_through_groups() {
        let world = world(&[(2, 1, true, true), (3, 2, true, true)]);
        assert!(world.has_privileges_of(RoleId(1), RoleId(3)));
        assert!(!world.has_privileges_of(RoleId(3), RoleId(1)));
        assert!(!world.has_privileges_of(RoleId(1), RoleId(4)));
    }

    #[test]
    fn a_membership_without_inherit_is_reached_by_set_role_only() {
        let world = world(&[(2, 1, false, true)]);
        assert!(!world.applicable(RoleId(1)).contains(&RoleId(2)));
        assert!(world.is_member(RoleId(1), RoleId(2)));
        assert!(world.may_set_role(RoleId(1), RoleId(2)));
    }

    #[test]
    fn a_membership_without_set_forbids_set_role() {
        let world = world(&[(2, 1, true, false)]);
        assert!(world.applicable(RoleId(1)).contains(&RoleId(2)));
        assert!(!world.may_set_role(RoleId(1), RoleId(2)));
    }

    #[test]
    fn a_role_that_is_gone_reaches_nothing() {
        let mut world = world(&[(2, 1, true, true)]);
        world.apply(&Change::DropRole(RoleId(1)));
        assert_eq!(world.applicable(RoleId(1)), BTreeSet::from([RoleId::PUBLIC]));
        assert!(!world.is_member(RoleId(1), RoleId(2)));
    }

    #[test]
    fn superuser_is_never_inherited() {
        let mut world = world(&[(2, 1, true, true)]);
        let mut boss = Role::named(RoleId(2), "r2");
        boss.superuser = true;
        world.apply(&Change::PutRole(boss));
        assert!(!world.is_superuser(RoleId(1)));
        assert!(world.is_superuser(RoleId(2)));
    }
}
