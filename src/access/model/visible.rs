//! What one role may learn of roles, grants and policies: rows for the system catalogs.

use super::super::principal::Principal;
use super::grant::{Acl, AclItem, Privilege, PrivilegeSet};
use super::object::{ObjectId, TableId, Target, quoted};
use super::policy::Policy;
use super::role::{Membership, Role, RoleId};
use super::snapshot::SecuritySnapshot;

const COLUMN_PRIVILEGES: [Privilege; 4] =
    [Privilege::Select, Privilege::Insert, Privilege::Update, Privilege::References];

/// A snapshot as one principal may see it.
#[derive(Debug, Clone, Copy)]
pub struct Visible<'a> {
    snapshot: &'a SecuritySnapshot,
    role: RoleId,
}

impl<'a> Visible<'a> {
    pub fn new(snapshot: &'a SecuritySnapshot, principal: &Principal) -> Self {
        Self { snapshot, role: principal.checked_role() }
    }

    pub fn may_use_schema(&self, schema: &str) -> bool {
        self.snapshot.has_schema_privilege(self.role, schema, Privilege::Usage)
    }

    /// Whether the relation may be named at all: its schema is usable and some privilege on it is held.
    pub fn may_see(&self, id: &TableId) -> bool {
        let any = !self.snapshot.table_privileges(self.role, id).is_empty();
        let of_column = |privilege: &Privilege| self.snapshot.has_any_column_privilege(self.role, id, *privilege);
        self.may_use_schema(&id.schema) && (any || COLUMN_PRIVILEGES.iter().any(of_column))
    }

    /// Whether at least one column may be read.
    pub fn may_select(&self, id: &TableId) -> bool {
        self.snapshot.has_any_column_privilege(self.role, id, Privilege::Select)
    }

    pub fn may_see_column(&self, id: &TableId, column: &str) -> bool {
        let any = |privilege: &Privilege| self.snapshot.has_column_privilege(self.role, id, column, *privilege);
        COLUMN_PRIVILEGES.iter().any(any)
    }

    /// SQL words of what the principal may do with the whole relation.
    pub fn privileges(&self, id: &TableId) -> Vec<&'static str> {
        self.snapshot.table_privileges(self.role, id).iter().map(Privilege::word).collect()
    }

    /// All roles: as in PostgreSQL their names are no secret.
    pub fn roles(&self) -> impl Iterator<Item = &'a Role> {
        self.snapshot.roles()
    }

    /// The pinned settings of a role as `name=value`; empty unless it is the principal's own, or one that it administers.
    pub fn role_settings(&self, role: &Role) -> Vec<String> {
        let own = role.id == self.role || self.snapshot.is_admin(self.role, role.id);
        let texts = role.settings.iter().map(|(name, value)| format!("{name}={value}"));
        if own { texts.collect() } else { Vec::new() }
    }

    pub fn memberships(&self) -> impl Iterator<Item = &'a Membership> {
        self.snapshot.memberships().iter()
    }

    /// The policies of relations that the principal may see.
    pub fn policies(self) -> impl Iterator<Item = (&'a TableId, &'a Policy)> {
        let visible = self.snapshot.relations().filter(move |(id, _)| self.may_see(id));
        visible.flat_map(|(id, relation)| relation.policies.values().map(move |policy| (id, policy)))
    }

    pub fn owns(&self, id: &TableId) -> bool {
        self.snapshot.owns(self.role, &ObjectId::Relation(id.clone()))
    }

    /// USING and WITH CHECK of a policy; None for those who do not own the table: the text tells what is hidden.
    pub fn policy_text(&self, id: &TableId, policy: &'a Policy) -> (Option<&'a str>, Option<&'a str>) {
        if self.owns(id) { (policy.using.as_deref(), policy.check.as_deref()) } else { (None, None) }
    }

    /// The access list of the database as aclitem texts.
    pub fn database_acl(&self) -> Vec<String> {
        self.snapshot.acl(&Target::Database).map(|acl| self.acl_texts(acl)).unwrap_or_default()
    }

    /// The access list of a schema as aclitem texts. As PostgreSQL shows it, the owner's rights come first, and where
    /// nobody else has any there is no list.
    pub fn schema_acl(&self, schema: &str) -> Vec<String> {
        let Some(known) = self.snapshot.schema(schema) else { return Vec::new() };
        self.with_owner(known.owner, PrivilegeSet::all_of_schema(), &known.acl)
    }

    /// The access list of a table or view as aclitem texts; the same goes for its owner.
    pub fn relation_acl(&self, id: &TableId) -> Vec<String> {
        let Some(known) = self.snapshot.relation(id) else { return Vec::new() };
        self.with_owner(known.owner, PrivilegeSet::all_of_relation(), &known.acl)
    }

    /// The access list of a column as aclitem texts.
    pub fn column_acl(&self, id: &TableId, column: &str) -> Vec<String> {
        let acl = self.snapshot.relation(id).and_then(|relation| relation.columns.get(column));
        acl.map(|acl| self.acl_texts(acl)).unwrap_or_default()
    }

    pub fn schema_owner(&self, schema: &str) -> Option<String> {
        self.snapshot.owner(&ObjectId::Schema(schema.to_string())).map(|id| self.snapshot.role_name(id))
    }

    pub fn relation_owner(&self, id: &TableId) -> Option<String> {
        self.snapshot.owner(&ObjectId::Relation(id.clone())).map(|id| self.snapshot.role_name(id))
    }

    fn with_owner(&self, owner: Option<RoleId>, privileges: PrivilegeSet, acl: &Acl) -> Vec<String> {
        let Some(owner) = owner.filter(|_| !acl.0.is_empty()) else { return self.acl_texts(acl) };
        let own = AclItem { grantee: owner, grantor: owner, privileges, grantable: PrivilegeSet::EMPTY };
        std::iter::once(self.acl_text(&own)).chain(self.acl_texts(acl)).collect()
    }

    fn acl_texts(&self, acl: &Acl) -> Vec<String> {
        acl.0.iter().map(|item| self.acl_text(item)).collect()
    }

    /// `grantee=privileges/grantor`; an empty grantee is PUBLIC, `*` marks a grant option.
    fn acl_text(&self, item: &AclItem) -> String {
        let name = |id: RoleId| quoted(&self.snapshot.role_name(id));
        let grantee = if item.grantee == RoleId::PUBLIC { String::new() } else { name(item.grantee) };
        let mark = |p: Privilege| if item.grantable.contains(p) { "*" } else { "" };
        let letters: String = item.privileges.iter().map(|p| format!("{}{}", p.letter(), mark(p))).collect();
        format!("{grantee}={letters}/{}", name(item.grantor))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::change::Change;
    use super::*;

    #[test]
    fn acl_texts_are_aclitems() {
        let mut snapshot = SecuritySnapshot::default();
        snapshot.apply(&Change::PutRole(Role::named(RoleId(1), "Anna")));
        snapshot.apply(&Change::PutRole(Role::named(RoleId(2), "admin")));
        let visible = Visible { snapshot: &snapshot, role: RoleId(2) };
        let privileges = PrivilegeSet::of(&[Privilege::Select, Privilege::Insert]);
        let grantable = PrivilegeSet::of(&[Privilege::Select]);
        let item = |grantee| AclItem { grantee, grantor: RoleId(2), privileges, grantable };
        assert_eq!(visible.acl_text(&item(RoleId(1))), "\"Anna\"=ar*/admin");
        assert_eq!(visible.acl_text(&item(RoleId::PUBLIC)), "=ar*/admin");
    }
}
