//! The web door: logins, boards and SQL over HTTP/1.1, each answer computed as the user who asks.
//!
//! A request runs through these steps: the listener counts its connection (`guard::connection`); the shield refuses
//! what another site sent, sets the deadline and the security headers (`guard::shield`); the login is found by its cookie
//! or proved by a password (`login`); a statement runs in a session of that user, its rows bounded (`rows`). Pages come
//! from `page`; rows are loaded through a session as well (`load`); a board's tiles ask for their rows one by one, so that a slow or failing tile leaves the others alone.

mod board;
mod failure;
mod guard;
mod health;
mod house;
mod load;
mod login;
mod page;
mod query;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::guard::connection::{BoundedListener, Peer};
use self::house::House;
use crate::query::Lake;

/// A user's name and password, and a statement: nothing that is sent here is longer.
const LOGIN_BYTES_MAX: usize = 8 << 10;
const QUERY_BYTES_MAX: usize = 1 << 20;

/// Serves until `shutdown` is cancelled; requests that are under way then have `drain_max` to end.
pub async fn serve(listener: TcpListener, lake: Lake, drain_max: Duration, shutdown: CancellationToken) {
    let house = Arc::new(House::new(lake, shutdown.clone()));
    let service = router(house).into_make_service_with_connect_info::<Peer>();
    let serving = axum::serve(BoundedListener::new(listener), service)
        .with_graceful_shutdown(shutdown.clone().cancelled_owned())
        .into_future();
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_max).await;
    };
    tokio::select! {
        _ = serving => {}
        () = drained => tracing::info!("web requests were cut off"),
    }
}

fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", get(login::show).post(login::enter).layer(DefaultBodyLimit::max(LOGIN_BYTES_MAX)))
        .route("/logout", post(login::leave))
        .route("/boards", get(board::list))
        .route("/boards/{name}", get(board::show))
        .route("/boards/{name}/tiles/{number}", get(board::tile))
        .route("/v1/query", post(query::run).layer(DefaultBodyLimit::max(QUERY_BYTES_MAX)))
        .route("/v1/load/{table}", post(load::run).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/static/{name}", get(page::asset::get))
        .fallback(page::missing)
        .layer(from_fn_with_state(house.clone(), guard::shield::shield))
        .with_state(house)
}
