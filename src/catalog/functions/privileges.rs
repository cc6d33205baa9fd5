//! Whether a role may do something: the engine's own checks, asked by name. What is hidden from the caller does not exist.

use super::function::{CatalogFunction, strict};
use crate::access::{Privilege, PrivilegeSet, RoleId, TableId, Target};
use crate::catalog::model::RelationEntry;
use crate::catalog::snapshot::{Relation, Snapshot, split_name};
use crate::catalog::spec::{INFORMATION_SCHEMA, PG_CATALOG};
use crate::error::{Error, Reason};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("has_table_privilege", (2, 3), "bool", on_table),
    strict("has_any_column_privilege", (2, 3), "bool", on_any_column),
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

/// A privilege that is asked about, and whether with the right to grant it on.
#[derive(Clone, Copy)]
struct Asked {
    privilege: Privilege,
    grantable: bool,
}

/// The words of the last argument; any of them is enough.
fn words(arguments: &[Value]) -> Vec<String> {
    let text = arguments.last().map(Value::display).unwrap_or_default();
    text.split(',').map(|word| word.trim().to_owned()).collect()
}

fn asks(arguments: &[Value], privilege: &str) -> bool {
    words(arguments).iter().any(|word| word.eq_ignore_ascii_case(privilege))
}

fn unrecognized(word: &str) -> Error {
    Error::new(Reason::InvalidParameter, format!("unrecognized privilege type: \"{word}\""))
}

/// The privileges that the last argument names; one that is none of `fitting` is an error.
fn asked(arguments: &[Value], fitting: PrivilegeSet) -> Result<Vec<Asked>, Error> {
    let one = |word: &String| {
        let upper = word.to_uppercase();
        let bare = upper.strip_suffix(" WITH GRANT OPTION");
        let privilege = Privilege::parse(bare.unwrap_or(&upper)).filter(|privilege| fitting.contains(*privilege));
        privilege.map(|privilege| Asked { privilege, grantable: bare.is_some() }).ok_or_else(|| unrecognized(word))
    };
    words(arguments).iter().map(one).collect()
}

/// The role asked about, by name or oid: the first of `full` arguments, or the current one.
fn role(snapshot: &Snapshot, arguments: &[Value], full: usize) -> Result<RoleId, Error> {
    let security = &snapshot.visible.security;
    let of = |name: &str| security.role_named(name).map(|role| role.id);
    if arguments.len() < full {
        return Ok(of(&snapshot.visible.current_user).unwrap_or(RoleId::PUBLIC));
    }
    match arguments.first() {
        Some(value) => match value.as_oid() {
            Some(oid) => Ok(RoleId(oid)),
            None if value.display() == "public" => Ok(RoleId::PUBLIC),
            None => role_named(snapshot, &value.display()),
        },
        None => Ok(RoleId::PUBLIC),
    }
}

fn role_named(snapshot: &Snapshot, name: &str) -> Result<RoleId, Error> {
    let found = snapshot.visible.security.role_named(name).map(|role| role.id);
    found.ok_or_else(|| Error::new(Reason::UndefinedObject, format!("role \"{name}\" does not exist")))
}

/// The argument so many places before the last.
fn before_last(arguments: &[Value], places: usize) -> Option<&Value> {
    arguments.len().checked_sub(places + 1).and_then(|position| arguments.get(position))
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

fn id(entry: &RelationEntry) -> TableId {
    TableId::new(&entry.schema, &entry.name)
}

fn on_table(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let target = relation(snapshot, before_last(arguments, 1))?;
    let asked = asked(arguments, PrivilegeSet::all_of_relation())?;
    let may = |entry: &RelationEntry| asked.iter().any(|asked| may_on_table(snapshot, role, &id(entry), *asked));
    Ok(target.map(|target| on_relation(&target, &asked, may)).into())
}

fn on_any_column(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let target = relation(snapshot, before_last(arguments, 1))?;
    let asked = asked(arguments, PrivilegeSet::all_of_column())?;
    let may = |entry: &RelationEntry| {
        let mut columns = entry.columns.iter();
        columns.any(|column| asked.iter().any(|asked| may_on_column(snapshot, role, &id(entry), &column.name, *asked)))
    };
    Ok(target.map(|target| on_relation(&target, &asked, may)).into())
}

fn on_column(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 4)?;
    let target = relation(snapshot, before_last(arguments, 2))?;
    let column = before_last(arguments, 1);
    let asked = asked(arguments, PrivilegeSet::all_of_column())?;
    let Some(target) = target else { return Ok(Value::Null) };
    let attributes = target.attributes();
    let named = match column.and_then(Value::as_int) {
        // By number: one that is not there gives NULL.
        Some(number) => match attributes.iter().find(|attribute| i64::from(attribute.number) == number) {
            Some(attribute) => attribute.name.to_owned(),
            None => return Ok(Value::Null),
        },
        None => column.map(Value::display).unwrap_or_default(),
    };
    if !attributes.iter().any(|attribute| attribute.name == named) {
        let text = format!("column \"{named}\" of relation \"{}\" does not exist", target.name());
        return Err(Error::new(Reason::UndefinedColumn, text));
    }
    let may = |entry: &RelationEntry| asked.iter().any(|a| may_on_column(snapshot, role, &id(entry), &named, *a));
    Ok(on_relation(&target, &asked, may).into())
}

/// Of the system's relations everyone may read what is there to be read.
fn on_relation(target: &Relation<'_>, asked: &[Asked], may: impl Fn(&RelationEntry) -> bool) -> bool {
    match target {
        Relation::System(system) => {
            system.kind != 'x' && asked.iter().any(|a| a.privilege == Privilege::Select && !a.grantable)
        }
        Relation::User(entry) => may(entry),
    }
}

fn may_on_table(snapshot: &Snapshot, role: RoleId, id: &TableId, asked: Asked) -> bool {
    let security = &snapshot.visible.security;
    match asked.grantable {
        false => security.has_table_privilege(role, id, asked.privilege),
        true => security.has_grant_option(role, &Target::Relation(id.clone()), asked.privilege),
    }
}

fn may_on_column(snapshot: &Snapshot, role: RoleId, id: &TableId, column: &str, asked: Asked) -> bool {
    let security = &snapshot.visible.security;
    match asked.grantable {
        false => security.has_column_privilege(role, id, column, asked.privilege),
        true => {
            let target = Target::Column { relation: id.clone(), column: column.to_owned() };
            security.has_grant_option(role, &target, asked.privilege)
        }
    }
}

fn on_schema(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let target = before_last(arguments, 1);
    let asked = asked(arguments, PrivilegeSet::all_of_schema())?;
    let by_oid = target.and_then(Value::as_oid).map(|oid| snapshot.namespace_name(oid).map(str::to_owned));
    let name = match by_oid {
        Some(found) => found,
        None => target.map(Value::display).and_then(|name| split_name(&name)?.pop()),
    };
    let Some(name) = name else { return Ok(Value::Null) };
    let security = &snapshot.visible.security;
    if [PG_CATALOG, INFORMATION_SCHEMA].contains(&name.as_str()) {
        return Ok(asked.iter().any(|asked| asked.privilege == Privilege::Usage && !asked.grantable).into());
    }
    if !snapshot.visible.schemas.iter().any(|schema| schema.name == name) {
        return Err(Error::new(Reason::UndefinedSchema, format!("schema \"{name}\" does not exist")));
    }
    let may = |asked: &Asked| match asked.grantable {
        false => security.has_schema_privilege(role, &name, asked.privilege),
        true => security.has_grant_option(role, &Target::Schema(name.clone()), asked.privilege),
    };
    Ok(asked.iter().any(may).into())
}

fn on_database(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 3)?;
    let known = ["CONNECT", "CREATE", "TEMPORARY", "TEMP"];
    let bare = |word: &str| word.to_uppercase().trim_end_matches(" WITH GRANT OPTION").to_owned();
    if let Some(wrong) = words(arguments).iter().find(|word| !known.contains(&bare(word).as_str())) {
        return Err(unrecognized(wrong));
    }
    let create = asks(arguments, "CREATE") && snapshot.visible.security.has_database_privilege(role, Privilege::Create);
    Ok((asks(arguments, "CONNECT") || create).into())
}

fn has_role(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let member = role(snapshot, arguments, 3)?;
    let group = match before_last(arguments, 1) {
        Some(value) => match value.as_oid() {
            Some(oid) => RoleId(oid),
            None => role_named(snapshot, &value.display())?,
        },
        None => return Ok(Value::Null),
    };
    let security = &snapshot.visible.security;
    let one = |word: &String| {
        let upper = word.to_uppercase();
        let bare = upper.strip_suffix(" WITH ADMIN OPTION").or_else(|| upper.strip_suffix(" WITH GRANT OPTION"));
        let held = security.pg_has_role(member, group, bare.unwrap_or(&upper)).ok_or_else(|| unrecognized(word))?;
        Ok(if bare.is_some() { security.is_admin(member, group) } else { held })
    };
    let held = words(arguments).iter().map(one).collect::<Result<Vec<bool>, Error>>()?;
    Ok(held.contains(&true).into())
}

fn row_security_active(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let role = role(snapshot, arguments, 2)?;
    Ok(match relation(snapshot, arguments.first())? {
        Some(Relation::User(entry)) => snapshot.visible.security.row_security_active(role, &id(entry)).into(),
        _ => false.into(),
    })
}
