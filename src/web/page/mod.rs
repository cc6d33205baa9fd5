//! Pages: HTML files whose `{{places}}` are filled in, every text escaped.
//!
//! `{{name}}` is a value of the handler, `{{word.name}}` a word in the reader's language (`words.toml`), `{{asset.name}}`
//! the address of an embedded file.

pub mod asset;
pub mod language;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use self::language::Language;
use super::house::House;

/// A template and what goes into it.
pub struct Page {
    template: &'static str,
    language: Language,
    values: Vec<(&'static str, String)>,
}

impl Page {
    pub fn new(template: &'static str, language: Language) -> Self {
        Self { template, language, values: Vec::new() }
    }

    pub fn text(mut self, name: &'static str, text: &str) -> Self {
        self.values.push((name, escaped(text)));
        self
    }

    /// Pages within the page, one after the other.
    pub fn pages(mut self, name: &'static str, pages: impl IntoIterator<Item = Page>) -> Self {
        self.values.push((name, pages.into_iter().map(|page| page.render()).collect()));
        self
    }

    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.template.len() * 2);
        let mut rest = self.template;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let Some((place, after)) = after.split_once("}}") else {
                rest = after;
                break;
            };
            self.fill(place, &mut out);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// A place that nothing fills stays visible.
    fn fill(&self, place: &str, out: &mut String) {
        if let Some(word) = place.strip_prefix("word.") {
            out.push_str(&escaped(self.language.word(word)));
        } else if let Some(name) = place.strip_prefix("asset.") {
            out.push_str(&escaped(&asset::address(name)));
        } else if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == place) {
            out.push_str(value);
        } else {
            out.push_str("{{");
            out.push_str(place);
            out.push_str("}}");
        }
    }
}

/// A whole page around `body`.
pub fn shell(language: Language, title: &str, body: Page) -> Html<String> {
    let page = Page::new(include_str!("shell.html"), language)
        .text("language", language.tag())
        .text("title", title)
        .pages("body", [body]);
    Html(page.render())
}

/// Where the page at `path` is found in the other language.
pub fn other_language(language: Language, path: &str) -> String {
    format!("{path}?lang={}", language.other().code())
}

/// A page that says what is wrong.
pub fn problem(language: Language, status: StatusCode, word: &str) -> Response {
    let text = language.word(word);
    let body = Page::new(include_str!("problem.html"), language).text("status", status.as_str()).text("text", text);
    (status, shell(language, text, body)).into_response()
}

/// Any address that is no page.
pub async fn missing(State(_): State<Arc<House>>, uri: Uri, language: Language) -> Response {
    if uri.path().starts_with("/v1/") {
        return super::failure::Failure::new(StatusCode::NOT_FOUND, "there is no such endpoint").into_response();
    }
    problem(language, StatusCode::NOT_FOUND, "page_missing")
}

/// Text as it may stand between tags and within quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_a_tag_or_a_place() {
        let page = Page::new("<p title=\"{{a}}\">{{b}}</p>", Language::English)
            .text("a", "\"><script>")
            .text("b", "{{word.sign_in}} & {{a}}");
        assert_eq!(page.render(), "<p title=\"&quot;&gt;&lt;script&gt;\">{{word.sign_in}} &amp; {{a}}</p>");
    }

    #[test]
    fn words_and_pages_fill_their_places() {
        let item = |text: &str| Page::new("<li>{{text}}</li>", Language::Chinese).text("text", text);
        let page = Page::new("{{word.sign_in}}<ul>{{items}}</ul>{{nobody}}", Language::Chinese);
        assert_eq!(
            page.pages("items", [item("1"), item("<")]).render(),
            "登录<ul><li>1</li><li>&lt;</li></ul>{{nobody}}"
        );
    }
}
