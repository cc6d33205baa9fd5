//! The rules of change: who may do what, and which changes a statement comes down to.

mod membership;
mod owned;
mod policy;
mod privilege;
mod relation;
mod role;

use super::AccessNotice;
use super::objects::{ObjectChange, Objects, Relation};
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::grant::{Acl, AclItem, Privilege, PrivilegeSet};
use crate::access::model::object::{ObjectId, RelationKind, Target};
use crate::access::model::role::{Role, RoleId};
use crate::access::model::snapshot::SecuritySnapshot;
use crate::access::principal::Principal;
use crate::access::statement::{AccessStatement, RelationName, RoleSpec};
use crate::error::Result;

/// What a statement comes down to.
#[derive(Debug, Default)]
pub struct Planned {
    pub changes: Vec<Change>,
    pub notices: Vec<AccessNotice>,
}

/// A statement being planned: the state with its own changes so far.
struct Planner<'a> {
    state: SecuritySnapshot,
    principal: &'a Principal,
    objects: &'a dyn Objects,
    planned: Planned,
}

/// Checks a statement against the snapshot. No changes means that there is nothing to do.
pub async fn plan(
    snapshot: &SecuritySnapshot,
    principal: &Principal,
    statement: &AccessStatement,
    objects: &dyn Objects,
) -> Result<Planned> {
    let mut planner = Planner { state: snapshot.clone(), principal, objects, planned: Planned::default() };
    planner.require_role_of_session()?;
    planner.plan(statement).await?;
    Ok(planner.planned)
}

impl Planner<'_> {
    async fn plan(&mut self, statement: &AccessStatement) -> Result<()> {
        use AccessStatement::*;
        match statement {
            CreateRole { name, if_not_exists, options, user } => self.create_role(name, *if_not_exists, options, *user),
            AlterRole { role, alteration } => self.alter_role(role, alteration),
            DropRole { names, if_exists } => self.drop_roles(names, *if_exists),
            DropOwned { roles } => self.drop_owned(roles),
            ReassignOwned { roles, to } => self.reassign_owned(roles, to),
            CommentOnRole { role, comment } => self.comment_on_role(role, comment.as_deref()),
            GrantRole { roles, members, options } => self.grant_roles(roles, members, *options),
            RevokeRole { roles, members, what } => self.revoke_roles(roles, members, *what),
            GrantPrivileges { privileges, targets, grantees, option } => {
                self.grant_privileges(privileges, targets, grantees, *option).await
            }
            RevokePrivileges { privileges, targets, grantees, option_only, behaviour } => {
                self.revoke_privileges(privileges, targets, grantees, *option_only, *behaviour).await
            }
            CreatePolicy { .. } => self.create_policy(statement).await,
            AlterPolicy { name, table, roles, using, check } => {
                self.alter_policy(name, table, roles.as_deref(), using.as_deref(), check.as_deref()).await
            }
            RenamePolicy { name, table, to } => self.rename_policy(name, table, to).await,
            DropPolicy { name, table, if_exists } => self.drop_policy(name, table, *if_exists).await,
            CommentOnPolicy { name, table, comment } => self.comment_on_policy(name, table, comment.as_deref()).await,
            RowSecurity { table, if_exists, toggles } => self.row_security(table, *if_exists, toggles).await,
            OwnerTo { object, if_exists, owner } => self.owner_to(object, *if_exists, owner).await,
            Mask { table, column, expression } => self.mask(table, column, expression.as_deref()).await,
        }
    }

    fn push(&mut self, change: Change) {
        self.state.apply(&change);
        self.planned.changes.push(change);
    }

    fn notice(&mut self, severity: &'static str, message: String) {
        self.planned.notices.push(AccessNotice { severity, message });
    }

    /// The role that the statement runs as.
    fn actor(&self) -> RoleId {
        self.principal.current_role()
    }

    fn actor_is_superuser(&self) -> bool {
        self.state.is_superuser(self.actor())
    }

    /// A session whose role was dropped may change nothing.
    fn require_role_of_session(&self) -> Result<&Role, AccessError> {
        self.state.role(self.actor()).ok_or_else(|| AccessError::RoleMissing(self.state.role_name(self.actor())))
    }

    fn grantee(&self, spec: &RoleSpec) -> Result<RoleId, AccessError> {
        match spec {
            RoleSpec::Public => Ok(RoleId::PUBLIC),
            RoleSpec::CurrentUser => Ok(self.actor()),
            RoleSpec::SessionUser => Ok(self.principal.session_user()),
            RoleSpec::Name(name) => self.state.require_role(name).map(|role| role.id),
        }
    }

    /// Like `grantee`, where PUBLIC cannot be meant.
    fn role(&self, spec: &RoleSpec) -> Result<Role, AccessError> {
        let id = self.grantee(spec)?;
        let missing = || AccessError::RoleReserved("public".to_string());
        self.state.role(id).cloned().ok_or_else(missing)
    }

    async fn relation(&self, name: &RelationName) -> Result<Relation> {
        let found = self.objects.relation(name.schema.as_deref(), &name.name).await?;
        Ok(found.ok_or_else(|| AccessError::RelationMissing(name.name.clone()))?)
    }

    /// A table that the actor owns.
    async fn own_table(&self, name: &RelationName) -> Result<Relation> {
        let relation = self.relation(name).await?;
        self.require_owner(&relation)?;
        match relation.kind {
            RelationKind::Table => Ok(relation),
            RelationKind::View => Err(AccessError::NotATable(relation.id.table).into()),
        }
    }

    fn require_owner(&self, relation: &Relation) -> Result<(), AccessError> {
        if self.state.owns(self.actor(), &ObjectId::Relation(relation.id.clone())) {
            return Ok(());
        }
        Err(AccessError::NotOwner { kind: relation.kind.word(), name: relation.id.table.clone() })
    }
}

/// Schema `public` belongs to `owner`, and everyone may use it.
pub fn public_schema(owner: RoleId) -> [Change; 2] {
    let schema = "public".to_string();
    let usage = AclItem {
        grantee: RoleId::PUBLIC,
        grantor: owner,
        privileges: PrivilegeSet::of(&[Privilege::Usage]),
        grantable: PrivilegeSet::EMPTY,
    };
    [
        Change::SetOwner { object: ObjectId::Schema(schema.clone()), owner },
        Change::PutAcl { target: Target::Schema(schema), acl: Acl(vec![usage]) },
    ]
}

/// What the catalog's own changes come down to.
pub fn tracked(author: RoleId, changes: &[ObjectChange]) -> Vec<Change> {
    let created =
        |object: ObjectId| vec![Change::DropObject(object.clone()), Change::SetOwner { object, owner: author }];
    let one = |change: &ObjectChange| match change.clone() {
        ObjectChange::SchemaCreated(name) => created(ObjectId::Schema(name)),
        ObjectChange::RelationCreated(id) => created(ObjectId::Relation(id)),
        ObjectChange::Defined { object, definition } => vec![Change::Define { object, definition }],
        ObjectChange::Owned { object, owner } => vec![Change::SetOwner { object, owner }],
        ObjectChange::PolicyDropped { table, id } => vec![Change::DropPolicy { table, id }],
        ObjectChange::SchemaDropped(name) => vec![Change::DropObject(ObjectId::Schema(name))],
        ObjectChange::RelationDropped(id) => vec![Change::DropObject(ObjectId::Relation(id))],
        ObjectChange::SchemaRenamed { from, to } => vec![Change::RenameSchema { from, to }],
        ObjectChange::RelationRenamed { from, to } => vec![Change::RenameRelation { from, to }],
        ObjectChange::ColumnDropped { table, column } => vec![Change::DropColumn { table, column }],
        ObjectChange::ColumnRenamed { table, from, to } => vec![Change::RenameColumn { table, from, to }],
    };
    changes.iter().flat_map(one).collect()
}
