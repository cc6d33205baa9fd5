//! DROP OWNED and REASSIGN OWNED: what hangs on a role goes or changes hands, so that the role can be dropped.

use super::Planner;
use super::role::forbidden;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::grant::{Acl, PrivilegeSet, Revoke, RevokeBehaviour, RevokeWhat};
use crate::access::model::object::{ObjectId, TableId, Target};
use crate::access::model::policy::Policy;
use crate::access::model::role::{Role, RoleId};
use crate::access::statement::RoleSpec;
use crate::error::Result;

impl Planner<'_> {
    /// Gives everything that the roles own to another.
    pub(super) fn reassign_owned(&mut self, roles: &[RoleSpec], to: &RoleSpec) -> Result<()> {
        let to = self.role(to)?;
        self.require_rights_of(&to, "reassign objects to")?;
        for spec in roles {
            let role = self.role(spec)?;
            self.require_rights_of(&role, "reassign objects of")?;
            for object in self.owned_by(role.id) {
                self.push(Change::SetOwner { object, owner: to.id });
            }
        }
        Ok(())
    }

    /// Takes every privilege of the roles, with what they granted on, and takes them out of policies. Objects that they own
    /// stay: dropping rows is never a side effect here. So do restrictive policies of tables that the actor does not own: who
    /// is bound by one would set himself free. In PostgreSQL 15 he does.
    pub(super) fn drop_owned(&mut self, roles: &[RoleSpec]) -> Result<()> {
        for spec in roles {
            let role = self.role(spec)?;
            self.require_rights_of(&role, "drop objects of")?;
            if let Some(object) = self.owned_by(role.id).first() {
                return Err(AccessError::OwnsObjects { role: role.name, object: object.to_string() }.into());
            }
            for (target, acl) in self.without_grants_of(role.id) {
                self.push(Change::PutAcl { target, acl });
            }
            let mut kept = false;
            for (table, policy) in self.policies_of(role.id) {
                if policy.permissive || self.state.owns(self.actor(), &ObjectId::Relation(table.clone())) {
                    self.push(without_role(table, policy, role.id));
                } else {
                    kept = true;
                }
            }
            if kept {
                let text = "stays in restrictive policies: only the owner of their table may take it out";
                self.notice("WARNING", format!("role \"{}\" {text}", role.name));
            }
        }
        Ok(())
    }

    fn require_rights_of(&self, role: &Role, action: &str) -> Result<()> {
        match self.state.has_privileges_of(self.actor(), role.id) {
            true => Ok(()),
            false => Err(forbidden(&format!("{action} role \"{}\"", role.name))),
        }
    }

    fn owned_by(&self, role: RoleId) -> Vec<ObjectId> {
        let schemas = self.state.schemas().filter(|(_, schema)| schema.owner == Some(role));
        let relations = self.state.relations().filter(|(_, relation)| relation.owner == Some(role));
        let schemas = schemas.map(|(name, _)| ObjectId::Schema(name.clone()));
        schemas.chain(relations.map(|(id, _)| ObjectId::Relation(id.clone()))).collect()
    }

    /// The access lists that name the role, as they are without it.
    fn without_grants_of(&self, role: RoleId) -> Vec<(Target, Acl)> {
        let schemas = self.state.schemas().map(|(name, schema)| (Target::Schema(name.clone()), &schema.acl));
        let relations = self.state.relations().flat_map(|(id, relation)| {
            let column = |name: &String| Target::Column { relation: id.clone(), column: name.clone() };
            let columns = relation.columns.iter().map(move |(name, acl)| (column(name), acl));
            std::iter::once((Target::Relation(id.clone()), &relation.acl)).chain(columns.collect::<Vec<_>>())
        });
        let without = |(target, acl): (Target, &Acl)| {
            let mut acl = acl.clone();
            let before = acl.clone();
            // CASCADE is never refused.
            let _ = acl.revoke(Revoke {
                grantee: role,
                grantor: None,
                privileges: PrivilegeSet::all_of_relation().union(PrivilegeSet::all_of_schema()),
                what: RevokeWhat::Privilege,
                behaviour: RevokeBehaviour::Cascade,
            });
            acl.0.retain(|item| item.grantor != role);
            (acl != before).then_some((target, acl))
        };
        schemas.chain(relations).filter_map(without).collect()
    }

    fn policies_of(&self, role: RoleId) -> Vec<(TableId, Policy)> {
        let all = self
            .state
            .relations()
            .flat_map(|(id, relation)| relation.policies.values().map(move |policy| (id.clone(), policy.clone())));
        all.filter(|(_, policy)| policy.roles.contains(&role)).collect()
    }
}

/// A policy for nobody else goes; one that lost a role would else be for everyone or for no one.
fn without_role(table: TableId, mut policy: Policy, role: RoleId) -> Change {
    policy.roles.retain(|other| *other != role);
    match policy.roles.is_empty() {
        true => Change::DropPolicy { table, id: policy.id },
        false => Change::PutPolicy { table, policy },
    }
}
