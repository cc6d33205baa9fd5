//! Types, ranges and the operator classes by which they are indexed.

use super::Rows;
use super::namespaces::BTREE_AM;
use crate::catalog::snapshot::{PG_CATALOG_OID, SYSTEM_OWNER_OID, Snapshot};
use crate::catalog::types;
use crate::functions::value::Value;

pub fn pg_type(_: &Snapshot, rows: &mut Rows) {
    for item in types::all() {
        let is_array = item.name.starts_with('_');
        let subscript = if is_array || item.name.ends_with("vector") { "array_subscript_handler" } else { "-" };
        let (modifier_in, modifier_out) = modifier_functions(types::array_element(item).unwrap_or(item));
        rows.push([
            ("oid", item.oid.into()),
            ("typname", (&item.name).into()),
            ("typnamespace", PG_CATALOG_OID.into()),
            ("typowner", SYSTEM_OWNER_OID.into()),
            ("typlen", i32::from(item.length).into()),
            ("typbyval", item.by_value().into()),
            ("typtype", item.kind.into()),
            ("typcategory", item.category.into()),
            ("typispreferred", item.preferred.into()),
            ("typisdefined", true.into()),
            ("typdelim", ','.into()),
            ("typsubscript", subscript.into()),
            ("typelem", item.element.into()),
            ("typarray", item.array.into()),
            ("typinput", (&item.input).into()),
            ("typoutput", (&item.output).into()),
            ("typreceive", (&item.receive).into()),
            ("typsend", (&item.send).into()),
            ("typmodin", modifier_in.into()),
            ("typmodout", modifier_out.into()),
            ("typanalyze", if is_array { "array_typanalyze" } else { "-" }.into()),
            ("typalign", item.align.into()),
            ("typstorage", item.storage.into()),
            ("typtypmod", (-1).into()),
            ("typcollation", item.collation.into()),
        ]);
    }
}

fn modifier_functions(item: &types::PgType) -> (String, String) {
    let has =
        ["bpchar", "varchar", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "bit", "varbit"];
    if !has.contains(&item.name.as_str()) {
        return ("-".into(), "-".into());
    }
    (format!("{}typmodin", item.name), format!("{}typmodout", item.name))
}

/// Range type, its element, its multirange, the element's operator class, and the functions of it: the numbers are PostgreSQL's.
const RANGES: [(u32, u32, u32, u32, &str, &str); 6] = [
    (3904, 23, 4451, 1978, "int4range_canonical", "int4range_subdiff"),
    (3906, 1700, 4532, 3125, "-", "numrange_subdiff"),
    (3908, 1114, 4533, 3128, "-", "tsrange_subdiff"),
    (3910, 1184, 4534, 3127, "-", "tstzrange_subdiff"),
    (3912, 1082, 4535, 3122, "daterange_canonical", "daterange_subdiff"),
    (3926, 20, 4536, 3124, "int8range_canonical", "int8range_subdiff"),
];

pub fn pg_range(_: &Snapshot, rows: &mut Rows) {
    for (range, subtype, multirange, class, canonical, difference) in RANGES {
        rows.push([
            ("rngtypid", range.into()),
            ("rngsubtype", subtype.into()),
            ("rngmultitypid", multirange.into()),
            ("rngsubopc", class.into()),
            ("rngcanonical", canonical.into()),
            ("rngsubdiff", difference.into()),
        ]);
    }
}

/// The default B-tree classes: oid, name, type, family, as PostgreSQL numbers them.
const OPERATOR_CLASSES: [(u32, &str, u32, u32); 18] = [
    (1978, "int4_ops", 23, 1976),
    (1979, "int2_ops", 21, 1976),
    (1981, "oid_ops", 26, 1989),
    (3122, "date_ops", 1082, 434),
    (3123, "float8_ops", 701, 1970),
    (3124, "int8_ops", 20, 1976),
    (3125, "numeric_ops", 1700, 1988),
    (3126, "text_ops", 25, 1994),
    (3127, "timestamptz_ops", 1184, 434),
    (3128, "timestamp_ops", 1114, 434),
    (10000, "array_ops", 2277, 397),
    (10003, "bool_ops", 16, 424),
    (10004, "bpchar_ops", 1042, 426),
    (10006, "bytea_ops", 17, 428),
    (10012, "float4_ops", 700, 1970),
    (10038, "time_ops", 1083, 1996),
    (10065, "uuid_ops", 2950, 2968),
    (10088, "jsonb_ops", 3802, 4033),
];

pub fn pg_opclass(_: &Snapshot, rows: &mut Rows) {
    for (oid, name, item, family) in OPERATOR_CLASSES {
        rows.push([
            ("oid", oid.into()),
            ("opcmethod", BTREE_AM.into()),
            ("opcname", name.into()),
            ("opcnamespace", PG_CATALOG_OID.into()),
            ("opcowner", SYSTEM_OWNER_OID.into()),
            ("opcfamily", family.into()),
            ("opcintype", item.into()),
            ("opcdefault", true.into()),
        ]);
    }
}

/// The class by which a column of the type is indexed; varchar is indexed as text.
pub fn operator_class(type_oid: u32) -> Value {
    let type_oid = match types::by_oid(type_oid) {
        Some(item) if item.name == "varchar" => 25,
        Some(item) if item.name.starts_with('_') => 2277,
        _ => type_oid,
    };
    OPERATOR_CLASSES.iter().find(|(_, _, item, _)| *item == type_oid).map_or(0, |(oid, ..)| *oid).into()
}
