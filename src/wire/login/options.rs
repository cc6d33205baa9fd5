//! The parameters of a start-up packet, told apart: who, where, and with which settings.

use super::greeting::Packet;
use crate::error::{Error, Reason, Result};
use crate::wire::protocol::Failure;

const DATABASE: &str = "henna";

/// A start-up packet understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub minor_version: u16,
    pub user: String,
    pub database: String,
    pub application_name: Option<String>,
    /// Settings in the order in which they apply: those of `options` first, as PostgreSQL has it.
    pub options: Vec<(String, String)>,
    /// Extensions of the protocol that the client would like (`_pq_.*`); none is known here.
    pub extensions: Vec<String>,
}

impl Request {
    pub fn of(packet: Packet) -> Result<Self, Failure> {
        let mut request = Self { minor_version: packet.minor_version, ..Self::default() };
        let mut settings = Vec::new();
        for (name, value) in packet.parameters {
            match name.as_str() {
                "user" => request.user = value,
                "database" => request.database = value,
                "options" => request.options = command_line(&value)?,
                "replication" if !["false", "off", "no", "0", "f", "n"].contains(&value.as_str()) => {
                    return Err(Error::new(Reason::Unsupported, "replication connections are not supported").into());
                }
                "replication" => {}
                "application_name" => request.application_name = Some(value),
                name if name.starts_with("_pq_.") => request.extensions.push(name.to_owned()),
                _ => settings.push((name, value)),
            }
        }
        request.options.extend(settings);
        if request.user.is_empty() {
            return Err(Failure::fatal("28000", "no PostgreSQL user name specified in startup packet"));
        }
        if request.database.is_empty() {
            request.database = DATABASE.to_owned();
        }
        Ok(request)
    }
}

/// The settings in a text such as `-c statement_timeout=7s --search_path=a\ b`; a backslash keeps the next character.
fn command_line(text: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        let refused =
            || Error::new(Reason::Syntax, format!("invalid command-line argument for server process: {word}"));
        let setting = match word.strip_prefix("--") {
            Some(setting) => setting.to_owned(),
            None => match word.strip_prefix("-c").ok_or_else(refused)? {
                "" => words.next().ok_or_else(refused)?,
                setting => setting.to_owned(),
            },
        };
        let (name, value) = setting.split_once('=').ok_or_else(refused)?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn request(parameters: &[(&str, &str)]) -> Result<Request, Failure> {
        let parameters = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Request::of(Packet { minor_version: 0, parameters })
    }

    #[test]
    fn settings_come_from_the_command_line_and_then_from_the_packet() {
        let request = request(&[
            ("user", "hq"),
            ("TimeZone", "UTC"),
            ("options", r"-c statement_timeout=7s --search-path=a\ b -cx=\\"),
        ])
        .unwrap();
        let expected = [("statement_timeout", "7s"), ("search_path", "a b"), ("x", r"\"), ("TimeZone", "UTC")];
        assert_eq!(request.options, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(request.database, "henna");
    }

    #[test]
    fn a_packet_without_a_user_is_fatal() {
        assert!(matches!(request(&[("database", "henna")]), Err(Failure::Fatal(fatal)) if fatal.sqlstate == "28000"));
    }

    #[test]
    fn replication_and_an_unknown_argument_are_refused() {
        assert!(request(&[("user", "hq"), ("replication", "database")]).is_err());
        assert!(request(&[("user", "hq"), ("options", "-d 5")]).is_err());
        assert!(request(&[("user", "hq"), ("replication", "false")]).is_ok());
    }

    #[test]
    fn extensions_of_the_protocol_are_told_apart_from_settings() {
        let request = request(&[("user", "hq"), ("_pq_.report", "1")]).unwrap();
        assert_eq!(request.extensions, ["_pq_.report"]);
        assert!(request.options.is_empty());
    }
}
