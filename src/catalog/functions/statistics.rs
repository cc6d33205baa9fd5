//! Counters of activity. The engine keeps none of these, so each is zero or unknown.

use super::function::{Body, CatalogFunction, called, strict};
use crate::catalog::snapshot::Snapshot;
use crate::error::Error;
use crate::functions::value::Value;

const ZERO: Body = |_, _| Ok(Value::Int(0));
const UNKNOWN: Body = |_, _| Ok(Value::Null);

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("pg_stat_get_numscans", (1, 1), "int8", ZERO),
    strict("pg_stat_get_tuples_returned", (1, 1), "int8", ZERO),
    strict("pg_stat_get_tuples_fetched", (1, 1), "int8", ZERO),
    strict("pg_stat_get_tuples_inserted", (1, 1), "int8", ZERO),
    strict("pg_stat_get_tuples_updated", (1, 1), "int8", ZERO),
    strict("pg_stat_get_tuples_deleted", (1, 1), "int8", ZERO),
    strict("pg_stat_get_live_tuples", (1, 1), "int8", live_tuples),
    strict("pg_stat_get_dead_tuples", (1, 1), "int8", ZERO),
    strict("pg_stat_get_blocks_fetched", (1, 1), "int8", ZERO),
    strict("pg_stat_get_blocks_hit", (1, 1), "int8", ZERO),
    called("pg_stat_get_last_vacuum_time", (1, 1), "timestamptz", UNKNOWN),
    called("pg_stat_get_last_autovacuum_time", (1, 1), "timestamptz", UNKNOWN),
    called("pg_stat_get_last_analyze_time", (1, 1), "timestamptz", UNKNOWN),
    called("pg_stat_get_last_autoanalyze_time", (1, 1), "timestamptz", UNKNOWN),
    called("pg_last_xact_replay_timestamp", (0, 0), "timestamptz", UNKNOWN),
    called("pg_last_wal_receive_lsn", (0, 0), "pg_lsn", UNKNOWN),
    called("pg_last_wal_replay_lsn", (0, 0), "pg_lsn", UNKNOWN),
    called("pg_last_committed_xact", (0, 0), "text", UNKNOWN),
];

fn live_tuples(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let entry = arguments.first().and_then(Value::as_oid).and_then(|oid| snapshot.user_relation(oid));
    let rows = entry.and_then(|entry| entry.rows).unwrap_or(0);
    Ok(Value::Int(i64::try_from(rows).unwrap_or(i64::MAX)))
}
