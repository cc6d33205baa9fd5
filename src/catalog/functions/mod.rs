//! The functions by which clients ask the catalog.

mod arrays;
mod casts;
mod comments;
mod definitions;
mod function;
mod information;
mod names;
mod oids;
mod privileges;
mod session;
mod sets;
mod sizes;
mod statistics;
mod visibility;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use super::session::CatalogHandle;
use function::{CatalogFunction, CatalogUdf};

/// Every catalog function, bound to a session. To be registered once, under their bare names.
pub fn functions(session: &CatalogHandle) -> Vec<ScalarUDF> {
    all().map(|function| ScalarUDF::new_from_impl(CatalogUdf::new(*function, Arc::clone(session)))).collect()
}

fn all() -> impl Iterator<Item = &'static CatalogFunction> {
    [
        arrays::FUNCTIONS,
        casts::FUNCTIONS,
        comments::FUNCTIONS,
        definitions::FUNCTIONS,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_its_own_name() {
        let mut names: Vec<&str> = all().map(|function| function.name).collect();
        names.sort_unstable();
        let doubled: Vec<_> = names.windows(2).filter(|pair| pair.first() == pair.last()).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
    }
}
