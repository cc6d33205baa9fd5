//! Columns with their types taken apart.

use super::yes;
use crate::catalog::pg::Rows;
use crate::catalog::snapshot::{Attribute, Relation, Snapshot};
use crate::catalog::types;
use crate::functions::value::Value;

/// A type as the standard's views describe it.
#[derive(Debug, Default)]
pub struct TypeFacts {
    pub data_type: String,
    pub udt_name: String,
    pub character_length: Option<i64>,
    pub octet_length: Option<i64>,
    pub precision: Option<i64>,
    pub radix: Option<i64>,
    pub scale: Option<i64>,
    pub datetime_precision: Option<i64>,
}

/// The longest text in bytes, as PostgreSQL tells it.
const TEXT_OCTETS: i64 = 1 << 30;

impl TypeFacts {
    pub fn of(type_oid: u32, modifier: i32) -> Self {
        let Some(item) = types::by_oid(type_oid) else { return Self::default() };
        let data_type =
            if types::array_element(item).is_some() { "ARRAY".to_owned() } else { types::format(type_oid, None) };
        let mut facts = Self { data_type, udt_name: item.name.clone(), ..Self::default() };
        let modifier = i64::from(modifier);
        let mut number = |precision, radix, scale| {
            (facts.precision, facts.radix, facts.scale) = (Some(precision), Some(radix), scale);
        };
        match item.name.as_str() {
            "int2" => number(16, 2, Some(0)),
            "int4" => number(32, 2, Some(0)),
            "int8" => number(64, 2, Some(0)),
            "float4" => number(24, 2, None),
            "float8" => number(53, 2, None),
            "numeric" if modifier >= 4 => number(((modifier - 4) >> 16) & 0xffff, 10, Some((modifier - 4) & 0x7ff)),
            "numeric" => facts.radix = Some(10),
            "varchar" | "bpchar" if modifier >= 4 => {
                facts.character_length = Some(modifier - 4);
                facts.octet_length = Some((modifier - 4) * 4);
            }
            "text" | "varchar" | "bpchar" => facts.octet_length = Some(TEXT_OCTETS),
            "date" => facts.datetime_precision = Some(0),
            "time" | "timetz" | "timestamp" | "timestamptz" | "interval" => facts.datetime_precision = Some(6),
            _ => {}
        }
        facts
    }
}

pub fn columns(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations() {
        let writable = snapshot.user_relation(relation.oid()).is_some_and(|_| relation.kind() == 'r');
        for attribute in relation.attributes() {
            push_column(snapshot, rows, &relation, &attribute, yes(writable));
        }
    }
}

fn push_column(
    snapshot: &Snapshot,
    rows: &mut Rows,
    relation: &Relation<'_>,
    attribute: &Attribute<'_>,
    updatable: Value,
) {
    let facts = TypeFacts::of(attribute.type_oid, attribute.modifier);
    let database = &snapshot.visible.database;
    rows.push([
        ("table_catalog", database.into()),
        ("table_schema", relation.schema().into()),
        ("table_name", relation.name().into()),
        ("column_name", attribute.name.into()),
        ("ordinal_position", i32::from(attribute.number).into()),
        ("column_default", attribute.default.into()),
        ("is_nullable", yes(!attribute.not_null)),
        ("data_type", facts.data_type.into()),
        ("character_maximum_length", facts.character_length.into()),
        ("character_octet_length", facts.octet_length.into()),
        ("numeric_precision", facts.precision.into()),
        ("numeric_precision_radix", facts.radix.into()),
        ("numeric_scale", facts.scale.into()),
        ("datetime_precision", facts.datetime_precision.into()),
        ("udt_catalog", database.into()),
        ("udt_schema", crate::catalog::spec::PG_CATALOG.into()),
        ("udt_name", facts.udt_name.into()),
        ("dtd_identifier", attribute.number.to_string().into()),
        ("is_self_referencing", yes(false)),
        ("is_identity", yes(false)),
        ("identity_cycle", yes(false)),
        ("is_generated", "NEVER".into()),
        ("is_updatable", updatable),
    ]);
}

/// What the columns that are arrays hold.
pub fn element_types(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations() {
        for attribute in relation.attributes() {
            let Some(element) = types::by_oid(attribute.type_oid).and_then(types::array_element) else { continue };
            let facts = TypeFacts::of(element.oid, attribute.modifier);
            rows.push([
                ("object_catalog", (&snapshot.visible.database).into()),
                ("object_schema", relation.schema().into()),
                ("object_name", relation.name().into()),
                ("object_type", if relation.kind() == 'v' { "VIEW" } else { "TABLE" }.into()),
                ("collection_type_identifier", attribute.number.to_string().into()),
                ("data_type", facts.data_type.into()),
                ("udt_catalog", (&snapshot.visible.database).into()),
                ("udt_schema", crate::catalog::spec::PG_CATALOG.into()),
                ("udt_name", facts.udt_name.into()),
                ("dtd_identifier", format!("a{}", attribute.number).into()),
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The facts are those that PostgreSQL 15 gives in information_schema.columns.
    #[test]
    fn types_are_taken_apart_as_the_standard_says() {
        let money = TypeFacts::of(1700, 786_438);
        assert_eq!((money.precision, money.radix, money.scale), (Some(12), Some(10), Some(2)));
        let name = TypeFacts::of(1043, 24);
        assert_eq!((name.data_type.as_str(), name.character_length), ("character varying", Some(20)));
        assert_eq!(name.octet_length, Some(80));
        assert_eq!(TypeFacts::of(1009, -1).data_type, "ARRAY");
        assert_eq!(TypeFacts::of(20, -1).precision, Some(64));
        assert_eq!(TypeFacts::of(1184, -1).datetime_precision, Some(6));
    }
}
