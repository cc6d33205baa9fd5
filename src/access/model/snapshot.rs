//! Every role, grant, policy and mask at one moment. Immutable once it is published.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::AccessError;
use super::change::Change;
use super::grant::Acl;
use super::mask::Mask;
use super::object::{ObjectId, TableId, Target};
use super::policy::Policy;
use super::role::{Membership, Role, RoleId};

/// The state after the first `epoch` records of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecuritySnapshot {
    epoch: u64,
    /// The record that cannot be read. While it is set every table is locked.
    damaged: Option<u64>,
    secret: String,
    next_id: u32,
    roles: BTreeMap<RoleId, Role>,
    names: BTreeMap<String, RoleId>,
    memberships: Vec<Membership>,
    /// Who may make schemas, beside superusers.
    database: Acl,
    schemas: BTreeMap<String, SchemaSecurity>,
    relations: BTreeMap<TableId, RelationSecurity>,
    /// What the catalog keeps of the lake itself.
    definition: Option<Arc<str>>,
    /// The record that last changed which definitions there are.
    defined_at: u64,
    /// Not 0 where it holds changes that no record holds; no two such snapshots share it.
    branch: u64,
}

/// What tells a snapshot from every other one that a process has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision {
    epoch: u64,
    branch: u64,
    is_sound: bool,
}

/// What is known of a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaSecurity {
    pub owner: Option<RoleId>,
    pub acl: Acl,
    /// What the catalog keeps of a schema that a user made.
    pub definition: Option<Arc<str>>,
}

/// What is known of a table or view. One that is absent has no owner, no grants, no policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelationSecurity {
    pub owner: Option<RoleId>,
    pub acl: Acl,
    pub columns: BTreeMap<String, Acl>,
    pub row_security: bool,
    /// Policies bind the owner too.
    pub row_security_forced: bool,
    /// By name.
    pub policies: BTreeMap<String, Policy>,
    pub masks: BTreeMap<String, Mask>,
    /// What the catalog keeps of a table or view that a user made.
    pub definition: Option<Arc<str>>,
}

impl SecuritySnapshot {
    /// How many records it stands for; it grows with every change.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub fn revision(&self) -> Revision {
        Revision { epoch: self.epoch, branch: self.branch, is_sound: self.is_sound() }
    }

    /// The number of a snapshot with changes that no record holds; None is one that all may see.
    pub fn branch(&self) -> Option<u64> {
        (self.branch > 0).then_some(self.branch)
    }

    /// An error while the log behind it is damaged: nothing may be read then.
    pub fn ensure_sound(&self) -> Result<(), AccessError> {
        self.damaged.map_or(Ok(()), |record| Err(AccessError::Damaged(record)))
    }

    pub fn is_sound(&self) -> bool {
        self.damaged.is_none()
    }

    /// The same state, with everything locked because of a record that cannot be read.
    pub(in crate::access) fn locked_at(mut self, record: u64) -> Self {
        self.damaged = Some(record);
        self
    }

    /// The same state as the outcome of one more record.
    pub(in crate::access) fn advanced(mut self, changes: &[Change]) -> Self {
        changes.iter().for_each(|change| self.apply(change));
        self.epoch += 1;
        self
    }

    /// The same state with changes that no record holds yet: for the eyes of one session.
    pub fn branched<'a>(mut self, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        static BRANCHES: AtomicU64 = AtomicU64::new(1);
        changes.into_iter().for_each(|change| self.apply(change));
        self.branch = BRANCHES.fetch_add(1, Ordering::Relaxed);
        self
    }

    pub(in crate::access) fn secret(&self) -> &str {
        &self.secret
    }

    /// An id that no role or policy ever had.
    pub fn next_id(&self) -> u32 {
        self.next_id.max(RoleId::FIRST_FREE.0)
    }

    pub fn role(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(&id)
    }

    pub fn role_named(&self, name: &str) -> Option<&Role> {
        self.names.get(name).and_then(|id| self.roles.get(id))
    }

    pub fn require_role(&self, name: &str) -> Result<&Role, AccessError> {
        self.role_named(name).ok_or_else(|| AccessError::RoleMissing(name.to_string()))
    }

    /// A name to show; PUBLIC is `public`, a role that is gone its number.
    pub fn role_name(&self, id: RoleId) -> String {
        match self.role(id) {
            Some(role) => role.name.clone(),
            None if id == RoleId::PUBLIC => "public".to_string(),
            None => id.0.to_string(),
        }
    }

    /// All roles, in the order of their ids.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    pub fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    /// Grows whenever an object that has a definition comes, changes or goes.
    pub fn defined_at(&self) -> u64 {
        self.defined_at
    }

    /// What the catalog keeps of the lake itself.
    pub fn definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    pub fn schema(&self, name: &str) -> Option<&SchemaSecurity> {
        self.schemas.get(name)
    }

    pub fn schemas(&self) -> impl Iterator<Item = (&String, &SchemaSecurity)> {
        self.schemas.iter()
    }

    pub fn relation(&self, id: &TableId) -> Option<&RelationSecurity> {
        self.relations.get(id)
    }

    pub fn relations(&self) -> impl Iterator<Item = (&TableId, &RelationSecurity)> {
        self.relations.iter()
    }

    pub fn owner(&self, object: &ObjectId) -> Option<RoleId> {
        match object {
            ObjectId::Database => Some(RoleId::BOOTSTRAP),
            ObjectId::Schema(name) => self.schema(name)?.owner,
            ObjectId::Relation(id) => self.relation(id)?.owner,
        }
    }

    pub fn acl(&self, target: &Target) -> Option<&Acl> {
        match target {
            Target::Database => Some(&self.database),
            Target::Schema(name) => Some(&self.schema(name)?.acl),
            Target::Relation(id) => Some(&self.relation(id)?.acl),
            Target::Column { relation, column } => self.relation(relation)?.columns.get(column),
        }
    }

    pub(in crate::access) fn apply(&mut self, change: &Change) {
        match change {
            Change::Secret(secret) => self.secret.clone_from(secret),
            Change::PutRole(role) => self.put_role(role),
            Change::DropRole(id) => self.drop_role(*id),
            Change::PutMembership(edge) => {
                self.drop_membership(edge.role, edge.member);
                self.memberships.push(edge.clone());
            }
            Change::DropMembership { role, member } => self.drop_membership(*role, *member),
            Change::PutAcl { target, acl } => self.put_acl(target, acl),
            // It has the one owner.
            Change::SetOwner { object: ObjectId::Database, .. } => {}
            Change::SetOwner { object: ObjectId::Schema(name), owner } => {
                self.schemas.entry(name.clone()).or_default().owner = Some(*owner);
            }
            Change::SetOwner { object: ObjectId::Relation(id), owner } => self.entry(id).owner = Some(*owner),
            Change::SetRowSecurity { table, enabled, forced } => {
                let relation = self.entry(table);
                relation.row_security = *enabled;
                relation.row_security_forced = *forced;
            }
            Change::PutPolicy { table, policy } => self.put_policy(table, policy),
            Change::DropPolicy { table, id } => self.entry(table).policies.retain(|_, policy| policy.id != *id),
            Change::SetMask { table, column, mask } => self.set_mask(table, column, mask.as_ref()),
            Change::Define { object, definition } => self.define(object, definition),
            Change::DropObject(object) => self.drop_object(object),
            Change::RenameRelation { from, to } => {
                self.defined_at = self.epoch + 1;
                if let Some(relation) = self.relations.remove(from) {
                    self.relations.insert(to.clone(), relation);
                }
            }
            Change::RenameSchema { from, to } => self.rename_schema(from, to),
            Change::DropColumn { table, column } => {
                let relation = self.entry(table);
                relation.columns.remove(column);
                relation.masks.remove(column);
            }
            Change::RenameColumn { table, from, to } => rename_column(self.entry(table), from, to),
        }
    }

    fn entry(&mut self, id: &TableId) -> &mut RelationSecurity {
        self.relations.entry(id.clone()).or_default()
    }

    fn put_role(&mut self, role: &Role) {
        self.names.retain(|_, id| *id != role.id);
        self.names.insert(role.name.clone(), role.id);
        self.roles.insert(role.id, role.clone());
        self.next_id = self.next_id().max(role.id.0.saturating_add(1));
    }

    fn drop_role(&mut self, id: RoleId) {
        self.names.retain(|_, named| *named != id);
        self.roles.remove(&id);
        self.memberships.retain(|edge| edge.role != id && edge.member != id);
    }

    fn drop_membership(&mut self, role: RoleId, member: RoleId) {
        self.memberships.retain(|edge| (edge.role, edge.member) != (role, member));
    }

    fn put_acl(&mut self, target: &Target, acl: &Acl) {
        match target {
            Target::Database => self.database = acl.clone(),
            Target::Schema(name) => self.schemas.entry(name.clone()).or_default().acl = acl.clone(),
            Target::Relation(id) => self.entry(id).acl = acl.clone(),
            Target::Column { relation, column } => {
                let columns = &mut self.entry(relation).columns;
                columns.insert(column.clone(), acl.clone());
                columns.retain(|_, acl| !acl.0.is_empty());
            }
        }
    }

    fn put_policy(&mut self, table: &TableId, policy: &Policy) {
        let policies = &mut self.entry(table).policies;
        policies.retain(|_, other| other.id != policy.id);
        policies.insert(policy.name.clone(), policy.clone());
        self.next_id = self.next_id().max(policy.id.saturating_add(1));
    }

    fn set_mask(&mut self, table: &TableId, column: &str, mask: Option<&Mask>) {
        let masks = &mut self.entry(table).masks;
        match mask {
            Some(mask) => masks.insert(column.to_string(), mask.clone()),
            None => masks.remove(column),
        };
    }

    fn define(&mut self, object: &ObjectId, definition: &str) {
        self.defined_at = self.epoch + 1;
        let definition = Some(Arc::from(definition));
        match object {
            ObjectId::Database => self.definition = definition,
            ObjectId::Schema(name) => self.schemas.entry(name.clone()).or_default().definition = definition,
            ObjectId::Relation(id) => self.entry(id).definition = definition,
        }
    }

    fn drop_object(&mut self, object: &ObjectId) {
        self.defined_at = self.epoch + 1;
        match object {
            ObjectId::Database => {}
            ObjectId::Schema(name) => {
                self.schemas.remove(name);
                self.relations.retain(|id, _| id.schema != *name);
            }
            ObjectId::Relation(id) => {
                self.relations.remove(id);
            }
        }
    }

    fn rename_schema(&mut self, from: &str, to: &str) {
        self.defined_at = self.epoch + 1;
        if let Some(schema) = self.schemas.remove(from) {
            self.schemas.insert(to.to_string(), schema);
        }
        for (mut id, relation) in std::mem::take(&mut self.relations) {
            if id.schema == from {
                id.schema = to.to_string();
            }
            self.relations.insert(id, relation);
        }
    }
}

fn rename_column(relation: &mut RelationSecurity, from: &str, to: &str) {
    if let Some(acl) = relation.columns.remove(from) {
        relation.columns.insert(to.to_string(), acl);
    }
    if let Some(mask) = relation.masks.remove(from) {
        relation.masks.insert(to.to_string(), mask);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_role_keeps_what_it_has_and_frees_its_name() {
        let mut snapshot = SecuritySnapshot::default();
        snapshot.apply(&Change::PutRole(Role::named(RoleId(7), "old")));
        snapshot.apply(&Change::PutRole(Role::named(RoleId(7), "new")));
        assert!(snapshot.role_named("old").is_none());
        assert_eq!(snapshot.role_named("new").unwrap().id, RoleId(7));
    }

    #[test]
    fn ids_are_never_given_out_twice() {
        let mut snapshot = SecuritySnapshot::default();
        let first = snapshot.next_id();
        snapshot.apply(&Change::PutRole(Role::named(RoleId(first), "a")));
        snapshot.apply(&Change::DropRole(RoleId(first)));
        assert_eq!(snapshot.next_id(), first + 1);
    }

    #[test]
    fn a_dropped_table_leaves_nothing_to_one_of_the_same_name() {
        let id = TableId::new("public", "t");
        let mut snapshot = SecuritySnapshot::default();
        snapshot.apply(&Change::SetOwner { object: ObjectId::Relation(id.clone()), owner: RoleId(7) });
        snapshot.apply(&Change::DropObject(ObjectId::Relation(id.clone())));
        assert!(snapshot.relation(&id).is_none());
    }

    #[test]
    fn a_branch_is_told_from_what_is_recorded_and_from_every_other_branch() {
        let recorded = SecuritySnapshot::default();
        let change = Change::PutRole(Role::named(RoleId(7), "a"));
        let (one, other) = (recorded.clone().branched([&change]), recorded.clone().branched([&change]));
        assert_eq!((recorded.branch(), one.epoch()), (None, recorded.epoch()));
        assert!(one.branch().is_some() && one.revision() != other.revision() && one.revision() != recorded.revision());
        assert!(one.role_named("a").is_some() && recorded.role_named("a").is_none());
    }

    #[test]
    fn a_definition_follows_its_object_and_each_change_of_one_is_told() {
        let (old, new) = (TableId::new("s", "old"), TableId::new("s", "new"));
        let define = Change::Define { object: ObjectId::Relation(old.clone()), definition: "it".into() };
        let made = SecuritySnapshot::default().advanced(&[define]);
        let granted = made.clone().advanced(&[Change::PutAcl { target: Target::Database, acl: Acl::default() }]);
        assert_eq!(made.defined_at(), granted.defined_at());
        let renamed = granted.advanced(&[Change::RenameRelation { from: old.clone(), to: new.clone() }]);
        assert!(renamed.defined_at() > made.defined_at());
        assert_eq!(renamed.relation(&new).unwrap().definition.as_deref(), Some("it"));
        let dropped = renamed.clone().advanced(&[Change::DropObject(ObjectId::Schema("s".into()))]);
        assert!(dropped.defined_at() > renamed.defined_at() && dropped.relation(&new).is_none());
    }
}
