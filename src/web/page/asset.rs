//! Files that are part of the program: style sheet, scripts, the chart library. Their addresses carry their hash.

use std::sync::LazyLock;

use axum::extract::{Path, RawQuery};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Bytes of the hash that an address carries.
const HASH_BYTES: usize = 8;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SHEET: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    hash: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files: [(&str, &str, &[u8]); 6] = [
        ("style.css", SHEET, include_bytes!("style.css")),
        ("board.js", JAVASCRIPT, include_bytes!("board.js")),
        ("format.js", JAVASCRIPT, include_bytes!("format.js")),
        ("charts.js", JAVASCRIPT, include_bytes!("charts.js")),
        ("henna.svg", PICTURE, include_bytes!("henna.svg")),
        ("echarts.js", JAVASCRIPT, include_bytes!("../vendor/echarts.min.js")),
    ];
    files.into_iter().map(|(name, kind, bytes)| Asset { name, kind, bytes, hash: hash(bytes) }).collect()
});

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Where a page finds the file.
pub fn address(name: &str) -> String {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => format!("/static/{name}?v={}", asset.hash),
        None => format!("/static/{name}"),
    }
}

/// `GET /static/NAME`: kept for good under the address with its hash, else asked for anew each time.
pub async fn get(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let exact = query.is_some_and(|query| query.strip_prefix("v=") == Some(&asset.hash));
    let kept = if exact { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = format!("\"{}\"", asset.hash);
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let about = [(CACHE_CONTROL, kept), (ETAG, &tag), (CONTENT_TYPE, asset.kind)];
    if known { (StatusCode::NOT_MODIFIED, about).into_response() } else { (about, asset.bytes).into_response() }
}
