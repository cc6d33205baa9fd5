//! The settings of a session: an allow-list, each entry with the values that it takes.

use std::collections::BTreeMap;

use crate::config::Span;
use crate::error::{Error, Reason, Result};

/// What a setting accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Any text.
    Text,
    /// One of these, compared without case; held as written here.
    OneOf(&'static [&'static str]),
    Integer,
    /// A length of time; a bare number is milliseconds, 0 is none.
    Span,
    TimeZone,
    /// Reported, never set.
    Fixed,
}

struct Definition {
    name: &'static str,
    shipped: &'static str,
    rule: Rule,
    /// Whether a change is told to the client (ParameterStatus).
    reported: bool,
    description: &'static str,
}

const fn definition(
    name: &'static str,
    shipped: &'static str,
    rule: Rule,
    reported: bool,
    description: &'static str,
) -> Definition {
    Definition { name, shipped, rule, reported, description }
}

const SWITCH: Rule = Rule::OneOf(&["on", "off"]);
const ISOLATION: Rule = Rule::OneOf(&["read uncommitted", "read committed", "repeatable read", "serializable"]);

/// The version of PostgreSQL whose behaviour clients may expect.
pub const SERVER_VERSION: &str = "16.6";

const DEFINITIONS: &[Definition] = &[
    definition("application_name", "", Rule::Text, true, "Name of the client program."),
    definition("bytea_output", "hex", Rule::OneOf(&["hex"]), false, "Text form of bytea."),
    definition(
        "client_encoding",
        "UTF8",
        Rule::OneOf(&["UTF8", "UTF-8", "'utf-8'", "unicode"]),
        true,
        "Encoding of the client; UTF8 only.",
    ),
    definition(
        "client_min_messages",
        "notice",
        Rule::OneOf(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]),
        false,
        "Least severity of messages that are sent.",
    ),
    definition("DateStyle", "ISO, MDY", Rule::Text, true, "Text form of dates; the output is ISO."),
    definition("default_transaction_isolation", "read committed", ISOLATION, false, "Isolation of new transactions."),
    definition("default_transaction_read_only", "off", SWITCH, false, "Whether new transactions are read only."),
    definition("extra_float_digits", "1", Rule::Integer, false, "Digits of floats; output is shortest-precise."),
    definition("henna.as_of", "", Rule::Text, false, "The 'now' of as_of(); empty: what the dataset says."),
    definition(
        super::travel::TABLE_VERSIONS,
        "",
        Rule::Text,
        false,
        "Versions that tables are read at: an instant for all, or orders=12, customers=3; empty: the newest.",
    ),
    definition("idle_in_transaction_session_timeout", "0", Rule::Span, false, "Longest idle time in a transaction."),
    definition("idle_session_timeout", "0", Rule::Span, false, "Longest idle time of a session."),
    definition("integer_datetimes", "on", Rule::Fixed, true, "Whether times are 64-bit integers."),
    definition("IntervalStyle", "postgres", Rule::OneOf(&["postgres"]), true, "Text form of intervals."),
    definition("is_superuser", "off", Rule::Fixed, true, "Whether the current role is a superuser."),
    definition("jit", "off", SWITCH, false, "Accepted for clients that set it; there is no such compiler here."),
    definition("lc_collate", "C.UTF-8", Rule::Fixed, false, "Collation order of text: by code point."),
    definition("lc_ctype", "C.UTF-8", Rule::Fixed, false, "Character classes of text."),
    definition("lc_messages", "C.UTF-8", Rule::Text, false, "Language of messages."),
    definition("lc_monetary", "C.UTF-8", Rule::Text, false, "Form of money."),
    definition("lc_numeric", "C.UTF-8", Rule::Text, false, "Form of numbers."),
    definition("lc_time", "C.UTF-8", Rule::Text, false, "Form of times."),
    definition("lock_timeout", "0", Rule::Span, false, "Longest wait for a lock; readers never wait for one."),
    definition("max_identifier_length", "63", Rule::Fixed, false, "Longest name, in bytes."),
    definition("max_index_keys", "32", Rule::Fixed, false, "Most columns of a key."),
    definition("row_security", "on", SWITCH, false, "off: raise an error where a row policy would apply."),
    definition("search_path", "\"$user\", public", Rule::Text, true, "Schemas searched for bare names."),
    definition("server_encoding", "UTF8", Rule::Fixed, true, "Encoding of the server."),
    definition("server_version", SERVER_VERSION, Rule::Fixed, true, "Version of PostgreSQL that is spoken."),
    definition("server_version_num", "160006", Rule::Fixed, false, "The same as a number."),
    definition("session_authorization", "", Rule::Fixed, true, "The session's user."),
    definition("standard_conforming_strings", "on", Rule::OneOf(&["on"]), true, "Backslashes are plain characters."),
    definition("statement_timeout", "0", Rule::Span, false, "Longest run of a statement."),
    definition("synchronous_commit", "on", SWITCH, false, "Commits are always durable."),
    definition("TimeZone", "UTC", Rule::TimeZone, true, "Zone in which instants are shown and read."),
    definition("transaction_isolation", "read committed", ISOLATION, false, "Isolation of this transaction."),
    definition("transaction_read_only", "off", SWITCH, false, "Whether this transaction is read only."),
    definition("work_mem", "64MB", Rule::Text, false, "Accepted for clients that set it; memory is shared fairly."),
];

/// The values of one session, and the layers that RESET and ROLLBACK go back to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What RESET gives: the server's, the dataset's and the start-up's values.
    initial: BTreeMap<&'static str, String>,
    current: BTreeMap<&'static str, String>,
    /// The values at the start of the transaction; ROLLBACK brings them back.
    saved: Option<BTreeMap<&'static str, String>>,
    /// What SET LOCAL changed, with the value that the end of the transaction brings back.
    local: BTreeMap<&'static str, String>,
    /// Reported settings that changed since the client was last told.
    changed: Vec<&'static str>,
    /// How often a value became another one.
    generation: u64,
}

/// Values at one moment, for a savepoint.
#[derive(Debug, Clone)]
pub struct Mark {
    current: BTreeMap<&'static str, String>,
    local: BTreeMap<&'static str, String>,
}

impl Settings {
    /// All settings at their shipped values, each reported setting due to be told.
    pub fn new() -> Self {
        let initial: BTreeMap<_, _> = DEFINITIONS.iter().map(|entry| (entry.name, entry.shipped.to_owned())).collect();
        let changed = DEFINITIONS.iter().filter(|entry| entry.reported).map(|entry| entry.name).collect();
        Self { current: initial.clone(), initial, saved: None, local: BTreeMap::new(), changed, generation: 0 }
    }

    /// Sets a value that RESET goes back to; start-up only. A fixed setting may be given its value here.
    pub fn start_with(&mut self, name: &str, value: &str) -> Result<()> {
        let entry = find(name)?;
        let value = if entry.rule == Rule::Fixed { value.to_owned() } else { accept(entry, value)? };
        self.initial.insert(entry.name, value.clone());
        self.put(entry, value);
        Ok(())
    }

    /// The same for what a client asks for at start-up: a fixed setting stays as it is.
    pub fn start_with_option(&mut self, name: &str, value: &str) -> Result<()> {
        match find(name)?.rule {
            Rule::Fixed => Err(fixed(find(name)?)),
            _ => self.start_with(name, value),
        }
    }

    /// The value as SHOW gives it.
    pub fn show(&self, name: &str) -> Result<&str> {
        Ok(self.value(find(name)?.name))
    }

    /// Name, value and description of every setting, by name.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &str, &'static str)> {
        DEFINITIONS.iter().map(|entry| (entry.name, self.value(entry.name), entry.description))
    }

    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let entry = find(name)?;
        let value = accept(entry, value)?;
        self.local.remove(entry.name);
        self.put(entry, value);
        Ok(())
    }

    /// Sets a value until the transaction ends.
    pub fn set_local(&mut self, name: &str, value: &str) -> Result<()> {
        let entry = find(name)?;
        let value = accept(entry, value)?;
        let before = self.value(entry.name).to_owned();
        self.local.entry(entry.name).or_insert(before);
        self.put(entry, value);
        Ok(())
    }

    pub fn reset(&mut self, name: &str) -> Result<()> {
        let entry = find(name)?;
        if entry.rule == Rule::Fixed {
            return Err(fixed(entry));
        }
        let value = self.initial.get(entry.name).cloned().unwrap_or_default();
        self.put(entry, value);
        Ok(())
    }

    pub fn reset_all(&mut self) {
        for entry in DEFINITIONS.iter().filter(|entry| entry.rule != Rule::Fixed) {
            let value = self.initial.get(entry.name).cloned().unwrap_or_default();
            self.put(entry, value);
        }
    }

    pub fn begin(&mut self) {
        self.saved = Some(self.current.clone());
    }

    pub fn commit(&mut self) {
        self.saved = None;
        for (name, value) in std::mem::take(&mut self.local) {
            self.restore(name, value);
        }
    }

    pub fn roll_back(&mut self) {
        self.local.clear();
        for (name, value) in self.saved.take().unwrap_or_default() {
            self.restore(name, value);
        }
    }

    pub fn mark(&self) -> Mark {
        Mark { current: self.current.clone(), local: self.local.clone() }
    }

    pub fn go_back_to(&mut self, mark: Mark) {
        for (name, value) in mark.current {
            self.restore(name, value);
        }
        self.local = mark.local;
    }

    /// Reported settings whose value the client has not been told yet.
    pub fn take_changes(&mut self) -> Vec<(String, String)> {
        let names = std::mem::take(&mut self.changed);
        names.into_iter().map(|name| (name.to_owned(), self.value(name).to_owned())).collect()
    }

    /// Gives a fixed setting that follows the session (is_superuser, session_authorization) its value.
    pub fn follow(&mut self, name: &'static str, value: &str) {
        if self.value(name) != value {
            self.generation += 1;
            self.current.insert(name, value.to_owned());
            self.changed.push(name);
        }
    }

    /// Another number whenever a value is another one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn time_zone(&self) -> &str {
        self.value("TimeZone")
    }

    /// The statement timeout; `None` is no limit.
    pub fn statement_timeout(&self) -> Option<std::time::Duration> {
        self.span("statement_timeout")
    }

    /// The value of a setting that is a length of time; `None` is no limit.
    pub fn span(&self, name: &'static str) -> Option<std::time::Duration> {
        Span::try_from(self.value(name).to_owned()).ok().and_then(|span| span.0)
    }

    pub fn is_on(&self, name: &'static str) -> bool {
        self.value(name) == "on"
    }

    /// The schemas of search_path in order, with `own` in the place of `$user`.
    pub fn search_path(&self, own: Option<&str>) -> Vec<String> {
        let names = self.value("search_path").split(',').map(|part| part.trim().trim_matches('"'));
        let names = names.filter_map(|name| if name == "$user" { own } else { Some(name) });
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn value(&self, name: &str) -> &str {
        self.current.get(name).map_or("", String::as_str)
    }

    fn put(&mut self, entry: &Definition, value: String) {
        if entry.reported && self.value(entry.name) != value && !self.changed.contains(&entry.name) {
            self.changed.push(entry.name);
        }
        if self.value(entry.name) != value {
            self.generation += 1;
        }
        self.current.insert(entry.name, value);
    }

    fn restore(&mut self, name: &'static str, value: String) {
        if let Ok(entry) = find(name) {
            self.put(entry, value);
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of a setting as it is told, in the letters that PostgreSQL writes it with.
pub fn full_name(name: &str) -> &str {
    find(name).map_or(name, |entry| entry.name)
}

fn find(name: &str) -> Result<&'static Definition> {
    DEFINITIONS
        .iter()
        .find(|entry| entry.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| Error::new(Reason::UndefinedObject, format!("unrecognized configuration parameter \"{name}\"")))
}

fn fixed(entry: &Definition) -> Error {
    Error::new(Reason::ReadOnlySetting, format!("parameter \"{}\" cannot be changed", entry.name))
}

fn accept(entry: &Definition, value: &str) -> Result<String> {
    let refused = || {
        let text = match entry.rule {
            SWITCH => format!("parameter \"{}\" requires a Boolean value", entry.name),
            _ => format!("invalid value for parameter \"{}\": \"{value}\"", entry.name),
        };
        Error::new(Reason::InvalidParameter, text)
    };
    match entry.rule {
        Rule::Text => Ok(value.to_owned()),
        Rule::Fixed => Err(fixed(entry)),
        Rule::Integer => value.trim().parse::<i64>().map(|number| number.to_string()).map_err(|_| refused()),
        Rule::Span => {
            Span::try_from(value.to_owned()).map_err(|_| refused())?;
            Ok(value.trim().to_owned())
        }
        Rule::OneOf(allowed) => accept_one(entry, allowed, value).ok_or_else(refused),
        Rule::TimeZone => time_zone(value).ok_or_else(refused),
    }
}

fn accept_one(entry: &Definition, allowed: &[&'static str], value: &str) -> Option<String> {
    let value = match value.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" if entry.rule == SWITCH => "on".to_owned(),
        "false" | "no" | "0" if entry.rule == SWITCH => "off".to_owned(),
        _ => value.trim().to_owned(),
    };
    let found = allowed.iter().find(|candidate| candidate.eq_ignore_ascii_case(&value))?;
    Some(if entry.name == "client_encoding" { "UTF8".to_owned() } else { (*found).to_owned() })
}

/// An IANA name in its own case, or a fixed offset.
fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("z") {
        return Some("UTC".to_owned());
    }
    let named = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(value));
    if let Some(zone) = named {
        return Some(zone.name().to_owned());
    }
    value.parse::<arrow::array::timezone::Tz>().is_ok().then(|| value.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_an_error() {
        let error = Settings::new().set("datafusion.optimizer.max_passes", "0").unwrap_err();
        assert_eq!(error.reason(), Reason::UndefinedObject);
        assert_eq!(error.to_string(), "unrecognized configuration parameter \"datafusion.optimizer.max_passes\"");
    }

    #[test]
    fn a_time_zone_keeps_its_own_case_and_a_wrong_one_is_refused() {
        let mut settings = Settings::new();
        settings.set("timezone", "asia/shanghai").unwrap();
        assert_eq!(settings.show("TimeZone").unwrap(), "Asia/Shanghai");
        settings.set("timezone", "+08:00").unwrap();
        assert_eq!(settings.set("timezone", "Mars/Olympus").unwrap_err().reason(), Reason::InvalidParameter);
    }

    #[test]
    fn set_local_ends_with_the_transaction_and_rollback_restores() {
        let mut settings = Settings::new();
        settings.begin();
        settings.set_local("statement_timeout", "5s").unwrap();
        settings.commit();
        assert_eq!(settings.statement_timeout(), None);
        settings.begin();
        settings.set("statement_timeout", "7s").unwrap();
        settings.roll_back();
        assert_eq!(settings.statement_timeout(), None);
    }

    #[test]
    fn a_mark_brings_back_values_and_what_was_local() {
        let mut settings = Settings::new();
        settings.begin();
        settings.set("application_name", "outer").unwrap();
        let mark = settings.mark();
        settings.set_local("application_name", "inner").unwrap();
        settings.go_back_to(mark);
        assert_eq!(settings.show("application_name").unwrap(), "outer");
        settings.commit();
        assert_eq!(settings.show("application_name").unwrap(), "outer");
    }

    #[test]
    fn each_way_to_another_value_is_another_generation() {
        let mut settings = Settings::new();
        let mut known = settings.generation();
        let mut moved = |settings: &Settings| std::mem::replace(&mut known, settings.generation()) != known;
        settings.begin();
        assert!(!moved(&settings));
        settings.set("search_path", "a").unwrap();
        assert!(moved(&settings));
        settings.set("search_path", "a").unwrap();
        assert!(!moved(&settings));
        settings.set_local("timezone", "Asia/Shanghai").unwrap();
        assert!(moved(&settings));
        let mark = settings.mark();
        settings.set("henna.as_of", "2026-01-01").unwrap();
        assert!(moved(&settings));
        settings.go_back_to(mark);
        assert!(moved(&settings));
        settings.commit();
        assert!(moved(&settings));
        settings.begin();
        settings.set("row_security", "off").unwrap();
        assert!(moved(&settings));
        settings.roll_back();
        assert!(moved(&settings));
        settings.reset("search_path").unwrap();
        assert!(moved(&settings));
        settings.follow("is_superuser", "on");
        assert!(moved(&settings));
        settings.reset_all();
        assert!(!moved(&settings));
    }

    #[test]
    fn a_client_is_told_of_a_change_once() {
        let mut settings = Settings::new();
        assert!(settings.take_changes().iter().any(|(name, _)| name == "server_version"));
        settings.set("application_name", "psql").unwrap();
        assert_eq!(settings.take_changes(), [("application_name".to_owned(), "psql".to_owned())]);
        assert!(settings.take_changes().is_empty());
    }
}
