//! The session's settings, and the time zones that one of them may name.

use super::Rows;
use crate::catalog::snapshot::Snapshot;
use crate::functions::value::Value;

pub fn pg_settings(snapshot: &Snapshot, rows: &mut Rows) {
    for setting in &snapshot.visible.settings {
        rows.push([
            ("name", (&setting.name).into()),
            ("setting", (&setting.value).into()),
            ("short_desc", (&setting.description).into()),
            ("context", (&setting.context).into()),
            ("category", "Henna".into()),
            ("vartype", kind(&setting.value).into()),
            ("source", "session".into()),
            ("reset_val", (&setting.value).into()),
            ("pending_restart", false.into()),
        ]);
    }
}

fn kind(value: &str) -> &'static str {
    match value {
        "on" | "off" => "bool",
        text if text.parse::<i64>().is_ok() => "integer",
        _ => "string",
    }
}

/// The offset of a zone changes with the season, so only its name is told.
pub fn pg_timezone_names(_: &Snapshot, rows: &mut Rows) {
    for zone in chrono_tz::TZ_VARIANTS {
        rows.push([("name", zone.name().into()), ("is_dst", Value::Null)]);
    }
}
