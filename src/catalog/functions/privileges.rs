//! Whether a role may do something. Where the answer is not known it is no.

use super::function::{CatalogFunction, strict};
use crate::catalog::information::{grants_of, held_roles};
use crate::catalog::model::RelationEntry;
use crate::catalog::snapshot::{Relation, Snapshot, split_name};
use crate::catalog::spec::{INFORMATION_SCHEMA, PG_CATALOG};
use crate::catalog::value::Value;
use crate::error::{Error, Reason};

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("has_table_privilege", (2, 3), "bool", on_table),
    strict("has_any_column_privilege", (2, 3), "bool", on_table),
    strict("has_column_privilege", (3, 4), "bool", on_column),
    strict("has_schema_privilege", (2, 3), "bool", on_schema),
    strict("has_database_privilege", (2, 3), "bool", on_database),
    strict("has_function_privilege", (2, 3), "bool", |_, arguments| Ok(asks(arguments, "EXECUTE").into())),
    strict("has_type_privilege", (2, 3), "bool", |_, arguments| Ok(asks(arguments, "USAGE").into())),
    strict("has_language_privilege", (2, 3), "bool", |_, arguments| Ok(asks(arguments, "USAGE").into())),
    strict("has_sequence_privilege", (2, 3), "bool", no),
    strict("has_tablespace_privilege", (2, 3), "bool", no),
    strict("has_server_privilege", (2, 3), "bool", no),
    strict("has_foreign_data_wrapper_privilege", (2, 3), "bool", no),
    strict("has_parameter_privilege", (2, 3), "bool", no),
    strict("pg_has_role", (2, 3), "bool", has_role),
    strict("row_security_active", (1, 1), "bool", row_security_active),
];

fn no(_: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(false.into())
}

/// The privileges that the last argument names, without WITH GRANT OPTION; any of them is enough.
fn wanted(arguments: &[Value]) -> Vec<String> {
    let text = arguments.last().map(Value::display).unwrap_or_default().to_uppercase();
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

fn asks(arguments: &[Value], privilege: &str) -> bool {
    wanted(arguments).iter().any(|item| item == privilege)
}

/// The role asked about, by name or oid: the first of `full` arguments, or the current one.
fn role(snapshot: &Snapshot, arguments: &[Value], full: usize) -> Result<String, Error> {
    if arguments.len() < full {
        return Ok(snapshot.visible.current_user.clone());
    }
    let named = arguments.first().map(Value::display).unwrap_or_default();
    if let Some(oid) = arguments.first().and_then(Value::as_oid) {
        return Ok(snapshot.role(oid).map_or(named, |role| role.name.clone()));
    }
    let known = named == "public"
        || [&snapshot.visible.current_user, &snapshot.visible.session_user].contains(&&named)
        || snapshot.visible.roles.iter().any(|role| role.name == named);
    if known { Ok(named) } else { Err(Error::new(Reason::UndefinedObject, format!("role \"{named}\" does not exist"))) }
}

fn is_superuser(snapshot: &Snapshot, name: &str) -> bool {
    snapshot.visible.roles.iter().any(|role| role.name == name && role.superuser)
}

fn relation<'a>(snapshot: &'a Snapshot, value: Option<&Value>) -> Result<Option<Relation<'a>>, Error> {
    let Some(value) = value else { return Ok(None) };
    if let Some(oid) = value.as_oid() {
        return Ok(snapshot.relation(oid));
    }
    let name = value.display();
    let missing = || Error::new(Reason::UndefinedTable, format!("relation \"{name}\" does not exist"));
    let oid = snapshot.relation_oid_by_name(&name).ok_or_else(missing)?;
    Ok(snapshot.relation(oid))
}

fn on_table(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let target = relation(snapshot, arguments.get(arguments.len().saturating_sub(2)))?;
    Ok(target.map(|target| may(snapshot, &role, &target, &wanted(arguments))).into())
}

fn on_column(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 4)?;
    let target = relation(snapshot, arguments.get(arguments.len().saturating_sub(3)))?;
    Ok(target.map(|target| may(snapshot, &role, &target, &wanted(arguments))).into())
}

fn may(snapshot: &Snapshot, role: &str, target: &Relation<'_>, wanted: &[String]) -> bool {
    match target {
        Relation::System(system) => system.kind != 'x' && wanted.iter().any(|item| item == "SELECT"),
        Relation::User(entry) => wanted.iter().any(|item| may_on_user(snapshot, role, entry, item)),
    }
}

fn may_on_user(snapshot: &Snapshot, role: &str, entry: &RelationEntry, privilege: &str) -> bool {
    let (privilege, with_grant) = match privilege.strip_suffix(" WITH GRANT OPTION") {
        Some(bare) => (bare, true),
        None => (privilege, false),
    };
    if role == snapshot.visible.current_user && !with_grant {
        return entry.privileges.iter().any(|held| held == privilege);
    }
    let held = held_roles(snapshot, role);
    is_superuser(snapshot, role)
        || grants_of(entry).iter().any(|grant| {
            let fits = grant.grantee == "PUBLIC" || held.contains(&grant.grantee);
            fits && grant.privilege == privilege && (grant.grantable || !with_grant)
        })
}

/// A schema that is visible may be used; to create in it takes its owner, a superuser, or a grant.
fn on_schema(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let target = arguments.get(arguments.len().saturating_sub(2));
    let by_oid = target.and_then(Value::as_oid).map(|oid| snapshot.namespace_name(oid).map(str::to_owned));
    let name = match by_oid {
        Some(found) => found,
        None => target.map(Value::display).and_then(|name| split_name(&name)?.pop()),
    };
    let Some(name) = name else { return Ok(Value::Null) };
    if [PG_CATALOG, INFORMATION_SCHEMA].contains(&name.as_str()) {
        return Ok(asks(arguments, "USAGE").into());
    }
    let missing = || Error::new(Reason::UndefinedSchema, format!("schema \"{name}\" does not exist"));
    let schema = snapshot.visible.schemas.iter().find(|schema| schema.name == name).ok_or_else(missing)?;
    let held = held_roles(snapshot, &role);
    let create = held.contains(&schema.owner) || is_superuser(snapshot, &role) || may_create(&schema.acl, &held);
    Ok((asks(arguments, "USAGE") || asks(arguments, "CREATE") && create).into())
}

/// Whether an access list lets one of the roles create.
fn may_create(acl: &[String], held: &[String]) -> bool {
    acl.iter().filter_map(|item| item.rsplit_once('=')).any(|(grantee, rest)| {
        let letters = rest.split('/').next().unwrap_or_default();
        (grantee.is_empty() || held.iter().any(|role| role == grantee.trim_matches('"'))) && letters.contains('C')
    })
}

fn on_database(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let may =
        || is_superuser(snapshot, &role) || may_create(&snapshot.visible.database_acl, &held_roles(snapshot, &role));
    Ok((asks(arguments, "CONNECT") || asks(arguments, "CREATE") && may()).into())
}

fn has_role(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let member = role(snapshot, arguments, 3)?;
    let target = arguments.get(arguments.len().saturating_sub(2));
    let name = match target.and_then(Value::as_oid) {
        Some(oid) => snapshot.role(oid).map(|role| role.name.clone()),
        None => target.map(Value::display),
    };
    let Some(name) = name else { return Ok(false.into()) };
    Ok((is_superuser(snapshot, &member) || held_roles(snapshot, &member).contains(&name)).into())
}

fn row_security_active(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let is_bypassing = snapshot
        .visible
        .roles
        .iter()
        .any(|role| role.name == snapshot.visible.current_user && (role.superuser || role.bypass_rls));
    Ok(match relation(snapshot, arguments.first())? {
        Some(Relation::User(entry)) => (entry.row_security && (entry.row_security_forced || !is_bypassing)).into(),
        _ => false.into(),
    })
}
