//! Which PostgreSQL type an Arrow field is, and which Arrow type a PostgreSQL type is taken as.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use pgwire::api::Type;

use crate::dataset::contract::TYPE_KEY;

/// A PostgreSQL type as RowDescription and the catalogs name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireType {
    pub kind: Type,
    /// -1 where the type has none.
    pub modifier: i32,
}

impl WireType {
    pub fn of(kind: Type) -> Self {
        Self { kind, modifier: -1 }
    }

    pub fn oid(&self) -> u32 {
        self.kind.oid()
    }

    /// The name in `pg_type`: `int4`, `_text`, ...
    pub fn name(&self) -> &str {
        self.kind.name()
    }

    /// `typlen`: bytes, -1 for a varying length, -2 for a C string.
    pub fn length(&self) -> i16 {
        length(&self.kind)
    }

    fn with_modifier(kind: Type, modifier: i32) -> Self {
        Self { kind, modifier }
    }
}

/// The PostgreSQL type of a column: what its metadata says ([`TYPE_KEY`]), else what its Arrow type is.
pub fn sql_type_of(field: &Field) -> WireType {
    let named = field.metadata().get(TYPE_KEY).and_then(|name| named(name));
    named.unwrap_or_else(|| of_data_type(field.data_type()))
}

fn of_data_type(data_type: &DataType) -> WireType {
    let kind = match data_type {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 => Type::INT8,
        // The catalogs alone count without a sign in 32 bits.
        DataType::UInt32 => Type::OID,
        DataType::UInt64 => Type::NUMERIC,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            return WireType::with_modifier(Type::NUMERIC, numeric_modifier(*precision, *scale));
        }
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::TEXT,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => array_of(&sql_type_of(item).kind, item.data_type()),
        DataType::Dictionary(_, values) => return of_data_type(values),
        DataType::RunEndEncoded(_, values) => return sql_type_of(values),
        DataType::Struct(fields) if is_row(fields) => Type::RECORD,
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => Type::JSON,
    };
    WireType::of(kind)
}

/// Whether a struct is what `ROW(a, b)` makes: its fields have no names of their own.
fn is_row(fields: &Fields) -> bool {
    !fields.is_empty() && fields.iter().enumerate().all(|(position, field)| *field.name() == format!("c{position}"))
}

/// What has structure of its own inside a list travels as one JSON text.
fn array_of(item: &Type, data_type: &DataType) -> Type {
    if data_type.is_nested() {
        return Type::JSON;
    }
    ARRAYS.get(&item.oid()).cloned().unwrap_or(Type::TEXT_ARRAY)
}

/// The Arrow type in which a parameter of this PostgreSQL type is given to the engine; `None` for one that is left to it.
pub fn arrow_type_of(oid: u32) -> Option<DataType> {
    let kind = Type::from_oid(oid)?;
    Some(match kind {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::OID | Type::XID | Type::CID => DataType::Int64,
        // A parameter declared as text may stand where the statement needs something else; `unknown` is meant to.
        Type::UNKNOWN | Type::VOID => return None,
        other => match item_of(&other) {
            Some(item) => {
                let item = arrow_type_of(item.oid()).unwrap_or(DataType::Utf8);
                DataType::List(Field::new_list_field(item, true).into())
            }
            None => DataType::Utf8,
        },
    })
}

/// The item type of an array type.
pub fn item_of(kind: &Type) -> Option<Type> {
    match *kind {
        Type::INT2_VECTOR => Some(Type::INT2),
        Type::OID_VECTOR => Some(Type::OID),
        Type::CHAR_ARRAY => Some(Type::CHAR),
        _ => kind.name().strip_prefix('_').and_then(|item| NAMES.get(item).cloned()),
    }
}

/// The modifier of `numeric(precision, scale)` (PostgreSQL 15: eleven bits of scale, signed).
fn numeric_modifier(precision: u8, scale: i8) -> i32 {
    ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4
}

/// The type of a name as `format_type` writes it, or as `pg_type` holds it.
pub fn named(name: &str) -> Option<WireType> {
    let name = name.trim();
    if let Some(item) = name.strip_suffix("[]") {
        return ARRAYS.get(&named(item)?.oid()).cloned().map(WireType::of);
    }
    let (base, arguments) = arguments(name);
    let kind = match base.as_str() {
        "boolean" => Type::BOOL,
        "smallint" => Type::INT2,
        "integer" | "int" => Type::INT4,
        "bigint" => Type::INT8,
        "real" => Type::FLOAT4,
        "double precision" => Type::FLOAT8,
        "decimal" => Type::NUMERIC,
        "character varying" => Type::VARCHAR,
        "character" | "char" => Type::BPCHAR,
        "time without time zone" => Type::TIME,
        "time with time zone" => Type::TIMETZ,
        "timestamp without time zone" => Type::TIMESTAMP,
        "timestamp with time zone" => Type::TIMESTAMPTZ,
        "\"char\"" => Type::CHAR,
        other => NAMES.get(other)?.clone(),
    };
    let modifier = match (&kind, arguments.as_slice()) {
        (&Type::NUMERIC, [precision]) => numeric_modifier(u8::try_from(*precision).ok()?, 0),
        (&Type::NUMERIC, [precision, scale]) => {
            numeric_modifier(u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?)
        }
        (&Type::VARCHAR | &Type::BPCHAR, [length]) => length.checked_add(4)?,
        (_, _) => -1,
    };
    Some(WireType { kind, modifier })
}

/// `numeric(18,2)` is `numeric` with 18 and 2; `timestamp(3) with time zone` is its name with 3.
fn arguments(name: &str) -> (String, Vec<i32>) {
    let parts =
        name.split_once('(').and_then(|(base, rest)| rest.split_once(')').map(|(list, tail)| (base, list, tail)));
    match parts {
        Some((base, list, tail)) => {
            let numbers = list.split(',').map_while(|number| number.trim().parse().ok()).collect();
            (format!("{}{tail}", base.trim_end()), numbers)
        }
        None => (name.to_owned(), Vec::new()),
    }
}

/// Oids of the types that PostgreSQL itself defines lie below this one.
const BUILT_IN_MAX: u32 = 6200;

fn built_in() -> impl Iterator<Item = Type> {
    (1..BUILT_IN_MAX).filter_map(Type::from_oid)
}

static NAMES: LazyLock<HashMap<String, Type>> = LazyLock::new(|| {
    // The name "char" without its quotes is SQL's character(1).
    built_in().filter(|kind| *kind != Type::CHAR).map(|kind| (kind.name().to_owned(), kind)).collect()
});

/// The array type of each item type.
static ARRAYS: LazyLock<HashMap<u32, Type>> = LazyLock::new(|| {
    built_in()
        .filter(|kind| kind.name().starts_with('_'))
        .filter_map(|kind| Some((item_of(&kind)?.oid(), kind)))
        .collect()
});

fn length(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::XID | Type::CID | Type::VOID => 4,
        Type::REGCLASS | Type::REGTYPE | Type::REGPROC | Type::REGPROCEDURE | Type::REGNAMESPACE | Type::REGROLE => 4,
        Type::REGOPER | Type::REGOPERATOR | Type::REGCONFIG | Type::REGDICTIONARY | Type::REGCOLLATION => 4,
        Type::TID => 6,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::MONEY => 8,
        Type::XID8 | Type::PG_LSN => 8,
        Type::TIMETZ => 12,
        Type::INTERVAL | Type::UUID | Type::ACLITEM => 16,
        Type::NAME => 64,
        Type::UNKNOWN | Type::CSTRING => -2,
        _ => -1,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dataset::contract::SqlType;

    // Oids and lengths from pg_type.dat of PostgreSQL 16.
    #[test]
    fn the_types_of_a_contract_have_the_oids_of_postgres() {
        let numeric = SqlType::Numeric { precision: 18, scale: 2 };
        let cases = [
            (SqlType::Boolean, 16, 1, -1),
            (SqlType::SmallInt, 21, 2, -1),
            (SqlType::Integer, 23, 4, -1),
            (SqlType::BigInt, 20, 8, -1),
            (SqlType::Real, 700, 4, -1),
            (SqlType::Double, 701, 8, -1),
            (numeric, 1700, -1, 1_179_654),
            (SqlType::Text, 25, -1, -1),
            (SqlType::Varchar(None), 1043, -1, -1),
            (SqlType::Varchar(Some(20)), 1043, -1, 24),
            (SqlType::Char(5), 1042, -1, 9),
            (SqlType::Date, 1082, 4, -1),
            (SqlType::Time, 1083, 8, -1),
            (SqlType::Timestamp, 1114, 8, -1),
            (SqlType::TimestampTz, 1184, 8, -1),
            (SqlType::Uuid, 2950, 16, -1),
            (SqlType::Bytea, 17, -1, -1),
            (SqlType::Json, 114, -1, -1),
            (SqlType::Jsonb, 3802, -1, -1),
            (SqlType::Array(Box::new(SqlType::Text)), 1009, -1, -1),
            (SqlType::Array(Box::new(SqlType::Uuid)), 2951, -1, -1),
            (SqlType::Array(Box::new(SqlType::BigInt)), 1016, -1, -1),
        ];
        for (sql_type, oid, length, modifier) in cases {
            let wire = sql_type_of(&sql_type.field("c", "UTC", true));
            assert_eq!((wire.oid(), wire.length(), wire.modifier), (oid, length, modifier), "{sql_type}");
        }
    }

    #[test]
    fn the_types_of_the_catalogs_are_found_by_name() {
        let cases = [
            ("oid", 26, 4),
            ("name", 19, 64),
            ("regclass", 2205, 4),
            ("\"char\"", 18, 1),
            ("int2vector", 22, -1),
            ("oidvector", 30, -1),
            ("aclitem[]", 1034, -1),
            ("_text", 1009, -1),
            ("name[]", 1003, -1),
            ("\"char\"[]", 1002, -1),
            ("pg_node_tree", 194, -1),
            ("xid", 28, 4),
            ("timestamp(3) with time zone", 1184, 8),
            ("character varying(7)[]", 1015, -1),
            ("regtype", 2206, 4),
            ("char", 1042, -1),
        ];
        for (name, oid, length) in cases {
            let wire = named(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((wire.oid(), wire.length()), (oid, length), "{name}");
        }
        assert_eq!(named("no_such_type"), None);
    }

    #[test]
    fn a_struct_without_names_is_a_record_and_one_with_names_is_json() {
        let fields = |names: [&str; 2]| names.map(|name| Field::new(name, DataType::Int32, true)).to_vec().into();
        let oid = |names| sql_type_of(&Field::new("r", DataType::Struct(fields(names)), true)).oid();
        assert_eq!(oid(["c0", "c1"]), 2249);
        assert_eq!(oid(["c1", "c0"]), 114);
        assert_eq!(oid(["id", "name"]), 114);
    }

    #[test]
    fn what_arrow_counts_without_a_sign_finds_room() {
        for (data_type, oid) in [(DataType::UInt8, 21), (DataType::UInt32, 26), (DataType::UInt64, 1700)] {
            assert_eq!(sql_type_of(&Field::new("c", data_type, true)).oid(), oid);
        }
    }
}
