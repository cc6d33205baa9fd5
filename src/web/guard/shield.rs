//! The rules of every request: it comes from this site, it ends in time, and its answer tells the browser to be strict.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::web::failure::Failure;
use crate::web::house::House;
use crate::web::page::language::Language;

/// Longer than a statement, so that a statement's own timeout tells itself.
const REQUEST_MAX: Duration = Duration::from_secs(60);

const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

pub async fn shield(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    let chosen = Language::chosen(request.uri());
    let mut response = if !request.method().is_safe() && is_foreign(request.headers(), request.uri()) {
        Failure::new(StatusCode::FORBIDDEN, "a request from another site is refused").into_response()
    } else {
        match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Failure::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long").into_response(),
        }
    };
    house.answers.count(response.status().as_u16());
    harden(response.headers_mut());
    if let Some(language) = chosen {
        response.headers_mut().append(SET_COOKIE, language.cookie());
    }
    response
}

/// Whether a browser says that another site sent it. A program that is no browser says nothing, and holds no cookie.
fn is_foreign(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get(HeaderName::from_static("sec-fetch-site")) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes));
    let origin = origin.as_bytes();
    let origin = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    origin.is_none() || origin != host
}

fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What a user sees is nobody else's: only what says otherwise is kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(VARY).or_insert(HeaderValue::from_static("Cookie, Accept-Language"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn foreign(headers: &[(&'static str, &'static str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_foreign(&headers.collect(), &Uri::from_static("/v1/query"))
    }

    #[test]
    fn another_origin_is_foreign() {
        assert!(!foreign(&[("host", "127.0.0.1:8433")]));
        assert!(!foreign(&[("host", "127.0.0.1:8433"), ("origin", "http://127.0.0.1:8433")]));
        assert!(!foreign(&[("host", "shop.example"), ("origin", "https://shop.example")]));
        assert!(foreign(&[("host", "127.0.0.1:8433"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("host", "127.0.0.1:8433"), ("origin", "http://127.0.0.1:9")]));
        assert!(foreign(&[("host", "127.0.0.1:8433"), ("origin", "null")]));
    }

    #[test]
    fn what_the_browser_says_of_the_site_counts_first() {
        assert!(foreign(&[("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("host", "a"), ("sec-fetch-site", "same-site")]));
        assert!(!foreign(&[("host", "a"), ("origin", "http://b"), ("sec-fetch-site", "same-origin")]));
    }
}
