//! Whether the tables in the lake and the names that lead to them fit together.

use std::collections::BTreeSet;

use super::engine::Lake;
use crate::access::ObjectId;
use crate::catalog::definition::kept;
use crate::catalog::inventory::Body;
use crate::error::Result;
use crate::lake::{Finding, Severity, TableName};

impl Lake {
    /// Tables that no name leads to, which a CREATE or DROP that was cut off may leave, and names that lead nowhere.
    pub async fn check_objects(&self) -> Result<Vec<Finding>> {
        let security = self.security().snapshot();
        let inventory = self.inventory_at(&security);
        let tables = inventory.relations().filter(|relation| matches!(relation.body, Body::Table(_)));
        let named: BTreeSet<TableName> = tables.map(|relation| relation.folder.clone()).collect();
        let there: BTreeSet<TableName> = self.store().tables().await?.into_iter().collect();
        let mut findings = Vec::new();
        for table in there.difference(&named) {
            let message = "a table that no name leads to: a CREATE or DROP was cut off".to_owned();
            findings.push(Finding { severity: Severity::Info, path: format!("table {table}"), message });
        }
        for table in named.difference(&there) {
            let message = "its name leads to a table that is not there".to_owned();
            findings.push(Finding { severity: Severity::Fault, path: format!("table {table}"), message });
        }
        let relations = security.relations().map(|(id, _)| ObjectId::Relation(id.clone()));
        let schemas = security.schemas().map(|(name, _)| ObjectId::Schema(name.clone()));
        for object in relations.chain(schemas) {
            let known = match &object {
                ObjectId::Relation(id) => inventory.find(&id.schema, &id.table).is_some(),
                ObjectId::Schema(name) => inventory.has_schema(name),
                ObjectId::Database => true,
            };
            match kept(&security, &object) {
                Ok(Some(_)) if !known => findings.push(unreadable(&object, "its definition cannot be used")),
                Err(error) => findings.push(unreadable(&object, &format!("its definition cannot be read: {error}"))),
                Ok(_) => {}
            }
        }
        Ok(findings)
    }
}

fn unreadable(object: &ObjectId, message: &str) -> Finding {
    let path = match object {
        ObjectId::Database => "the database".to_owned(),
        ObjectId::Schema(name) => format!("schema {name}"),
        ObjectId::Relation(id) => format!("relation {id}"),
    };
    Finding { severity: Severity::Fault, path, message: message.to_owned() }
}
