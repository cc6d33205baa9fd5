//! The functions by which clients ask the catalog.

mod arrays;
mod casts;
mod comments;
mod definitions;
mod format;
mod function;
mod information;
mod names;
mod oids;
mod privileges;
mod session;
mod sets;
mod sizes;
mod statistics;
mod type_of;
mod visibility;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::session::CatalogHandle;
use function::{CatalogFunction, CatalogUdf};

/// Every catalog function, bound to a session. To be registered once, under their bare names.
pub fn functions(session: &CatalogHandle) -> Vec<ScalarUDF> {
    let bound = all().map(|function| ScalarUDF::new_from_impl(CatalogUdf::new(*function, Arc::clone(session))));
    bound.chain([type_of::function()]).collect()
}

fn all() -> impl Iterator<Item = &'static CatalogFunction> {
    [
        arrays::FUNCTIONS,
        casts::FUNCTIONS,
        comments::FUNCTIONS,
        definitions::FUNCTIONS,
        format::FUNCTIONS,
        information::FUNCTIONS,
        names::FUNCTIONS,
        oids::FUNCTIONS,
        privileges::FUNCTIONS,
        session::FUNCTIONS,
        sets::FUNCTIONS,
        sizes::FUNCTIONS,
        statistics::FUNCTIONS,
        visibility::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Functions of the session and of oids whose answer is the caller's name, the server's, or that of the arguments.
const OPEN: [&str; 11] = [
    "version",
    "current_database",
    "current_catalog",
    "current_schema",
    "current_user",
    "current_role",
    "user",
    "session_user",
    "getpgusername",
    "current_setting",
    "format_type",
];

/// Functions that change what goes on.
const ACTING: [&str; 3] = ["set_config", "pg_cancel_backend", "pg_terminate_backend"];

/// Whether a function tells what its caller may see, or acts as its caller. Where another than the caller wrote the call, it
/// would carry that to the writer.
pub fn speaks_for_its_caller(name: &str) -> bool {
    let speaking = [
        comments::FUNCTIONS,
        definitions::FUNCTIONS,
        information::FUNCTIONS,
        oids::FUNCTIONS,
        privileges::FUNCTIONS,
        session::FUNCTIONS,
        sizes::FUNCTIONS,
        statistics::FUNCTIONS,
        visibility::FUNCTIONS,
    ];
    speaking.into_iter().flatten().any(|function| function.name == name) && !OPEN.contains(&name)
}

/// Whether a function acts as its caller.
pub fn acts_as_its_caller(name: &str) -> bool {
    ACTING.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_that_are_told_apart_by_name_exist() {
        for name in OPEN.iter().chain(&ACTING) {
            assert!(all().any(|function| function.name == *name), "{name}");
        }
        assert!(ACTING.iter().all(|name| speaks_for_its_caller(name)));
        assert!(speaks_for_its_caller("has_table_privilege") && !speaks_for_its_caller("quote_ident"));
    }

    #[test]
    fn every_function_has_its_own_name() {
        let mut names: Vec<&str> = all().map(|function| function.name).collect();
        names.sort_unstable();
        let doubled: Vec<_> = names.windows(2).filter(|pair| pair.first() == pair.last()).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
    }
}
