//! The options of COPY, in PostgreSQL's spelling of today and in the older one that psql passes on.

use datafusion::sql::sqlparser::ast::{CopyLegacyCsvOption, CopyLegacyOption, CopyOption, Ident};

use crate::error::{Error, Reason, Result};
use crate::wire::encode::copy::{CopyForm, Csv, ForceQuote, Text};

/// What the options say, before it is known which form they are for.
#[derive(Default)]
struct Asked {
    format: Option<String>,
    delimiter: Option<u8>,
    null: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    header: bool,
    force_quote: Option<ForceQuote>,
}

pub fn form(options: &[CopyOption], legacy: &[CopyLegacyOption]) -> Result<CopyForm> {
    let mut asked = Asked::default();
    options.iter().try_for_each(|option| asked.take(option))?;
    legacy.iter().try_for_each(|option| asked.take_legacy(option))?;
    asked.form()
}

impl Asked {
    fn take(&mut self, option: &CopyOption) -> Result<()> {
        match option {
            CopyOption::Format(name) => self.format = Some(name.value.to_ascii_lowercase()),
            CopyOption::Delimiter(character) => self.delimiter = Some(byte("delimiter", *character)?),
            CopyOption::Null(text) => self.null = Some(text.clone()),
            CopyOption::Header(header) => self.header = *header,
            CopyOption::Quote(character) => self.quote = Some(byte("quote", *character)?),
            CopyOption::Escape(character) => self.escape = Some(byte("escape", *character)?),
            CopyOption::ForceQuote(columns) => self.force_quote = Some(force_quote(columns)),
            CopyOption::Encoding(name) if ["utf8", "utf-8"].contains(&name.to_ascii_lowercase().as_str()) => {}
            CopyOption::Freeze(false) => {}
            other => return Err(unsupported(&other.to_string())),
        }
        Ok(())
    }

    fn take_legacy(&mut self, option: &CopyLegacyOption) -> Result<()> {
        match option {
            CopyLegacyOption::Binary => self.format = Some("binary".to_owned()),
            CopyLegacyOption::Delimiter(character) => self.delimiter = Some(byte("delimiter", *character)?),
            CopyLegacyOption::Null(text) => self.null = Some(text.clone()),
            CopyLegacyOption::Header => self.header = true,
            CopyLegacyOption::Csv(options) => {
                self.format = Some("csv".to_owned());
                options.iter().try_for_each(|option| self.take_csv(option))?;
            }
            other => return Err(unsupported(&other.to_string())),
        }
        Ok(())
    }

    fn take_csv(&mut self, option: &CopyLegacyCsvOption) -> Result<()> {
        match option {
            CopyLegacyCsvOption::Header => self.header = true,
            CopyLegacyCsvOption::Quote(character) => self.quote = Some(byte("quote", *character)?),
            CopyLegacyCsvOption::Escape(character) => self.escape = Some(byte("escape", *character)?),
            CopyLegacyCsvOption::ForceQuote(columns) => self.force_quote = Some(force_quote(columns)),
            other => return Err(unsupported(&other.to_string())),
        }
        Ok(())
    }

    fn form(self) -> Result<CopyForm> {
        let csv_only = self.quote.is_some() || self.escape.is_some() || self.force_quote.is_some();
        let any = csv_only || self.delimiter.is_some() || self.null.is_some() || self.header;
        match self.format.as_deref() {
            None | Some("text") if csv_only => Err(misplaced("QUOTE, ESCAPE and FORCE_QUOTE need the format csv")),
            None | Some("text") => Ok(CopyForm::Text(Text {
                delimiter: self.delimiter.unwrap_or(b'\t'),
                null: self.null.unwrap_or_else(|| "\\N".to_owned()),
                header: self.header,
            })),
            Some("csv") => {
                let quote = self.quote.unwrap_or(b'"');
                Ok(CopyForm::Csv(Csv {
                    delimiter: self.delimiter.unwrap_or(b','),
                    quote,
                    escape: self.escape.unwrap_or(quote),
                    null: self.null.unwrap_or_default(),
                    header: self.header,
                    force_quote: self.force_quote.unwrap_or(ForceQuote::Columns(Vec::new())),
                }))
            }
            Some("binary") if any => Err(misplaced("the format binary takes no further options")),
            Some("binary") => Ok(CopyForm::Binary),
            Some(other) => Err(Error::new(Reason::InvalidParameter, format!("COPY format \"{other}\" not recognized"))),
        }
    }
}

fn force_quote(columns: &[Ident]) -> ForceQuote {
    match columns {
        [all] if all.value == "*" && all.quote_style.is_none() => ForceQuote::All,
        named => ForceQuote::Columns(named.iter().map(|column| column.value.clone()).collect()),
    }
}

fn byte(option: &str, character: char) -> Result<u8> {
    let byte = u8::try_from(character).ok().filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0));
    byte.ok_or_else(|| misplaced(&format!("COPY {option} must be a single one-byte character")))
}

fn misplaced(rule: &str) -> Error {
    Error::new(Reason::InvalidParameter, rule)
}

fn unsupported(option: &str) -> Error {
    Error::new(Reason::Unsupported, format!("COPY option {option} is not supported"))
}
