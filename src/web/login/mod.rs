//! Logging in and out in the browser.

pub mod caller;
pub mod logins;
pub mod proof;

use std::sync::Arc;
use std::time::Instant;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use self::proof::Refusal;
use super::failure::Failure;
use super::guard::connection::Peer;
use super::house::House;
use super::page::language::Language;
use super::page::{self, Page};

const BOARDS: &str = "/boards";

/// What the login form sends. It has no `Debug`, so that no log can hold the password.
#[derive(Deserialize)]
pub struct Credentials {
    user: String,
    password: String,
}

/// `GET /`: the form, or the boards for who is logged in.
pub async fn show(State(house): State<Arc<House>>, headers: HeaderMap, language: Language) -> Response {
    match house.login_of(&headers) {
        Some(_) => Redirect::to(BOARDS).into_response(),
        None => form(language, StatusCode::OK, ""),
    }
}

/// `POST /`: proves the password and sets the cookie.
pub async fn enter(
    State(house): State<Arc<House>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    language: Language,
    credentials: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(Credentials { user, password })) = credentials else {
        return form(language, StatusCode::BAD_REQUEST, language.word("incomplete"));
    };
    match house.gate.prove(&house.lake, peer, &user, password).await {
        Ok(login) => {
            // A token from before the login must not become that of the logged-in user.
            house.log_out(&headers);
            let token = house.logins.open(login, Instant::now());
            ([(header::SET_COOKIE, caller::cookie(&token))], Redirect::to(BOARDS)).into_response()
        }
        Err(refusal) => refused(language, refusal),
    }
}

/// `POST /logout`
pub async fn leave(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    house.log_out(&headers);
    ([(header::SET_COOKIE, caller::gone_cookie())], Redirect::to("/")).into_response()
}

fn refused(language: Language, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Wrong => form(language, StatusCode::UNAUTHORIZED, language.word("wrong")),
        Refusal::Wait(left) => {
            let seconds = left.as_secs().max(1);
            let text = language.word("wait").replace("{seconds}", &seconds.to_string());
            let mut response = form(language, StatusCode::TOO_MANY_REQUESTS, &text);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            response
        }
        Refusal::Fault(error) => {
            tracing::error!(%error, "login");
            let status = Failure::from(error).status;
            form(language, status, language.word("unavailable"))
        }
    }
}

fn form(language: Language, status: StatusCode, problem: &str) -> Response {
    let body = Page::new(include_str!("../page/login.html"), language)
        .text("problem", problem)
        .text("other", &page::other_language(language, "/"));
    (status, page::shell(language, language.word("sign_in"), body)).into_response()
}
