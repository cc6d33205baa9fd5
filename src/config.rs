//! The settings of the process: shipped defaults < `henna.toml` < `HENNA_*` < flags, validated once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Error, Reason, Result};

const SHIPPED: &str = include_str!("defaults.toml");
const FILE_NAME: &str = "henna.toml";
const PREFIX: &str = "HENNA_";
/// Variables with our prefix that are no settings.
const NOT_SETTINGS: [&str; 4] = ["HENNA_ADMIN_PASSWORD", "HENNA_TEST_DATA", "HENNA_CLIENTS_DIR", "HENNA_PASSWORD"];

/// The effective settings, each with a meaning stated in `defaults.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub lake: String,
    pub listen: String,
    pub web: String,
    pub tls: TlsPolicy,
    pub connections_max: usize,
    pub memory_max: Bytes,
    pub spill_max: Bytes,
    pub threads: usize,
    pub statement_timeout: Span,
    pub idle_timeout: Span,
    pub drain_timeout: Span,
    pub audit_retention: Span,
    pub query_log_retention: Span,
    pub upkeep: Span,
    pub version_retention: Span,
    pub log: String,
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsPolicy {
    Require,
    Allow,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// A number of bytes such as `512MB`; `auto` leaves it to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub Option<u64>);

/// A length of time such as `30s`; `0` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Option<Duration>);

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self(None));
        }
        let (number, unit) = number_and_unit(&text)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1 << 10,
            "mb" => 1 << 20,
            "gb" => 1 << 30,
            "tb" => 1_u64 << 40,
            _ => return Err(format!("unknown unit '{unit}' in '{text}': use KB, MB, GB or TB")),
        };
        Ok(Self(Some(number.saturating_mul(factor))))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (number, unit) = number_and_unit(&text)?;
        let millis = match unit {
            "" | "ms" => number,
            "s" => number.saturating_mul(1_000),
            "min" => number.saturating_mul(60_000),
            "h" => number.saturating_mul(3_600_000),
            "d" => number.saturating_mul(86_400_000),
            _ => return Err(format!("unknown unit '{unit}' in '{text}': use ms, s, min, h or d")),
        };
        Ok(Self((millis > 0).then(|| Duration::from_millis(millis))))
    }
}

fn number_and_unit(text: &str) -> Result<(u64, &str), String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number = digits.parse().map_err(|_| format!("'{text}' does not begin with a whole number"))?;
    Ok((number, unit.trim()))
}

/// Where a setting got its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Shipped,
    File,
    Environment,
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shipped => "shipped",
            Self::File => FILE_NAME,
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// The layers of settings before they are validated.
#[derive(Debug, Clone)]
pub struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    /// Shipped defaults, then `henna.toml` of `folder` where there is one, then `HENNA_*` of `environment`.
    pub fn read(folder: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let shipped = parse(SHIPPED, "the shipped defaults")?;
        let mut layers =
            Self { values: shipped.into_iter().map(|(key, value)| (key, (value, Origin::Shipped))).collect() };
        let path = folder.join(FILE_NAME);
        if path.exists() {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Error::new(Reason::Configuration, format!("{}: {error}", path.display())))?;
            for (key, value) in parse(&text, FILE_NAME)? {
                layers.set(&key, value, Origin::File, FILE_NAME)?;
            }
        }
        for (name, text) in environment {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            if !NOT_SETTINGS.contains(&name.as_str()) {
                layers.set_text(&key.to_ascii_lowercase(), &text, Origin::Environment, &name)?;
            }
        }
        Ok(layers)
    }

    /// Overrides a setting from the command line.
    pub fn flag(&mut self, key: &str, text: &str) -> Result<()> {
        self.set_text(key, text, Origin::Flag, &format!("--{key}"))
    }

    /// Each setting, its value as text, and its origin, in the order of names.
    pub fn rows(&self) -> impl Iterator<Item = (&str, String, Origin)> {
        self.values.iter().map(|(key, (value, origin))| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (key.as_str(), text, *origin)
        })
    }

    /// Whether anyone but the program itself gave the setting its value.
    pub fn is_set(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|(_, origin)| *origin != Origin::Shipped)
    }

    pub fn config(&self) -> Result<Config> {
        for (key, (value, origin)) in &self.values {
            let alone: Table = [(key.clone(), value.clone())].into_iter().collect();
            // Serde's own error does not say where the value came from.
            if let Err(error) = self.with(alone).try_into::<Config>() {
                let message = format!("setting {key} ({origin}): {}", error.message());
                return Err(Error::new(Reason::Configuration, message));
            }
        }
        self.table().try_into().map_err(|error| Error::new(Reason::Configuration, error.message().to_owned()))
    }

    fn with(&self, over: Table) -> Table {
        let mut shipped = parse(SHIPPED, "the shipped defaults").unwrap_or_default();
        shipped.extend(over);
        shipped
    }

    fn table(&self) -> Table {
        self.values.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    fn set_text(&mut self, key: &str, text: &str, origin: Origin, name: &str) -> Result<()> {
        let value = match self.values.get(key) {
            Some((Value::Integer(_), _)) => Value::Integer(text.parse().map_err(|_| {
                Error::new(Reason::Configuration, format!("{name} must be a whole number, got '{text}'"))
            })?),
            _ => Value::String(text.to_owned()),
        };
        self.set(key, value, origin, name)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin, name: &str) -> Result<()> {
        match self.values.get_mut(key) {
            Some(slot) => {
                *slot = (value, origin);
                Ok(())
            }
            None => {
                let known: Vec<&str> = self.values.keys().map(String::as_str).collect();
                Err(Error::new(Reason::Configuration, format!("unknown setting '{key}' in {name}"))
                    .with_hint(format!("settings are {}", known.join(", "))))
            }
        }
    }
}

fn parse(text: &str, name: &str) -> Result<Table> {
    text.parse().map_err(|error: toml::de::Error| {
        Error::new(Reason::Configuration, format!("{name} is not valid TOML: {}", error.message()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layers(environment: &[(&str, &str)]) -> Result<Layers> {
        let folder = tempfile::tempdir().unwrap();
        let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::read(folder.path(), pairs)
    }

    #[test]
    fn the_environment_overrides_what_is_shipped() {
        let mut layers = layers(&[("HENNA_LISTEN", "127.0.0.1:9"), ("HENNA_THREADS", "3"), ("PATH", "/bin")]).unwrap();
        layers.flag("statement_timeout", "2min").unwrap();
        let config = layers.config().unwrap();
        assert_eq!((config.listen.as_str(), config.threads), ("127.0.0.1:9", 3));
        assert_eq!(config.statement_timeout.0, Some(Duration::from_secs(120)));
        assert!(layers.rows().any(|row| row == ("listen", "127.0.0.1:9".to_owned(), Origin::Environment)));
    }

    #[test]
    fn an_unknown_setting_stops_the_boot() {
        let error = layers(&[("HENNA_LISTNE", "x")]).unwrap_err();
        assert_eq!(error.to_string(), "unknown setting 'listne' in HENNA_LISTNE");
    }

    #[test]
    fn a_bad_value_names_its_setting_and_origin() {
        let error = layers(&[("HENNA_MEMORY_MAX", "4 apples")]).unwrap().config().unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting memory_max (environment): unknown unit 'apples' in '4 apples': use KB, MB, GB or TB"
        );
    }
}
