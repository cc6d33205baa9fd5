//! `pg_catalog`: which system relation is filled by whom.

mod activity;
mod comments;
mod constraints;
mod definitions;
mod functions;
mod namespaces;
mod policies;
mod relations;
mod roles;
mod settings;
mod statements;
mod statistics;
mod table;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

pub use constraints::columns_in;
pub use definitions::{constraint_definition, index_definition};
pub use functions::{arguments, signature_type};
pub use table::{Fill, Rows};

use super::information;
use super::session::CatalogHandle;
use super::spec::{self, INFORMATION_SCHEMA, PG_CATALOG};
use table::SystemTable;

/// A schema of system relations; each table is made when it is named.
#[derive(Debug)]
pub struct SystemSchema {
    name: &'static str,
    session: CatalogHandle,
}

impl SystemSchema {
    pub fn pg_catalog(session: CatalogHandle) -> Self {
        Self { name: PG_CATALOG, session }
    }

    pub fn information_schema(session: CatalogHandle) -> Self {
        Self { name: INFORMATION_SCHEMA, session }
    }

    fn fill(&self, table: &str) -> Option<Fill> {
        if self.name == PG_CATALOG { fill(table) } else { information::fill(table) }
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        spec::all()
            .iter()
            .filter(|relation| relation.schema == self.name)
            .map(|relation| relation.name.clone())
            .collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(spec::find(self.name, name).map(|relation| {
            let table = SystemTable::new(relation, self.fill(name), Arc::clone(&self.session));
            Arc::new(table) as Arc<dyn TableProvider>
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        spec::find(self.name, name).is_some()
    }
}

/// What fills a relation of `pg_catalog`; one that is not named here has no rows.
fn fill(table: &str) -> Option<Fill> {
    Some(match table {
        "pg_namespace" => namespaces::pg_namespace,
        "pg_database" => namespaces::pg_database,
        "pg_tablespace" => namespaces::pg_tablespace,
        "pg_am" => namespaces::pg_am,
        "pg_language" => namespaces::pg_language,
        "pg_collation" => namespaces::pg_collation,
        "pg_class" => relations::pg_class,
        "pg_attribute" => relations::pg_attribute,
        "pg_attrdef" => relations::pg_attrdef,
        "pg_tables" => relations::pg_tables,
        "pg_views" => relations::pg_views,
        "pg_rewrite" => relations::pg_rewrite,
        "pg_rules" => return None,
        "pg_type" => types::pg_type,
        "pg_range" => types::pg_range,
        "pg_opclass" => types::pg_opclass,
        "pg_index" => constraints::pg_index,
        "pg_indexes" => constraints::pg_indexes,
        "pg_constraint" => constraints::pg_constraint,
        "pg_proc" => functions::pg_proc,
        "pg_aggregate" => functions::pg_aggregate,
        "pg_roles" => roles::pg_roles,
        "pg_user" => roles::pg_user,
        "pg_group" => roles::pg_group,
        "pg_auth_members" => roles::pg_auth_members,
        "pg_db_role_setting" => roles::pg_db_role_setting,
        "pg_policy" => policies::pg_policy,
        "pg_policies" => policies::pg_policies,
        "pg_description" => comments::pg_description,
        "pg_shdescription" => comments::pg_shdescription,
        "pg_settings" => settings::pg_settings,
        "pg_timezone_names" => settings::pg_timezone_names,
        "pg_prepared_statements" => statements::pg_prepared_statements,
        "pg_stat_activity" => activity::pg_stat_activity,
        "pg_stat_database" => activity::pg_stat_database,
        "pg_stat_all_tables" | "pg_stat_user_tables" => statistics::pg_stat_user_tables,
        "pg_statio_all_tables" | "pg_statio_user_tables" => statistics::pg_statio_user_tables,
        "pg_stat_all_indexes" | "pg_stat_user_indexes" => statistics::pg_stat_user_indexes,
        _ => return None,
    })
}
