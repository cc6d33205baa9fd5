//! Errors as HTTP answers: a status by [`Kind`], and a JSON body that says what happened.

use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::login::proof::Refusal;
use crate::error::{Error, Kind};

/// `{"error":{"message":..,"detail":..,"hint":..}}` with its status.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    wait: Option<Duration>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), detail: None, hint: None, wait: None }
    }

    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// When to come again.
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    /// Nobody is logged in, and no password came along.
    pub fn unknown_caller() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "log in first")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            ..Self::new(status(error.kind()), error.to_string())
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Wrong => Self::new(StatusCode::UNAUTHORIZED, message),
            Refusal::Wait(left) => Self { wait: Some(left), ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) },
            Refusal::Fault(error) => error.into(),
        }
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Missing => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Exhausted | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        Kind::Corrupt | Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "message": self.message, "detail": self.detail, "hint": self.hint } });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"henna\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.wait {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        response
    }
}
