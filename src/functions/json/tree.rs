//! JSON as a tree whose numbers keep their digits and whose parts know where they stand in the text.

use std::fmt::Write;

/// Lists and objects within each other.
const DEPTH_MAX: usize = 128;

/// A part of a text, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub kind: Kind,
    /// Of the text that was parsed.
    pub span: (usize, usize),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    /// Its digits as they are written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text, equal names and all.
    Object(Vec<(String, Node)>),
}

impl Kind {
    /// What `jsonb_typeof` calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl Node {
    /// The member of a name; of equal ones the last, as in PostgreSQL.
    pub fn member(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Object(members) => members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The item at a position, from the end where it is negative.
    pub fn item(&self, position: i64) -> Option<&Node> {
        let Kind::List(items) = &self.kind else { return None };
        let place = if position < 0 { position + i64::try_from(items.len()).ok()? } else { position };
        items.get(usize::try_from(place).ok()?)
    }

    /// A step of a path: the name of a member, or the position of an item.
    pub fn step(&self, step: &str) -> Option<&Node> {
        match self.kind {
            Kind::List(_) => self.item(step.trim().parse().ok()?),
            _ => self.member(step),
        }
    }

    /// Members by their names, each once, in the order of jsonb: the shorter name first.
    pub fn members(&self) -> Vec<(&str, &Node)> {
        let Kind::Object(members) = &self.kind else { return Vec::new() };
        let mut sorted: Vec<(&str, &Node)> = Vec::with_capacity(members.len());
        for (name, value) in members {
            sorted.retain(|(known, _)| known != name);
            sorted.push((name.as_str(), value));
        }
        sorted.sort_by(|(a, _), (b, _)| (a.len(), *a).cmp(&(b.len(), *b)));
        sorted
    }

    /// The text in which PostgreSQL keeps jsonb: members sorted, a space after each comma and colon.
    pub fn normal(&self) -> String {
        let mut out = String::new();
        self.put_normal(&mut out);
        out
    }

    fn put_normal(&self, out: &mut String) {
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Kind::Number(digits) => out.push_str(&without_exponent(digits)),
            Kind::Text(text) => put_string(text, out),
            Kind::List(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    out.push_str(if position > 0 { ", " } else { "" });
                    item.put_normal(out);
                }
                out.push(']');
            }
            Kind::Object(_) => {
                out.push('{');
                for (position, (name, value)) in self.members().into_iter().enumerate() {
                    out.push_str(if position > 0 { ", " } else { "" });
                    put_string(name, out);
                    out.push_str(": ");
                    value.put_normal(out);
                }
                out.push('}');
            }
        }
    }

    /// Whether jsonb `@>` holds: every part of `other` is found here, at its own level.
    pub fn contains(&self, other: &Node) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Object(_), Kind::Object(wanted)) => {
                wanted.iter().all(|(name, value)| self.member(name).is_some_and(|member| member.contains_member(value)))
            }
            (Kind::List(items), Kind::List(wanted)) => {
                wanted.iter().all(|value| items.iter().any(|item| item.contains_member(value)))
            }
            // A list holds a value that stands by itself.
            (Kind::List(items), other_kind) if !matches!(other_kind, Kind::Object(_)) => {
                items.iter().any(|item| item.normal() == other.normal())
            }
            _ => self.contains_member(other),
        }
    }

    fn contains_member(&self, other: &Node) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Object(_), Kind::Object(_)) | (Kind::List(_), Kind::List(_)) => self.contains(other),
            (Kind::Object(_) | Kind::List(_), _) | (_, Kind::Object(_) | Kind::List(_)) => false,
            _ => same_value(&self.kind, &other.kind),
        }
    }
}

/// Whether two values that have no parts are one: numbers by their size.
fn same_value(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::Number(a), Kind::Number(b)) => trimmed(&without_exponent(a)) == trimmed(&without_exponent(b)),
        (left, right) => left == right,
    }
}

/// Digits without zeros at the end of a fraction.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// `1.5e3` is 1500, as a numeric prints; an exponent beyond what a numeric holds stays.
fn without_exponent(digits: &str) -> String {
    const PLACES_MAX: i64 = 1000;
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else { return digits.to_owned() };
    let Ok(exponent) = exponent.parse::<i64>() else { return digits.to_owned() };
    if exponent.abs() > PLACES_MAX {
        return digits.to_owned();
    }
    let (sign, size) = mantissa.strip_prefix('-').map_or(("", mantissa), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let written = if point <= 0 {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        format!("0.{zeros}{all}")
    } else {
        let point = usize::try_from(point).unwrap_or(usize::MAX);
        if point >= all.len() {
            let zeros = "0".repeat(point - all.len());
            format!("{all}{zeros}")
        } else {
            format!("{}.{}", &all[..point], &all[point..])
        }
    };
    let stripped = written.trim_start_matches('0');
    let stripped =
        if stripped.is_empty() || stripped.starts_with('.') { format!("0{stripped}") } else { stripped.to_owned() };
    format!("{sign}{stripped}")
}

pub fn put_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                // Writing to memory cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The tree of a text; `None` where it is no JSON, or nested too deeply.
pub fn parse(text: &str) -> Option<Node> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    reader.skip_space();
    (reader.at == text.len()).then_some(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.byte() == Some(byte)).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_space();
        let start = self.at;
        let kind = match self.byte()? {
            b'n' => self.word("null").map(|()| Kind::Null)?,
            b't' => self.word("true").map(|()| Kind::Bool(true))?,
            b'f' => self.word("false").map(|()| Kind::Bool(false))?,
            b'"' => Kind::Text(self.string()?),
            b'[' => Kind::List(self.list(depth)?),
            b'{' => Kind::Object(self.object(depth)?),
            _ => Kind::Number(self.number()?),
        };
        Some(Node { kind, span: (start, self.at) })
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Node>> {
        self.take(b'[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']').is_some() {
            return Some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']').is_some() {
                return Some(items);
            }
            self.take(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(String, Node)>> {
        self.take(b'{')?;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}').is_some() {
            return Some(members);
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.take(b':')?;
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}').is_some() {
                return Some(members);
            }
            self.take(b',')?;
        }
    }

    fn number(&mut self) -> Option<String> {
        let start = self.at;
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(self.text[start..self.at].to_owned())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'"')?;
        // A quote after a backslash does not end it; the JSON library reads what stands between.
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What PostgreSQL 15 prints for the same texts as jsonb.
    #[test]
    fn the_normal_form_is_that_of_postgres() {
        for (text, expected) in [
            (r#"{"bb":1,"a":[1, 2 ,{}],"c":null}"#, r#"{"a": [1, 2, {}], "c": null, "bb": 1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#),
            ("1.5e3", "1500"),
            ("1e-3", "0.001"),
            ("1.10", "1.10"),
            ("-12.5E1", "-125"),
            (r#""a\u00e9\n\"""#, r#""aé\n\"""#),
            (" [ ] ", "[]"),
            ("12345678901234567890.123", "12345678901234567890.123"),
        ] {
            assert_eq!(parse(text).unwrap().normal(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in
            ["", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "nul", "\"a", "'a'", "1 2", "\"\\", "-", "\"\u{1}\""]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }

    #[test]
    fn a_part_knows_its_own_text() {
        let text = r#"{"a": [1,  {"b":2}]}"#;
        let node = parse(text).unwrap();
        let part = node.member("a").unwrap();
        assert_eq!(&text[part.span.0..part.span.1], r#"[1,  {"b":2}]"#);
        assert_eq!(part.item(-1).unwrap().step("b").unwrap().kind, Kind::Number("2".into()));
    }

    // As `SELECT a @> b` of PostgreSQL 15.
    #[test]
    fn containment_is_that_of_postgres() {
        let holds = |a: &str, b: &str| parse(a).unwrap().contains(&parse(b).unwrap());
        assert!(holds(r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2]}"#));
        assert!(holds("[1,2,3]", "[3,1,1]"));
        assert!(holds(r#"["a","b"]"#, r#""a""#));
        assert!(holds("1.0", "1"));
        assert!(holds(r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2}}"#));
        assert!(!holds(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!holds("1", "[1]"));
        assert!(!holds("[[1]]", "[1]"));
    }
}
