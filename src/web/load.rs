//! `POST /v1/load/TABLE`: rows in, a report out once they are durable; by login or by HTTP Basic authentication.
//!
//! The body is NDJSON, CSV, TSV, a stream of Arrow IPC or a Parquet file, as its Content-Type says; texts may be packed by
//! gzip or zstd. `Idempotency-Key` makes a repeat known: it is answered by what the first one did, and adds nothing.

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
use crate::ingest::stream::BodyFormat;
use crate::ingest::{OnReject, REJECT_SHARE_MAX};
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
    let (on_reject, reject_share_max) = rejecting(&options)?;
    let (format, key) = (format(&headers)?, key(&headers)?);
    let length = length(&headers)?;
    let room = house.lake.room_for(length).map_err(|_| busy())?;
    let body = read(body, length).await?;
    let load = RowsLoad { body, format, key, on_reject, reject_share_max, room };
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
    document
}

fn rejecting(options: &HashMap<String, String>) -> Result<(OnReject, f64), Failure> {
    let refused = |text: String| Failure::new(StatusCode::BAD_REQUEST, text);
    let (mut on_reject, mut share) = (OnReject::Keep, REJECT_SHARE_MAX);
    for (name, value) in options {
        match (name.as_str(), value.as_str()) {
            ("on_reject", "keep") => on_reject = OnReject::Keep,
            ("on_reject", "stop") => on_reject = OnReject::Stop,
            ("on_reject", _) => return Err(refused(format!("on_reject is keep or stop, got '{value}'"))),
            ("reject_share_max", _) => {
                let given = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                let text = format!("reject_share_max must lie between 0 and 1, got '{value}'");
                share = given.ok_or_else(|| refused(text))?;
            }
            _ => return Err(refused(format!("unknown option '{name}': there are on_reject and reject_share_max"))),
        }
    }
    Ok((on_reject, share))
}

fn format(headers: &HeaderMap) -> Result<BodyFormat, Failure> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json" => {
            Ok(BodyFormat::NdJson)
        }
        "text/csv" => Ok(BodyFormat::Csv),
        "text/tab-separated-values" => Ok(BodyFormat::Tsv),
        "application/vnd.apache.arrow.stream" => Ok(BodyFormat::ArrowStream),
        "application/vnd.apache.parquet" => Ok(BodyFormat::Parquet),
        _ => {
            let text = format!("rows of type '{kind}' are not known");
            let hint = "Content-Type is application/x-ndjson, text/csv, text/tab-separated-values, \
                        application/vnd.apache.arrow.stream or application/vnd.apache.parquet";
            Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).with_hint(hint))
        }
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
