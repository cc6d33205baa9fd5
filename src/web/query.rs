//! `POST /v1/query`: one statement in, its rows out as JSON; by login or by HTTP Basic authentication.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::failure::Failure;
use super::guard::connection::Peer;
use super::house::House;
use super::rows::Allowed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    sql: String,
}

pub async fn run(
    State(house): State<Arc<House>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    query: Result<Json<Query>, JsonRejection>,
) -> Result<Response, Failure> {
    let login = house.caller(&headers, peer).await?;
    let Json(Query { sql }) = query.map_err(|error| Failure::new(error.status(), error.body_text()))?;
    Ok(document(house.run(&login, peer, &sql, Allowed::Any).await?))
}

/// A JSON document that is written already.
pub fn document(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
