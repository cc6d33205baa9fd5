//! The reader's language: what the address asks for, else the cookie, else what the browser prefers, else English.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use serde::Deserialize;

use crate::web::login::caller::cookie_value;

const COOKIE_NAME: &str = "henna_lang";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

#[derive(Debug, Default, Deserialize)]
struct Words {
    en: BTreeMap<String, String>,
    zh: BTreeMap<String, String>,
}

/// A test reads the file, so the empty words are never seen.
static WORDS: LazyLock<Words> = LazyLock::new(|| toml::from_str(include_str!("words.toml")).unwrap_or_default());

impl Language {
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// As `lang` of HTML and the browser's number formats take it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// A word of the pages; its name where there is no such word.
    pub fn word(self, name: &str) -> &str {
        self.words().get(name).map_or(name, String::as_str)
    }

    pub fn words(self) -> &'static BTreeMap<String, String> {
        match self {
            Self::English => &WORDS.en,
            Self::Chinese => &WORDS.zh,
        }
    }

    /// The language that the address asks for: `?lang=zh`.
    pub fn chosen(uri: &Uri) -> Option<Self> {
        let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| *name == "lang").find_map(|(_, code)| Self::coded(code))
    }

    /// Keeps the choice for the pages to come.
    pub fn cookie(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::English => "henna_lang=en; Path=/; SameSite=Strict; Max-Age=31536000",
            Self::Chinese => "henna_lang=zh; Path=/; SameSite=Strict; Max-Age=31536000",
        })
    }

    fn coded(code: &str) -> Option<Self> {
        [Self::English, Self::Chinese].into_iter().find(|language| language.code() == code)
    }

    /// The first of ours among those that `Accept-Language` (RFC 9110, 12.5.4) prefers.
    fn accepted(header: &str) -> Option<Self> {
        let ranges = header.split(',').filter_map(|range| {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = parameter.trim().strip_prefix("q=")?.parse().ok()?;
            let primary = tag.trim().split('-').next()?.to_ascii_lowercase();
            Some((Self::coded(&primary)?, weight))
        });
        // Of equal weights the earlier one counts.
        let better = |best: Option<(Self, f32)>, next: (Self, f32)| match best {
            Some(best) if best.1 >= next.1 => Some(best),
            _ => Some(next),
        };
        ranges.filter(|(_, weight)| *weight > 0.0).fold(None, better).map(|(language, _)| language)
    }
}

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let kept = || cookie_value(&parts.headers, COOKIE_NAME).and_then(Self::coded);
        let accepted = || Self::accepted(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        Ok(Self::chosen(&parts.uri).or_else(kept).or_else(accepted).unwrap_or(Self::English))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_words() {
        let words: Words = toml::from_str(include_str!("words.toml")).unwrap();
        assert!(words.en.keys().eq(words.zh.keys()));
        assert!(words.en.values().chain(words.zh.values()).all(|word| !word.is_empty()));
    }

    #[test]
    fn the_browser_s_preference_is_followed() {
        for (header, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Chinese)),
            ("en-GB,en;q=0.5,zh;q=0.4", Some(Language::English)),
            ("fr, zh;q=0.2", Some(Language::Chinese)),
            ("en;q=0.1, zh-TW;q=0.7", Some(Language::Chinese)),
            ("fr,de", None),
            ("zh;q=0", None),
            (";;q=,,", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    #[test]
    fn the_address_may_choose() {
        assert_eq!(Language::chosen(&Uri::from_static("/boards/x?a=1&lang=zh")), Some(Language::Chinese));
        assert_eq!(Language::chosen(&Uri::from_static("/?lang=fr")), None);
        assert_eq!(Language::chosen(&Uri::from_static("/")), None);
    }
}
