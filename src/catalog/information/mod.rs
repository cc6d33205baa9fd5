//! `information_schema`: which of its views is filled by whom.

mod columns;
mod keys;
mod privileges;
mod relations;
mod routines;

pub use columns::TypeFacts;

use super::pg::Fill;

/// What fills a view; one that is not named here has no rows.
pub fn fill(view: &str) -> Option<Fill> {
    Some(match view {
        "information_schema_catalog_name" => relations::catalog_name,
        "schemata" => relations::schemata,
        "tables" => relations::tables,
        "views" => relations::views,
        "character_sets" => relations::character_sets,
        "columns" => columns::columns,
        "element_types" => columns::element_types,
        "table_constraints" => keys::table_constraints,
        "key_column_usage" => keys::key_column_usage,
        "referential_constraints" => keys::referential_constraints,
        "constraint_column_usage" => keys::constraint_column_usage,
        "constraint_table_usage" => keys::constraint_table_usage,
        "check_constraints" => keys::check_constraints,
        "routines" => routines::routines,
        "parameters" => routines::parameters,
        "table_privileges" => privileges::table_privileges,
        "role_table_grants" => privileges::role_table_grants,
        "column_privileges" => privileges::column_privileges,
        "role_column_grants" => privileges::role_column_grants,
        "enabled_roles" => privileges::enabled_roles,
        "applicable_roles" => privileges::applicable_roles,
        "administrable_role_authorizations" => privileges::administrable_roles,
        _ => return None,
    })
}

/// `YES` or `NO`.
fn yes(value: bool) -> crate::functions::value::Value {
    if value { "YES" } else { "NO" }.into()
}
