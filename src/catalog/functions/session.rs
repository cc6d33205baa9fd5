//! Who asks, where, with which settings.

use super::function::{CatalogFunction, called, strict, volatile};
use crate::catalog::session::SettingScope;
use crate::catalog::snapshot::{SYSTEM_OWNER, Snapshot};
use crate::catalog::spec::PG_CATALOG;
use crate::error::{Error, Reason};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("version", (0, 0), "text", version),
    strict("current_database", (0, 0), "name", database),
    strict("current_catalog", (0, 0), "name", database),
    strict("current_schema", (0, 0), "name", current_schema),
    strict("current_schemas", (1, 1), "_name", current_schemas),
    strict("current_user", (0, 0), "name", current_user),
    strict("current_role", (0, 0), "name", current_user),
    strict("user", (0, 0), "name", current_user),
    strict("session_user", (0, 0), "name", session_user),
    strict("getpgusername", (0, 0), "name", current_user),
    strict("current_setting", (1, 2), "text", current_setting),
    volatile("set_config", (3, 3), "text", set_config),
    strict("pg_backend_pid", (0, 0), "int4", |snapshot, _| Ok(snapshot.session().backend_pid().into())),
    strict("pg_postmaster_start_time", (0, 0), "timestamptz", start_time),
    strict("pg_conf_load_time", (0, 0), "timestamptz", start_time),
    strict("pg_is_in_recovery", (0, 0), "bool", |_, _| Ok(false.into())),
    strict("pg_is_wal_replay_paused", (0, 0), "bool", |_, _| Ok(false.into())),
    strict("pg_my_temp_schema", (0, 0), "oid", |_, _| Ok(0_u32.into())),
    strict("pg_is_other_temp_schema", (1, 1), "bool", |_, _| Ok(false.into())),
    strict("inet_server_addr", (0, 0), "inet", |snapshot, _| {
        Ok(snapshot.session().server_address().map(|(a, _)| a).into())
    }),
    strict("inet_server_port", (0, 0), "int4", |snapshot, _| Ok(port(snapshot.session().server_address()))),
    strict("inet_client_addr", (0, 0), "inet", |snapshot, _| {
        Ok(snapshot.session().client_address().map(|(a, _)| a).into())
    }),
    strict("inet_client_port", (0, 0), "int4", |snapshot, _| Ok(port(snapshot.session().client_address()))),
    volatile("txid_current", (0, 0), "int8", transaction_id),
    volatile("pg_current_xact_id", (0, 0), "int8", transaction_id),
    called("txid_current_if_assigned", (0, 0), "int8", |_, _| Ok(Value::Null)),
    volatile("pg_advisory_unlock_all", (0, 0), "void", |_, _| Ok("".into())),
    volatile("pg_cancel_backend", (1, 1), "bool", cancel),
    volatile("pg_terminate_backend", (1, 2), "bool", terminate),
    volatile("pg_reload_conf", (0, 0), "bool", |_, _| Ok(false.into())),
    strict("pg_blocking_pids", (1, 1), "_int4", |_, _| Ok(Value::List(Vec::new()))),
];

/// What PostgreSQL tells of its build and clients read, where the session has no such setting.
const FIXED: [(&str, &str); 9] = [
    ("block_size", "8192"),
    ("default_table_access_method", "delta"),
    ("default_tablespace", ""),
    ("integer_datetimes", "on"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("server_encoding", "UTF8"),
    ("server_version_num", "160006"),
    ("wal_level", "replica"),
];

fn version(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    let server = snapshot.session().setting("server_version").unwrap_or_else(|| "16.6".into());
    let number = server.split_whitespace().next().unwrap_or("16.6");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    Ok(format!("PostgreSQL {number} (Henna {} on {target})", env!("CARGO_PKG_VERSION")).into())
}

fn database(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok((&snapshot.visible.database).into())
}

fn current_schema(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(snapshot.session().search_path().into_iter().next().into())
}

/// With `true` also `pg_catalog`, which is always searched first.
fn current_schemas(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let implicit = arguments.first().and_then(Value::as_bool).unwrap_or(false);
    let mut path = snapshot.session().search_path();
    if implicit && !path.iter().any(|schema| schema == PG_CATALOG) {
        path.insert(0, PG_CATALOG.to_owned());
    }
    Ok(path.into())
}

fn current_user(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(name_or_system(&snapshot.visible.current_user))
}

fn session_user(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(name_or_system(&snapshot.visible.session_user))
}

fn name_or_system(name: &str) -> Value {
    if name.is_empty() { SYSTEM_OWNER } else { name }.into()
}

fn current_setting(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name = arguments.first().map(Value::display).unwrap_or_default();
    let missing_ok = arguments.get(1).and_then(Value::as_bool).unwrap_or(false);
    let fixed = FIXED.iter().find(|(known, _)| *known == name.to_lowercase()).map(|(_, value)| (*value).to_owned());
    match snapshot.session().setting(&name.to_lowercase()).or(fixed) {
        Some(value) => Ok(value.into()),
        None if missing_ok => Ok(Value::Null),
        None => {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            Err(Error::new(Reason::UndefinedObject, message))
        }
    }
}

fn set_config(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let text = |position: usize| arguments.get(position).map(Value::display).unwrap_or_default();
    let is_local = arguments.get(2).and_then(Value::as_bool).unwrap_or(false);
    let scope = if is_local { SettingScope::Transaction } else { SettingScope::Session };
    let changed = snapshot.session().change_setting(&text(0).to_lowercase(), &text(1), scope);
    changed.map(Value::from).map_err(|message| Error::new(Reason::InvalidParameter, message))
}

fn start_time(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(snapshot.session().server_start_us().into())
}

fn port(address: Option<(String, u16)>) -> Value {
    address.map(|(_, port)| i32::from(port)).into()
}

/// There is no transaction counter; the time serves, which grows as one does.
fn transaction_id(_: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(chrono::Utc::now().timestamp_micros().into())
}

fn cancel(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let pid = arguments.first().and_then(Value::as_int).and_then(|pid| i32::try_from(pid).ok());
    Ok(pid.map(|pid| snapshot.session().cancel(pid)).into())
}

fn terminate(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let pid = arguments.first().and_then(Value::as_int).and_then(|pid| i32::try_from(pid).ok());
    Ok(pid.map(|pid| snapshot.session().terminate(pid)).into())
}
