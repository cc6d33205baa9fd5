//! The built-in types of PostgreSQL: oids, names, and how each is held in Arrow.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::dataset::SqlType;
use crate::dataset::contract::TYPE_KEY;

/// A row of `pg_type`.
#[derive(Debug, Clone)]
pub struct PgType {
    pub oid: u32,
    pub name: String,
    /// The oid of the array of it; 0 where there is none.
    pub array: u32,
    pub length: i16,
    pub kind: char,
    pub category: char,
    pub preferred: bool,
    pub align: char,
    pub storage: char,
    /// The oid of what an array holds; 0 for other types.
    pub element: u32,
    pub collation: u32,
    pub input: String,
    pub output: String,
    pub receive: String,
    pub send: String,
}

impl PgType {
    /// Whether a value is passed in a machine word.
    pub fn by_value(&self) -> bool {
        (1..=8).contains(&self.length) && self.name != "tid" && !self.name.starts_with("macaddr")
    }
}

static TYPES: LazyLock<Vec<PgType>> = LazyLock::new(|| {
    let mut types: Vec<PgType> =
        include_str!("pg/types.txt").lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect();
    let arrays: Vec<PgType> = types.iter().filter(|item| item.array != 0).map(array_of).collect();
    types.extend(arrays);
    types.sort_by_key(|item| item.oid);
    types
});

static BY_OID: LazyLock<HashMap<u32, &'static PgType>> =
    LazyLock::new(|| TYPES.iter().map(|item| (item.oid, item)).collect());

static BY_NAME: LazyLock<HashMap<&'static str, &'static PgType>> =
    LazyLock::new(|| TYPES.iter().map(|item| (item.name.as_str(), item)).collect());

fn parse(line: &str) -> Option<PgType> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next();
    let (oid, name, array, length, kind, category) = (word()?, word()?, word()?, word()?, word()?, word()?);
    let (layout, element, collation) = (word()?, word()?, word()?);
    let (input, output, receive, send) = (word()?, word()?, word()?, word()?);
    Some(PgType {
        oid: oid.parse().ok()?,
        name: name.to_owned(),
        array: array.parse().ok()?,
        length: length.parse().ok()?,
        kind: kind.chars().next()?,
        category: category.chars().next()?,
        preferred: category.ends_with('*'),
        align: layout.chars().next()?,
        storage: layout.chars().nth(1)?,
        element: element.parse().ok()?,
        collation: collation.parse().ok()?,
        input: input.to_owned(),
        output: output.to_owned(),
        receive: receive.to_owned(),
        send: send.to_owned(),
    })
}

fn array_of(item: &PgType) -> PgType {
    PgType {
        oid: item.array,
        name: format!("_{}", item.name),
        array: 0,
        length: -1,
        kind: 'b',
        category: 'A',
        preferred: false,
        align: if item.align == 'd' { 'd' } else { 'i' },
        storage: 'x',
        element: item.oid,
        collation: item.collation,
        input: "array_in".into(),
        output: "array_out".into(),
        receive: "array_recv".into(),
        send: "array_send".into(),
    }
}

/// Every type, arrays too, by oid.
pub fn all() -> &'static [PgType] {
    &TYPES
}

pub fn by_oid(oid: u32) -> Option<&'static PgType> {
    BY_OID.get(&oid).copied()
}

/// The functions that read and write the types, each once.
pub fn support_functions() -> &'static BTreeSet<&'static str> {
    static FUNCTIONS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let names = TYPES.iter().flat_map(|item| [&item.input, &item.output, &item.receive, &item.send]);
        names.map(String::as_str).filter(|name| *name != "-").collect()
    });
    &FUNCTIONS
}

/// By the name in `pg_type`, e.g. `int4` or `_text`.
pub fn by_name(name: &str) -> Option<&'static PgType> {
    BY_NAME.get(name).copied()
}

/// The SQL names of types whose name in `pg_type` is another.
const SQL_NAMES: [(&str, &str); 15] = [
    ("bool", "boolean"),
    ("bpchar", "character"),
    ("char", "\"char\""),
    ("float4", "real"),
    ("float8", "double precision"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("varbit", "bit varying"),
    ("varchar", "character varying"),
    ("numeric", "numeric"),
];

/// The type's name as SQL writes it, e.g. `integer` or `text[]`.
pub fn sql_name(item: &PgType) -> String {
    if let Some(element) = array_element(item) {
        return format!("{}[]", sql_name(element));
    }
    let found = SQL_NAMES.iter().find(|(name, _)| *name == item.name);
    found.map_or_else(|| item.name.clone(), |(_, sql)| (*sql).to_owned())
}

/// What an array holds; `None` for a type that is none, int2vector and oidvector among them.
pub fn array_element(item: &PgType) -> Option<&'static PgType> {
    (item.name.starts_with('_')).then(|| by_oid(item.element)).flatten()
}

/// `format_type(oid, typmod)` of PostgreSQL; `None` and -1 are no modifier.
pub fn format(oid: u32, modifier: Option<i64>) -> String {
    let Some(item) = by_oid(oid) else {
        return if oid == 0 { "-".into() } else { "???".into() };
    };
    if let Some(element) = array_element(item) {
        return format!("{}[]", format(element.oid, modifier));
    }
    let modifier = modifier.filter(|modifier| *modifier >= 0);
    match (item.name.as_str(), modifier) {
        ("bpchar", None) => "character".into(),
        ("bpchar", Some(m)) => format!("character({})", m - 4),
        ("varchar", Some(m)) => format!("character varying({})", m - 4),
        ("numeric", Some(m)) if m >= 4 => format!("numeric({},{})", ((m - 4) >> 16) & 0xffff, (m - 4) & 0x7ff),
        ("time", Some(m)) => format!("time({m}) without time zone"),
        ("timetz", Some(m)) => format!("time({m}) with time zone"),
        ("timestamp", Some(m)) => format!("timestamp({m}) without time zone"),
        ("timestamptz", Some(m)) => format!("timestamp({m}) with time zone"),
        _ => sql_name(item),
    }
}

/// The oid of a type named as SQL or `pg_type` names it, a modifier in parentheses left aside; `None` where there is none.
pub fn oid_by_sql_name(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix("pg_catalog.").unwrap_or(text);
    if let Some(item) = text.strip_suffix("[]") {
        return by_oid(oid_by_sql_name(item)?).map(|item| item.array).filter(|oid| *oid != 0);
    }
    let name = without_modifier(text);
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    if let Some(quoted) = quoted {
        return by_name(quoted).map(|item| item.oid);
    }
    let name = name.to_lowercase();
    let alias = match name.as_str() {
        "int" => Some("int4"),
        "decimal" | "dec" => Some("numeric"),
        "float" => Some("float8"),
        "char" => Some("bpchar"),
        other => SQL_NAMES.iter().find(|(_, sql)| *sql == other).map(|(name, _)| *name),
    };
    by_name(alias.unwrap_or(&name)).map(|item| item.oid)
}

/// `timestamp(3) with time zone` without `(3)`.
fn without_modifier(text: &str) -> String {
    match (text.find('('), text.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", text[..open].trim_end(), &text[close + 1..])
        }
        _ => text.to_owned(),
    }
}

/// The oid and modifier of a column's type.
pub fn of_sql(sql_type: &SqlType) -> (u32, i32) {
    let name = match sql_type {
        SqlType::Boolean => "bool",
        SqlType::SmallInt => "int2",
        SqlType::Integer => "int4",
        SqlType::BigInt => "int8",
        SqlType::Real => "float4",
        SqlType::Double => "float8",
        SqlType::Numeric { .. } => "numeric",
        SqlType::Text => "text",
        SqlType::Varchar(_) => "varchar",
        SqlType::Char(_) => "bpchar",
        SqlType::Date => "date",
        SqlType::Time => "time",
        SqlType::Timestamp => "timestamp",
        SqlType::TimestampTz => "timestamptz",
        SqlType::Uuid => "uuid",
        SqlType::Bytea => "bytea",
        SqlType::Json => "json",
        SqlType::Jsonb => "jsonb",
        SqlType::Array(item) => {
            let (element, modifier) = of_sql(item);
            return (by_oid(element).map_or(0, |item| item.array), modifier);
        }
    };
    (by_name(name).map_or(0, |item| item.oid), modifier_of(sql_type))
}

fn modifier_of(sql_type: &SqlType) -> i32 {
    let length = |length: u32| i32::try_from(length).unwrap_or(i32::MAX - 4) + 4;
    match sql_type {
        SqlType::Numeric { precision, scale } => ((i32::from(*precision) << 16) | i32::from(*scale)) + 4,
        SqlType::Varchar(Some(chars)) => length(*chars),
        SqlType::Char(chars) => length(*chars),
        _ => -1,
    }
}

/// A field of a system table of the type that `pg_type` calls `name`. Its metadata names the type where Arrow has none of its own.
pub fn field(name: &str, type_name: &str, nullable: bool, zone: &str) -> Field {
    let field = Field::new(name, arrow(type_name, zone), nullable);
    let plain =
        ["bool", "int2", "int4", "int8", "float4", "float8", "text", "timestamptz", "bytea", "interval", "_text"];
    if plain.contains(&type_name) {
        return field;
    }
    let sql = by_name(type_name).map_or_else(|| type_name.to_owned(), sql_name);
    field.with_metadata([(TYPE_KEY.to_owned(), sql)].into())
}

fn arrow(type_name: &str, zone: &str) -> DataType {
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
    match type_name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "oid" | "xid" | "cid" => DataType::UInt32,
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "bytea" => DataType::Binary,
        "int2vector" => list(DataType::Int16),
        "oidvector" => list(DataType::UInt32),
        other => match other.strip_prefix('_') {
            Some(item) => list(arrow(item, zone)),
            None => DataType::Utf8,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // The oids and texts are those of PostgreSQL 15.
    #[test]
    fn types_are_named_as_postgres_names_them() {
        assert_eq!(format(1700, Some(786_438)), "numeric(12,2)");
        assert_eq!(format(1184, None), "timestamp with time zone");
        assert_eq!(format(1009, Some(-1)), "text[]");
        assert_eq!(format(1043, Some(24)), "character varying(20)");
        assert_eq!(format(18, None), "\"char\"");
        assert_eq!(format(22, None), "int2vector");
        assert_eq!(format(0, None), "-");
        assert_eq!(format(4_000_000, None), "???");
    }

    #[test]
    fn a_type_is_found_by_either_name() {
        for (text, oid) in [
            ("int4", 23),
            ("integer", 23),
            ("pg_catalog.int8", 20),
            ("timestamp(3) with time zone", 1184),
            ("double precision", 701),
            ("text[]", 1009),
            ("\"char\"", 18),
            ("char", 1042),
            ("numeric(10,2)", 1700),
        ] {
            assert_eq!(oid_by_sql_name(text), Some(oid), "{text}");
        }
        assert_eq!(oid_by_sql_name("hstore"), None);
    }

    #[test]
    fn a_column_type_survives_the_way_through_oid_and_modifier() {
        for sql_type in [
            SqlType::Numeric { precision: 18, scale: 2 },
            SqlType::Varchar(Some(20)),
            SqlType::Varchar(None),
            SqlType::Char(3),
            SqlType::TimestampTz,
            SqlType::Array(Box::new(SqlType::Text)),
            SqlType::Jsonb,
        ] {
            let (oid, modifier) = of_sql(&sql_type);
            assert_eq!(format(oid, Some(modifier.into())), sql_type.to_string());
        }
    }
}
