//! The part of the inventory that one principal may know of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inventory::{Body, Inventory, Relation, ViewRights, ViewTerms};
use super::model::{
    FunctionEntry, MembershipEntry, PolicyEntry, RelationEntry, RelationKind, RoleEntry, SchemaEntry, VisibleCatalog,
};
use crate::access::{Principal, Role, RoleId, SecuritySnapshot, TableId, Visible};

/// What the principal of a session sees of relations, roles and policies. Settings and activity are the session's to add.
pub fn visible(
    inventory: &Inventory,
    functions: &[FunctionEntry],
    security: &Arc<SecuritySnapshot>,
    principal: &Principal,
) -> VisibleCatalog {
    let seen = Visible::new(security, principal);
    VisibleCatalog {
        database: "henna".to_owned(),
        database_acl: seen.database_acl(),
        session_user: principal.session_user_name(security),
        current_user: principal.current_user_name(security),
        schemas: schemas(inventory, &seen),
        relations: relations(inventory, security, &seen),
        roles: seen.roles().map(|role| role_entry(role, &seen)).collect(),
        memberships: memberships(security, &seen),
        policies: policies(security, seen),
        functions: functions.to_vec(),
        security: Arc::clone(security),
        ..VisibleCatalog::default()
    }
}

fn schemas(inventory: &Inventory, seen: &Visible<'_>) -> Vec<SchemaEntry> {
    let usable = inventory.schemas().filter(|(name, _)| seen.may_use_schema(name));
    usable
        .map(|(name, schema)| SchemaEntry {
            oid: schema.oid,
            name: name.to_owned(),
            owner: seen.schema_owner(name).unwrap_or_default(),
            comment: schema.comment.clone(),
            acl: seen.schema_acl(name),
        })
        .collect()
}

fn relations(inventory: &Inventory, security: &SecuritySnapshot, seen: &Visible<'_>) -> Vec<RelationEntry> {
    let entries = inventory.relations().filter_map(|relation| {
        let id = TableId::new(&relation.schema, &relation.name);
        seen.may_see(&id).then(|| relation_entry(relation, &id, security, seen))
    });
    entries.collect()
}

fn relation_entry(relation: &Relation, id: &TableId, security: &SecuritySnapshot, seen: &Visible<'_>) -> RelationEntry {
    let contract = match &relation.body {
        Body::Table(contract) | Body::Virtual(contract) => Some(contract),
        Body::View { .. } => None,
    };
    let rules = security.relation(id);
    let visible_columns = relation.columns().iter().filter(|column| seen.may_see_column(id, &column.name));
    RelationEntry {
        oid: relation.oid,
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        kind: if relation.is_view() { RelationKind::View } else { RelationKind::Table },
        owner: seen.relation_owner(id).unwrap_or_default(),
        comment: relation.comment().map(str::to_owned),
        columns: visible_columns.cloned().collect(),
        primary_key: contract.map(|contract| contract.primary_key.clone()).unwrap_or_default(),
        checks: contract.map(|contract| contract.checks.clone()).unwrap_or_default(),
        foreign_keys: contract.map(|contract| contract.foreign_keys.clone()).unwrap_or_default(),
        definition: match &relation.body {
            // What a view reads with its owner's rights may be hidden from those who read the view.
            Body::View { terms: ViewTerms::Authored { rights: ViewRights::Owner, .. }, .. } if !seen.owns(id) => None,
            Body::View { file, .. } => Some(file.sql.clone()),
            Body::Table(_) | Body::Virtual(_) => None,
        },
        options: options(relation),
        row_security: rules.is_some_and(|rules| rules.row_security),
        row_security_forced: rules.is_some_and(|rules| rules.row_security_forced),
        acl: seen.relation_acl(id),
        column_acls: column_acls(relation, id, seen),
        privileges: seen.privileges(id).into_iter().map(str::to_owned).collect(),
        rows: None,
        bytes: None,
    }
}

/// As `reloptions` has them.
fn options(relation: &Relation) -> Vec<String> {
    match &relation.body {
        Body::View { terms: ViewTerms::Authored { rights, .. }, .. } => {
            vec![format!("security_invoker={}", *rights == ViewRights::Caller)]
        }
        _ => Vec::new(),
    }
}

fn column_acls(relation: &Relation, id: &TableId, seen: &Visible<'_>) -> BTreeMap<String, Vec<String>> {
    let names = relation.columns().iter().map(|column| &column.name).filter(|name| seen.may_see_column(id, name));
    let acls = names.map(|name| (name.clone(), seen.column_acl(id, name)));
    acls.filter(|(_, acl)| !acl.is_empty()).collect()
}

fn role_entry(role: &Role, seen: &Visible<'_>) -> RoleEntry {
    RoleEntry {
        oid: role.id.0,
        name: role.name.clone(),
        superuser: role.superuser,
        inherit: role.inherit,
        create_role: role.create_role,
        create_db: role.create_db,
        login: role.login,
        replication: role.replication,
        bypass_rls: role.bypass_rls,
        connection_limit: role.connection_limit,
        valid_until_us: role.ends().map(|moment| moment.timestamp_micros()),
        comment: role.comment.clone(),
        settings: seen.role_settings(role),
    }
}

fn memberships(security: &SecuritySnapshot, seen: &Visible<'_>) -> Vec<MembershipEntry> {
    let entries = seen.memberships().map(|membership| MembershipEntry {
        role: security.role_name(membership.role),
        member: security.role_name(membership.member),
        grantor: security.role_name(membership.grantor),
        admin_option: membership.admin,
        inherit_option: membership.inherit,
        set_option: membership.set,
    });
    entries.collect()
}

fn policies(security: &SecuritySnapshot, seen: Visible<'_>) -> Vec<PolicyEntry> {
    let entries = seen.policies().map(|(id, policy)| {
        let (using, check) = seen.policy_text(id, policy);
        let everyone = policy.roles.contains(&RoleId::PUBLIC);
        let roles = policy.roles.iter().filter(|_| !everyone);
        PolicyEntry {
            oid: policy.id,
            name: policy.name.clone(),
            schema: id.schema.clone(),
            table: id.table.clone(),
            permissive: policy.permissive,
            roles: roles.map(|role| security.role_name(*role)).collect(),
            command: policy.command.word().to_owned(),
            using: using.map(str::to_owned),
            check: check.map(str::to_owned),
        }
    });
    entries.collect()
}
