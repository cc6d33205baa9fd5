//! Boards: their pages, and the rows of their tiles.

pub mod definition;
mod shelf;

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use self::definition::{Board, Tile};
pub use self::shelf::Shelf;
use super::failure::Failure;
use super::guard::connection::Peer;
use super::house::House;
use super::login::logins::Login;
use super::page::language::Language;
use super::page::{self, Page};
use super::query::document;
use super::rows::Allowed;

/// `GET /boards`: all of them; a lone board is shown at once.
pub async fn list(State(house): State<Arc<House>>, headers: HeaderMap, language: Language) -> Response {
    let Some(login) = house.login_of(&headers) else { return Redirect::to("/").into_response() };
    let shelf = house.shelf();
    if let [(name, _)] = shelf.all() {
        return Redirect::to(&format!("/boards/{name}")).into_response();
    }
    let cards = shelf.all().iter().map(|(name, board)| {
        Page::new(include_str!("../page/card.html"), language)
            .text("name", name)
            .text("title", shown_title(name, board.as_ref(), language))
            .text("tiles", &board.as_ref().map_or(0, |board| board.tiles.len()).to_string())
    });
    let none = if shelf.all().is_empty() { language.word("boards_none") } else { "" };
    let body = Page::new(include_str!("../page/boards.html"), language)
        .pages("bar", [bar(&house, &login, language, "/boards", "")])
        .text("none", none)
        .pages("cards", cards);
    page::shell(language, language.word("boards"), body).into_response()
}

/// `GET /boards/NAME`: the board's tiles, yet without rows.
pub async fn show(
    State(house): State<Arc<House>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    language: Language,
) -> Response {
    let Some(login) = house.login_of(&headers) else { return Redirect::to("/").into_response() };
    let shelf = house.shelf();
    let board = match shelf.find(&name) {
        Some(Some(board)) => board,
        Some(None) => return page::problem(language, StatusCode::INTERNAL_SERVER_ERROR, "board_broken"),
        None => return page::problem(language, StatusCode::NOT_FOUND, "board_missing"),
    };
    let path = format!("/boards/{name}");
    let tiles = board.tiles.iter().enumerate().map(|(number, tile)| tile_page(number, tile, language));
    let body = Page::new(include_str!("../page/board.html"), language)
        .pages("bar", [bar(&house, &login, language, &path, &name)])
        .text("name", &name)
        .text("title", board.title.shown(language))
        .text("currency", board.currency.as_deref().unwrap_or(""))
        .text("labels", &json(board.labels.shown(language)))
        .text("words", &json(language.words()))
        .pages("tiles", tiles);
    page::shell(language, board.title.shown(language), body).into_response()
}

/// `GET /boards/NAME/tiles/NUMBER`: the rows of one tile, as the user who asks.
pub async fn tile(
    State(house): State<Arc<House>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((name, number)): Path<(String, usize)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // A browser that is told of Basic authentication would ask for a password in a window of its own.
    let login = house.login_of(&headers).ok_or_else(|| Failure::new(StatusCode::FORBIDDEN, "log in first"))?;
    let shelf = house.shelf();
    let board = shelf.find(&name).flatten();
    let tile = board.and_then(|board| board.tiles.get(number));
    let tile = tile.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "there is no such tile"))?;
    Ok(document(house.run(&login, peer, &tile.sql, Allowed::Rows).await?))
}

/// The top of a page at `path` that shows the board `current`.
fn bar(house: &House, login: &Login, language: Language, path: &str, current: &str) -> Page {
    let shelf = house.shelf();
    let tabs = shelf.all().iter().map(|(name, board)| {
        Page::new(include_str!("../page/tab.html"), language)
            .text("name", name)
            .text("title", shown_title(name, board.as_ref(), language))
            .text("state", if name == current { "current" } else { "" })
    });
    Page::new(include_str!("../page/bar.html"), language)
        .pages("tabs", tabs)
        .text("other", &page::other_language(language, path))
        .text("user", &login.user)
}

fn shown_title<'a>(name: &'a str, board: Option<&'a Board>, language: Language) -> &'a str {
    board.map_or(name, |board| board.title.shown(language))
}

/// The tile without its statement, which is no reader's business.
fn tile_page(number: usize, tile: &Tile, language: Language) -> Page {
    Page::new(include_str!("../page/tile.html"), language)
        .text("chart", tile.chart.name())
        .text("width", &tile.width().to_string())
        .text("number", &number.to_string())
        .text("title", tile.title.shown(language))
        .text("tile", &json(tile))
}

fn json(value: &impl serde::Serialize) -> String {
    // Plain texts and numbers always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}
