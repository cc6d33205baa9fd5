//! `POST /v1/load/TABLE`: rows in, a report out once they are durable; by login or by HTTP Basic authentication.
//!
//! The body is NDJSON, CSV, TSV, a stream of Arrow IPC or a Parquet file, as its Content-Type says; texts may be packed by
//! gzip or zstd. A platform's export is recognised by its header, or named by `?source=`. `Idempotency-Key` makes a repeat known: it is answered by what the first one did, and adds nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde_json::{Value, json};

use super::failure::Failure;
use super::guard::connection::Peer;
use super::house::House;
use crate::error::Reason;
use crate::ingest::stream::{BodyFormat, BodyKind};
use crate::ingest::{HeaderChanges, OnReject, REJECT_SHARE_MAX};
use crate::query::{Loaded, RowsLoad};

/// One body. Larger files are loaded in parts, or by `henna load`.
const BODY_BYTES_MAX: usize = 16 << 20;
const KEY_BYTES_MAX: usize = 256;
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// When to come again.
const BUSY_WAIT: Duration = Duration::from_secs(1);

pub async fn run(
    State(house): State<Arc<House>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(table): Path<String>,
    Query(options): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let login = house.caller(&headers, peer).await?;
    let session = Arc::new(house.session(&login, peer).await?);
    let target = session.load_target(&table)?;
    let Wanted { on_reject, reject_share_max, source } = wanted(&options)?;
    let (format, charset) = format(&headers)?;
    let (kind, key) = (BodyKind { format, charset, source }, key(&headers)?);
    let length = length(&headers)?;
    let room = house.lake.room_for(length).map_err(|_| busy())?;
    let body = read(body, length).await?;
    let load = RowsLoad { body, kind, key, on_reject, reject_share_max, room };
    match session.load(target, load).await {
        Ok(loaded) => Ok(Json(document(&loaded)).into_response()),
        Err(error) => Err(match error.reason() {
            Reason::InvalidRow | Reason::KeyReused => {
                Failure::from(error).with_status(StatusCode::UNPROCESSABLE_ENTITY)
            }
            Reason::LimitExceeded => Failure::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE),
            Reason::TooBusy => busy(),
            _ => error.into(),
        }),
    }
}

fn document(Loaded { report, tells_persons, tells_table }: &Loaded) -> Value {
    let mut document = serde_json::to_value(report).unwrap_or_default();
    let untold =
        [(tells_persons, &["identities_new", "identities_merged"][..]), (tells_table, &["files", "bytes", "version"])];
    for key in untold.iter().filter(|(tells, _)| !**tells).flat_map(|(_, keys)| *keys) {
        document[*key] = Value::Null;
    }
    document["load_id"] = json!(report.load_id);
    document["repeated"] = json!(report.repeated);
    document["ignored_columns"] = json!(report.ignored_columns);
    let HeaderChanges { renamed, missing, new } = &report.header;
    document["header"] = json!({ "renamed": renamed, "missing": missing, "new": new });
    document
}

/// What the address asks for.
struct Wanted {
    on_reject: OnReject,
    reject_share_max: f64,
    source: Option<String>,
}

fn wanted(options: &HashMap<String, String>) -> Result<Wanted, Failure> {
    let refused = |text: String| Failure::new(StatusCode::BAD_REQUEST, text);
    let mut wanted = Wanted { on_reject: OnReject::Keep, reject_share_max: REJECT_SHARE_MAX, source: None };
    for (name, value) in options {
        match (name.as_str(), value.as_str()) {
            ("on_reject", "keep") => wanted.on_reject = OnReject::Keep,
            ("on_reject", "stop") => wanted.on_reject = OnReject::Stop,
            ("on_reject", _) => return Err(refused(format!("on_reject is keep or stop, got '{value}'"))),
            ("reject_share_max", _) => {
                let given = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                let text = format!("reject_share_max must lie between 0 and 1, got '{value}'");
                wanted.reject_share_max = given.ok_or_else(|| refused(text))?;
            }
            ("source", _) => wanted.source = Some(value.clone()),
            _ => {
                let text = format!("unknown option '{name}': there are on_reject, reject_share_max and source");
                return Err(refused(text));
            }
        }
    }
    Ok(wanted)
}

/// The format that the Content-Type names, and the encoding where it names one.
fn format(headers: &HeaderMap) -> Result<(BodyFormat, Option<String>), Failure> {
    let unknown = |text: String| Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let format = match kind.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json" => BodyFormat::NdJson,
        "text/csv" => BodyFormat::Csv,
        "text/tab-separated-values" => BodyFormat::Tsv,
        "application/vnd.apache.arrow.stream" => BodyFormat::ArrowStream,
        "application/vnd.apache.parquet" => BodyFormat::Parquet,
        _ => {
            let hint = "Content-Type is application/x-ndjson, text/csv, text/tab-separated-values, \
                        application/vnd.apache.arrow.stream or application/vnd.apache.parquet";
            return Err(unknown(format!("rows of type '{kind}' are not known")).with_hint(hint));
        }
    };
    let mut pairs = parts.filter_map(|part| part.split_once('='));
    let charset = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let charset = charset.map(|(_, label)| label.trim().trim_matches('"').to_owned());
    match charset {
        Some(label) if !BodyKind::is_charset(&label) => Err(unknown(format!("charset '{label}' is not known"))),
        charset => Ok((format, charset)),
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(given) = headers.get(KEY) else { return Ok(None) };
    let text = given.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_BYTES_MAX);
    let refused = || {
        Failure::new(StatusCode::BAD_REQUEST, format!("Idempotency-Key must have 1 to {KEY_BYTES_MAX} ASCII letters"))
    };
    text.map(|text| Some(text.to_owned())).ok_or_else(refused)
}

/// How long the body is, or may be where that is not told.
fn length(headers: &HeaderMap) -> Result<usize, Failure> {
    let Some(given) = headers.get(CONTENT_LENGTH) else { return Ok(BODY_BYTES_MAX) };
    match given.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(length) if length <= BODY_BYTES_MAX => Ok(length),
        _ => Err(too_long()),
    }
}

fn too_long() -> Failure {
    let text = format!("a body may have {BODY_BYTES_MAX} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        .with_hint("send the rows in parts, or load a file with henna load")
}

async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Failure> {
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(part) = stream.next().await {
        let ended = |error| Failure::new(StatusCode::BAD_REQUEST, format!("the body ended early: {error}"));
        bytes.extend_from_slice(&part.map_err(ended)?);
        if bytes.len() > bytes_max {
            return Err(too_long());
        }
    }
    Ok(bytes.freeze())
}

fn busy() -> Failure {
    let text = "too many rows wait to be written";
    Failure::new(StatusCode::TOO_MANY_REQUESTS, text).with_hint("send them again in a second").with_wait(BUSY_WAIT)
}
