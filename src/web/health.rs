//! What watches the server reads: `/healthz`, `/readyz`, and `/metrics` in Prometheus' text format.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::house::House;

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The server takes requests: it is not stopping, and its security log is whole.
pub async fn ready(State(house): State<Arc<House>>) -> (StatusCode, &'static str) {
    if house.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if !house.lake.security().snapshot().is_sound() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the security log is damaged\n");
    }
    (StatusCode::OK, "ok\n")
}

/// Counts of the house, never of anybody's rows.
pub async fn metrics(State(house): State<Arc<House>>) -> Response {
    let mut text = String::new();
    gauge(&mut text, "henna_build_info", "The version that runs.", |out| {
        writeln!(out, "henna_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))
    });
    gauge(&mut text, "henna_sessions", "Open sessions, of all doors.", |out| {
        writeln!(out, "henna_sessions {}", house.lake.session_count())
    });
    gauge(&mut text, "henna_web_logins", "Browsers that are logged in.", |out| {
        writeln!(out, "henna_web_logins {}", house.logins.count(Instant::now()))
    });
    metric(&mut text, "henna_web_answers_total", "counter", "Answers by class of status.", |out| {
        house
            .answers
            .by_class()
            .try_for_each(|(class, count)| writeln!(out, "henna_web_answers_total{{class=\"{class}\"}} {count}"))
    });
    gauge(&mut text, "henna_load_waiting_bytes", "Bodies of loads that wait or are being committed.", |out| {
        writeln!(out, "henna_load_waiting_bytes {}", house.lake.waiting_bytes())
    });
    gauge(&mut text, "henna_audit_unrecorded", "Events lost to the audit log and not told by it yet.", |out| {
        writeln!(out, "henna_audit_unrecorded {}", house.lake.audit().lost())
    });
    let started = house.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    gauge(&mut text, "process_start_time_seconds", "When the server started.", |out| {
        writeln!(out, "process_start_time_seconds {}", started.as_secs())
    });
    if let Some(bytes) = memory_bytes().await {
        gauge(&mut text, "process_resident_memory_bytes", "Memory that the process holds.", |out| {
            writeln!(out, "process_resident_memory_bytes {bytes}")
        });
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn gauge(text: &mut String, name: &str, help: &str, samples: impl FnOnce(&mut String) -> std::fmt::Result) {
    metric(text, name, "gauge", help, samples);
}

fn metric(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    samples: impl FnOnce(&mut String) -> std::fmt::Result,
) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").and_then(|()| samples(text));
}

/// `None` where the system does not tell.
async fn memory_bytes() -> Option<u64> {
    let text = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}
