//! Who asks: the login that a cookie names, or a user and password in the request (HTTP Basic, RFC 7617).

use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::logins::{AGE_MAX, Login};
use crate::web::failure::Failure;
use crate::web::guard::connection::Peer;
use crate::web::house::House;

const COOKIE_NAME: &str = "henna_login";

impl House {
    /// The login of a browser, if it still holds: the user may still log in, and the password is the same.
    pub fn login_of(&self, headers: &HeaderMap) -> Option<Login> {
        let token = cookie_value(headers, COOKIE_NAME)?;
        let login = self.logins.find(token, Instant::now())?;
        if login.holds(&self.lake.security().snapshot()) {
            return Some(login);
        }
        self.logins.close(token);
        None
    }

    pub fn log_out(&self, headers: &HeaderMap) {
        if let Some(token) = cookie_value(headers, COOKIE_NAME) {
            self.logins.close(token);
        }
    }

    /// By password where one is sent, else by cookie.
    pub async fn caller(&self, headers: &HeaderMap, peer: Peer) -> Result<Login, Failure> {
        let Some(given) = headers.get(AUTHORIZATION) else {
            return self.login_of(headers).ok_or_else(Failure::unknown_caller);
        };
        let (user, password) = basic(given.as_bytes()).ok_or_else(Failure::unknown_caller)?;
        Ok(self.gate.prove(&self.lake, peer, &user, password).await?)
    }
}

/// The value of the first cookie of a name.
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Scripts cannot read it, and other sites cannot send it.
pub fn cookie(token: &str) -> String {
    format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", AGE_MAX.as_secs())
}

pub fn gone_cookie() -> String {
    format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

fn basic(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_example_of_rfc_7617_is_read() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(basic(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        assert_eq!(basic("Basic dGVzdDoxMjPCow==".as_bytes()), pair("test", "123£"));
        for refused in ["Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic", "Basic ???", "Basic QWxhZGRpbg=="] {
            assert_eq!(basic(refused.as_bytes()), None, "{refused}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; henna_login=t0k; henna_login_x=2"));
        assert_eq!(cookie_value(&headers, COOKIE_NAME), Some("t0k"));
        assert_eq!(cookie_value(&headers, "henna"), None);
    }
}
