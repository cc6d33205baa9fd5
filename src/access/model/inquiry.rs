//! What a role may do: the answers of `has_table_privilege` and its family, which are also the checks of the engine.

use super::grant::{Privilege, PrivilegeSet};
use super::object::{ObjectId, TableId, Target};
use super::policy::{AppliedPolicies, PolicyCommand};
use super::role::RoleId;
use super::snapshot::{RelationSecurity, SecuritySnapshot};

/// Schemas that everybody may use, because what they show is already cut to the caller.
const OPEN_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "henna"];

/// What decides which rows of a table a role gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSecurity<'a> {
    /// No policy binds this role here.
    Bypassed,
    Policies(AppliedPolicies<'a>),
}

impl SecuritySnapshot {
    /// Whether `role` has a privilege on a whole table or view.
    pub fn has_table_privilege(&self, role: RoleId, id: &TableId, privilege: Privilege) -> bool {
        self.table_privileges(role, id).contains(privilege)
    }

    /// All privileges of `role` on a whole table or view, without those on single columns.
    pub fn table_privileges(&self, role: RoleId, id: &TableId) -> PrivilegeSet {
        if !self.is_sound() {
            return PrivilegeSet::EMPTY;
        }
        if self.owns(role, &ObjectId::Relation(id.clone())) {
            return PrivilegeSet::all_of_relation();
        }
        let roles = self.applicable(role);
        self.relation(id).map(|r| r.acl.privileges(|role| roles.contains(&role))).unwrap_or_default()
    }

    /// Whether `role` has a privilege on a column, by itself or through the whole table.
    pub fn has_column_privilege(&self, role: RoleId, id: &TableId, column: &str, privilege: Privilege) -> bool {
        if self.has_table_privilege(role, id, privilege) {
            return true;
        }
        let roles = self.applicable(role);
        let acl = self.relation(id).and_then(|relation| relation.columns.get(column));
        self.is_sound() && acl.is_some_and(|acl| acl.privileges(|role| roles.contains(&role)).contains(privilege))
    }

    /// Whether `role` has a privilege on the table or on at least one of its columns.
    pub fn has_any_column_privilege(&self, role: RoleId, id: &TableId, privilege: Privilege) -> bool {
        let columns = self.relation(id).into_iter().flat_map(|relation| relation.columns.keys());
        self.has_table_privilege(role, id, privilege)
            || columns.into_iter().any(|column| self.has_column_privilege(role, id, column, privilege))
    }

    /// CREATE is the right to make schemas.
    pub fn has_database_privilege(&self, role: RoleId, privilege: Privilege) -> bool {
        let roles = self.applicable(role);
        let acl = self.acl(&Target::Database);
        let granted = acl.is_some_and(|acl| acl.privileges(|role| roles.contains(&role)).contains(privilege));
        self.is_sound() && (self.is_superuser(role) || granted)
    }

    pub fn has_schema_privilege(&self, role: RoleId, schema: &str, privilege: Privilege) -> bool {
        if !self.is_sound() {
            return false;
        }
        let open = privilege == Privilege::Usage && OPEN_SCHEMAS.contains(&schema) && self.role(role).is_some();
        if open || self.owns(role, &ObjectId::Schema(schema.to_string())) {
            return true;
        }
        let roles = self.applicable(role);
        let acl = self.schema(schema).map(|schema| &schema.acl);
        acl.is_some_and(|acl| acl.privileges(|role| roles.contains(&role)).contains(privilege))
    }

    /// Whether `role` may grant a privilege on: owners may, and who holds it with grant option, on the column or its table.
    pub fn has_grant_option(&self, role: RoleId, target: &Target, privilege: Privilege) -> bool {
        let (object, whole) = match target {
            Target::Database => (ObjectId::Database, None),
            Target::Schema(name) => (ObjectId::Schema(name.clone()), None),
            Target::Relation(id) => (ObjectId::Relation(id.clone()), None),
            Target::Column { relation, .. } => {
                (ObjectId::Relation(relation.clone()), Some(Target::Relation(relation.clone())))
            }
        };
        if !self.is_sound() {
            return false;
        }
        let roles = self.applicable(role);
        let targets = std::iter::once(target).chain(whole.as_ref());
        let mut acls = targets.filter_map(|target| self.acl(target));
        self.owns(role, &object) || acls.any(|acl| acl.grantable(|role| roles.contains(&role)).contains(privilege))
    }

    /// Whether `role` is the owner, is in the owner's role with its rights, or is a superuser.
    pub fn owns(&self, role: RoleId, object: &ObjectId) -> bool {
        self.is_superuser(role) || self.owner(object).is_some_and(|owner| self.has_privileges_of(role, owner))
    }

    /// `pg_has_role`: MEMBER, USAGE or SET, in any case. None for another word.
    pub fn pg_has_role(&self, role: RoleId, group: RoleId, privilege: &str) -> Option<bool> {
        match privilege.to_ascii_uppercase().as_str() {
            "MEMBER" => Some(self.is_member(role, group)),
            "USAGE" => Some(self.has_privileges_of(role, group)),
            "SET" => Some(self.may_set_role(role, group)),
            _ => None,
        }
    }

    /// Whether policies cut what `role` sees of a table.
    pub fn row_security_active(&self, role: RoleId, id: &TableId) -> bool {
        !matches!(self.row_security(role, id, PolicyCommand::Select), RowSecurity::Bypassed)
    }

    /// Whether row policies or masks bind `role` on a table.
    pub fn is_bound(&self, role: RoleId, id: &TableId) -> bool {
        let masked = self.relation(id).is_some_and(|relation| !relation.masks.is_empty());
        self.row_security_active(role, id) || (masked && !self.unmasked(role, id))
    }

    /// Which policies bind `role` when it does `command` on a table.
    pub fn row_security(&self, role: RoleId, id: &TableId, command: PolicyCommand) -> RowSecurity<'_> {
        let relation = self.relation(id);
        let enabled = relation.is_some_and(|relation| relation.row_security);
        match relation {
            Some(relation) if enabled && !self.bypasses(role, id, relation) => RowSecurity::Policies(
                AppliedPolicies::select(relation.policies.values(), command, &self.applicable(role)),
            ),
            _ if self.is_sound() => RowSecurity::Bypassed,
            _ => RowSecurity::Policies(AppliedPolicies::default()),
        }
    }

    /// Whether masks do not bind `role` on a table.
    pub fn unmasked(&self, role: RoleId, id: &TableId) -> bool {
        self.has_bypass(role) || self.owns(role, &ObjectId::Relation(id.clone()))
    }

    fn bypasses(&self, role: RoleId, id: &TableId, relation: &RelationSecurity) -> bool {
        let owner = self.owns(role, &ObjectId::Relation(id.clone()));
        self.has_bypass(role) || (owner && !relation.row_security_forced)
    }

    fn has_bypass(&self, role: RoleId) -> bool {
        self.role(role).is_some_and(|role| role.superuser || role.bypass_rls)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::change::Change;
    use super::super::grant::{Acl, AclItem};
    use super::super::role::Role;
    use super::*;

    const OWNER: RoleId = RoleId(1);
    const READER: RoleId = RoleId(2);

    fn world() -> (SecuritySnapshot, TableId) {
        let id = TableId::new("public", "t");
        let mut world = SecuritySnapshot::default();
        world.apply(&Change::PutRole(Role::named(OWNER, "owner")));
        world.apply(&Change::PutRole(Role::named(READER, "reader")));
        world.apply(&Change::SetOwner { object: ObjectId::Relation(id.clone()), owner: OWNER });
        let select = PrivilegeSet::of(&[Privilege::Select]);
        let acl =
            Acl(vec![AclItem { grantee: READER, grantor: OWNER, privileges: select, grantable: PrivilegeSet::EMPTY }]);
        world.apply(&Change::PutAcl { target: Target::Column { relation: id.clone(), column: "a".into() }, acl });
        (world, id)
    }

    #[test]
    fn a_column_grant_is_not_a_table_grant() {
        let (world, id) = world();
        assert!(!world.has_table_privilege(READER, &id, Privilege::Select));
        assert!(world.has_column_privilege(READER, &id, "a", Privilege::Select));
        assert!(!world.has_column_privilege(READER, &id, "b", Privilege::Select));
        assert!(world.has_any_column_privilege(READER, &id, Privilege::Select));
    }

    #[test]
    fn the_owner_may_grant_and_a_holder_only_with_the_option() {
        let (mut world, id) = world();
        let column = Target::Column { relation: id.clone(), column: "a".into() };
        assert!(world.has_grant_option(OWNER, &column, Privilege::Select));
        assert!(!world.has_grant_option(READER, &column, Privilege::Select));
        let select = PrivilegeSet::of(&[Privilege::Select]);
        let item = AclItem { grantee: READER, grantor: OWNER, privileges: select, grantable: select };
        world.apply(&Change::PutAcl { target: Target::Relation(id), acl: Acl(vec![item]) });
        assert!(world.has_grant_option(READER, &column, Privilege::Select));
        assert!(!world.has_grant_option(READER, &column, Privilege::Update));
    }

    #[test]
    fn the_owner_bypasses_policies_unless_they_are_forced() {
        let (mut world, id) = world();
        world.apply(&Change::SetRowSecurity { table: id.clone(), enabled: true, forced: false });
        assert!(!world.row_security_active(OWNER, &id));
        assert!(world.row_security_active(READER, &id));
        world.apply(&Change::SetRowSecurity { table: id.clone(), enabled: true, forced: true });
        assert!(world.row_security_active(OWNER, &id));
    }

    #[test]
    fn a_damaged_log_locks_everything_even_for_superusers() {
        let (mut world, id) = world();
        let mut boss = Role::named(RoleId(3), "boss");
        boss.superuser = true;
        world.apply(&Change::PutRole(boss));
        assert!(world.has_table_privilege(RoleId(3), &id, Privilege::Select));
        let world = world.locked_at(5);
        assert!(!world.has_table_privilege(RoleId(3), &id, Privilege::Select));
        assert!(!world.has_schema_privilege(RoleId(3), "public", Privilege::Usage));
        assert!(world.row_security_active(READER, &id));
    }
}
