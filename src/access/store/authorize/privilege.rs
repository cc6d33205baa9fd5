//! GRANT and REVOKE of privileges on schemas, tables, views and columns.

use super::Planner;
use crate::access::error::AccessError;
use crate::access::model::change::Change;
use crate::access::model::grant::{Acl, AclItem, Privilege, PrivilegeSet, Revoke, RevokeBehaviour, RevokeWhat};
use crate::access::model::inquiry::RowSecurity;
use crate::access::model::object::{ObjectId, RelationKind, TableId, Target};
use crate::access::model::policy::PolicyCommand;
use crate::access::model::role::RoleId;
use crate::access::statement::{GrantTargets, Grantable, PrivilegeWords, RoleSpec};
use crate::access::store::objects::Relation;
use crate::error::Result;

/// One access list that a statement changes, and what it means to change in it.
struct Item {
    target: Target,
    object: ObjectId,
    /// For messages: `table`, `view`, `schema` or `database`, and its name.
    kind: &'static str,
    name: String,
    privileges: PrivilegeSet,
}

impl Planner<'_> {
    pub(super) async fn grant_privileges(
        &mut self,
        words: &PrivilegeWords,
        targets: &GrantTargets,
        grantees: &[RoleSpec],
        option: Grantable,
    ) -> Result<()> {
        let grantees: Vec<RoleId> = grantees.iter().map(|spec| self.grantee(spec)).collect::<Result<_, _>>()?;
        if option == Grantable::Yes && grantees.contains(&RoleId::PUBLIC) {
            return Err(AccessError::InvalidGrant("grant options can only be granted to roles".into()).into());
        }
        for item in self.items(words, targets).await? {
            let (grantor, privileges) = self.authority(&item, "were granted")?;
            for grantee in grantees.iter().filter(|_| !privileges.is_empty()) {
                let grantable = if option == Grantable::Yes { privileges } else { PrivilegeSet::EMPTY };
                let mut acl = self.state.acl(&item.target).cloned().unwrap_or_default();
                acl.grant(AclItem { grantee: *grantee, grantor, privileges, grantable });
                self.push(Change::PutAcl { target: item.target.clone(), acl });
                self.warn_of_empty(&item, *grantee);
            }
        }
        Ok(())
    }

    pub(super) async fn revoke_privileges(
        &mut self,
        words: &PrivilegeWords,
        targets: &GrantTargets,
        grantees: &[RoleSpec],
        option_only: bool,
        behaviour: RevokeBehaviour,
    ) -> Result<()> {
        let grantees: Vec<RoleId> = grantees.iter().map(|spec| self.grantee(spec)).collect::<Result<_, _>>()?;
        let what = if option_only { RevokeWhat::GrantOption } else { RevokeWhat::Privilege };
        for item in self.items(words, targets).await? {
            let (grantor, privileges) = self.authority(&item, "could be revoked")?;
            let grantor = if self.state.owns(self.actor(), &item.object) { None } else { Some(grantor) };
            for target in self.with_columns(&item.target) {
                for grantee in &grantees {
                    let mut acl = self.state.acl(&target).cloned().unwrap_or_default();
                    let before = acl.clone();
                    if !acl.revoke(Revoke { grantee: *grantee, grantor, privileges, what, behaviour }) {
                        return Err(AccessError::DependentPrivileges.into());
                    }
                    if acl != before {
                        self.push(Change::PutAcl { target: target.clone(), acl });
                    }
                }
            }
        }
        Ok(())
    }

    /// A revoke on a table takes the same privileges on its columns too.
    fn with_columns(&self, target: &Target) -> Vec<Target> {
        let mut targets = vec![target.clone()];
        if let Target::Relation(id) = target {
            let columns = self.state.relation(id).into_iter().flat_map(|relation| relation.columns.keys());
            targets.extend(columns.map(|column| Target::Column { relation: id.clone(), column: column.clone() }));
        }
        targets
    }

    /// As whom the actor grants, and which of the privileges: all for owners, else those held with grant option. Who has
    /// none of these but some privilege on the object is warned, anybody else refused.
    fn authority(&mut self, item: &Item, done: &str) -> Result<(RoleId, PrivilegeSet)> {
        if self.state.owns(self.actor(), &item.object) {
            let owner = self.state.owner(&item.object).unwrap_or(self.actor());
            return Ok((owner, item.privileges));
        }
        let roles = self.state.applicable(self.actor());
        let whole = match &item.target {
            Target::Column { relation, .. } => self.state.acl(&Target::Relation(relation.clone())),
            _ => None,
        };
        let held = [self.state.acl(&item.target), whole];
        let options = held.into_iter().flatten().flat_map(|acl| &acl.0).filter(|held| roles.contains(&held.grantee));
        let best = options
            .map(|held| (held.grantee, held.grantable.intersection(item.privileges)))
            .max_by_key(|(_, privileges)| privileges.iter().count())
            .filter(|(_, privileges)| !privileges.is_empty());
        let Some((grantor, privileges)) = best else {
            if !self.holds_something(&item.object) {
                return Err(AccessError::Denied { kind: item.kind, name: item.name.clone() }.into());
            }
            self.notice("WARNING", format!("no privileges {done} for \"{}\"", item.name));
            return Ok((self.actor(), PrivilegeSet::EMPTY));
        };
        if privileges != item.privileges {
            self.notice("WARNING", format!("not all privileges {done} for \"{}\"", item.name));
        }
        Ok((grantor, privileges))
    }

    fn holds_something(&self, object: &ObjectId) -> bool {
        let roles = self.state.applicable(self.actor());
        let held = |acl: &Acl| !acl.privileges(|role| roles.contains(&role)).is_empty();
        match object {
            ObjectId::Database => self.state.acl(&Target::Database).is_some_and(held),
            ObjectId::Schema(name) => self.state.schema(name).is_some_and(|schema| held(&schema.acl)),
            ObjectId::Relation(id) => {
                let relation = self.state.relation(id);
                relation.is_some_and(|relation| held(&relation.acl) || relation.columns.values().any(held))
            }
        }
    }

    async fn items(&self, words: &PrivilegeWords, targets: &GrantTargets) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        match targets {
            GrantTargets::Database => items.extend(database_item(words)?),
            GrantTargets::Relations(names) => {
                for name in names {
                    relation_items(&self.relation(name).await?, words, &mut items)?;
                }
            }
            GrantTargets::AllRelationsIn(schemas) => {
                for schema in schemas {
                    let relations = self.objects.relations_in(schema).await?;
                    for relation in relations.ok_or_else(|| AccessError::SchemaMissing(schema.clone()))? {
                        relation_items(&relation, words, &mut items)?;
                    }
                }
            }
            GrantTargets::Schemas(schemas) => {
                for schema in schemas {
                    let known = self.objects.relations_in(schema).await?;
                    known.ok_or_else(|| AccessError::SchemaMissing(schema.clone()))?;
                    items.push(schema_item(schema, words)?);
                }
            }
        }
        Ok(items)
    }

    /// Row security without a policy hides everything: say so, since it is seldom meant.
    fn warn_of_empty(&mut self, item: &Item, grantee: RoleId) {
        if let ObjectId::Relation(id) = &item.object
            && item.privileges.contains(Privilege::Select)
            && self.sees_nothing(id, grantee)
        {
            let role = self.state.role_name(grantee);
            self.notice(
                "NOTICE",
                format!("no policy of table \"{}\" applies to role \"{role}\": it will see no rows", id.table),
            );
        }
    }

    pub(super) fn sees_nothing(&self, id: &TableId, role: RoleId) -> bool {
        match self.state.row_security(role, id, PolicyCommand::Select) {
            RowSecurity::Policies(policies) => policies.permissive.is_empty(),
            RowSecurity::Bypassed => false,
        }
    }
}

fn relation_items(relation: &Relation, words: &PrivilegeWords, items: &mut Vec<Item>) -> Result<(), AccessError> {
    let item = |target, privileges| Item {
        target,
        object: ObjectId::Relation(relation.id.clone()),
        kind: relation.kind.word(),
        name: relation.id.table.clone(),
        privileges,
    };
    let wanted = match words {
        PrivilegeWords::All { columns } if columns.is_empty() => vec![(PrivilegeSet::all_of_relation(), vec![])],
        PrivilegeWords::All { columns } => vec![(PrivilegeSet::all_of_column(), columns.clone())],
        PrivilegeWords::Some(privileges) => {
            privileges.iter().map(|(privilege, columns)| (PrivilegeSet::of(&[*privilege]), columns.clone())).collect()
        }
    };
    let mut whole = PrivilegeSet::EMPTY;
    for (privileges, columns) in wanted {
        let fitting = if columns.is_empty() { PrivilegeSet::all_of_relation() } else { PrivilegeSet::all_of_column() };
        require_fitting(privileges, fitting, if columns.is_empty() { relation.kind.word() } else { "column" })?;
        if columns.is_empty() {
            whole = whole.union(privileges);
        }
        for column in columns {
            if !relation.columns.contains(&column) {
                return Err(AccessError::ColumnMissing { relation: relation.id.table.clone(), column });
            }
            items.push(item(Target::Column { relation: relation.id.clone(), column }, privileges));
        }
    }
    if !whole.is_empty() {
        items.push(item(Target::Relation(relation.id.clone()), whole));
    }
    Ok(())
}

fn schema_item(schema: &str, words: &PrivilegeWords) -> Result<Item, AccessError> {
    let privileges = match words {
        PrivilegeWords::All { columns } if columns.is_empty() => PrivilegeSet::all_of_schema(),
        PrivilegeWords::Some(list) if list.iter().all(|(_, columns)| columns.is_empty()) => {
            PrivilegeSet::of(&list.iter().map(|(privilege, _)| *privilege).collect::<Vec<_>>())
        }
        _ => return Err(AccessError::InvalidStatement("column privileges are only valid for relations".into())),
    };
    require_fitting(privileges, PrivilegeSet::all_of_schema(), "schema")?;
    let (target, object) = (Target::Schema(schema.to_string()), ObjectId::Schema(schema.to_string()));
    Ok(Item { target, object, kind: "schema", name: schema.to_string(), privileges })
}

/// Everyone may connect, so CREATE alone is there to be granted; of the others nothing is kept.
fn database_item(words: &PrivilegeWords) -> Result<Option<Item>, AccessError> {
    let privileges = match words {
        PrivilegeWords::All { .. } => PrivilegeSet::of(&[Privilege::Create]),
        PrivilegeWords::Some(list) => PrivilegeSet::of(&list.iter().map(|(word, _)| *word).collect::<Vec<_>>()),
    };
    // CONNECT and TEMPORARY are read as USAGE.
    require_fitting(privileges, PrivilegeSet::all_of_schema(), "database")?;
    let privileges = privileges.intersection(PrivilegeSet::of(&[Privilege::Create]));
    let (target, object) = (Target::Database, ObjectId::Database);
    let item = Item { target, object, kind: "database", name: "henna".to_string(), privileges };
    Ok((!item.privileges.is_empty()).then_some(item))
}

fn require_fitting(privileges: PrivilegeSet, fitting: PrivilegeSet, kind: &str) -> Result<(), AccessError> {
    match privileges.without(fitting).iter().next() {
        Some(wrong) => Err(AccessError::InvalidGrant(format!("invalid privilege type {wrong} for {kind}"))),
        None => Ok(()),
    }
}

impl Planner<'_> {
    /// Says which grantees of a table see nothing of it, once row security is on.
    pub(super) fn warn_of_blind_grantees(&mut self, relation: &Relation) {
        if relation.kind != RelationKind::Table {
            return;
        }
        let acl = self.state.relation(&relation.id).map(|known| known.acl.clone()).unwrap_or_default();
        for item in acl.0.iter().filter(|item| item.privileges.contains(Privilege::Select)) {
            if self.sees_nothing(&relation.id, item.grantee) {
                let (role, table) = (self.state.role_name(item.grantee), &relation.id.table);
                self.notice(
                    "NOTICE",
                    format!("no policy of table \"{table}\" applies to role \"{role}\": it will see no rows"),
                );
            }
        }
    }
}
