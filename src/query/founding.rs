//! Making a lake: its tables, its first user, the statements of its dataset. The mark that it is whole comes last.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::engine::{Lake, Limits};
use super::founded::{FIRST_FOLDER, Founded};
use super::statement;
use super::{session::Session, system};
use crate::access::{LogStore, ObjectChange, SecurityStore, TableId};
use crate::catalog::inventory::{Body, Inventory};
use crate::dataset::Dataset;
use crate::error::{Error, Reason, Result};
use crate::ingest;
use crate::ingest::identity::IdentityKey;
use crate::lake::{Store, TableName};

/// The mark of a whole lake.
const MARK: &str = "henna.json";
const FORMAT: u32 = 1;

/// What every role may read of the house: these tables show each reader what concerns them.
const HOUSE_GRANTS: &str = "GRANT SELECT ON henna.tables, henna.functions, henna.sources, henna.settings, henna.activity, henna.audit_log, henna.query_log TO PUBLIC";

/// The first user.
pub const ADMIN: &str = "admin";

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    format: u32,
    dataset: String,
}

impl Lake {
    /// Makes a lake in a folder that has none, with the dataset's tables, views, roles and policies, and the user
    /// [`ADMIN`]. A making that was cut off leaves a folder that [`Lake::open`] refuses.
    pub async fn found(root: &str, dataset: &Dataset, admin_password: &str, limits: Limits) -> Result<Self> {
        let store = Store::create(root).await?;
        for file in &dataset.files {
            store.put(&format!("{FIRST_FOLDER}{}", file.path), Bytes::from(file.bytes.clone())).await?;
        }
        let inventory = Inventory::of(dataset, ingest::system::contracts()?, system::contracts()?);
        for relation in inventory.relations() {
            if let Body::Table(contract) = &relation.body {
                let name = TableName::new(&relation.schema, &relation.name);
                store.create_table(&name, &ingest::table_spec(contract)).await?;
            }
        }
        IdentityKey::create(&store).await?;
        let security = SecurityStore::open(security_log(&store)).await?;
        security.bootstrap(ADMIN, admin_password).await?;
        security.track(&security.bootstrap_principal(), &objects(&inventory)).await?;
        let lake = Self::assemble(store, Founded::new(FIRST_FOLDER, dataset.clone())?, security, limits).await?;
        let session = lake.session(lake.security().bootstrap_principal()).await?;
        session.run_script("the house's own grants", HOUSE_GRANTS).await?;
        if let Some(sql) = &dataset.access_sql {
            session.run_script("access.sql", sql).await?;
        }
        let mark = Mark { format: FORMAT, dataset: dataset.name.clone() };
        let text = serde_json::to_vec(&mark).map_err(|error| Error::of(Reason::Internal, error))?;
        lake.store().put(MARK, text.into()).await?;
        Ok(lake)
    }

    /// Opens a lake, with limits of its own.
    pub async fn open_with(root: &str, limits: Limits) -> Result<Self> {
        let store = Store::open(root).await?;
        let mark = store.get(MARK).await?.ok_or_else(|| {
            Error::new(Reason::Corrupt, format!("the lake in {root} was not made to the end"))
                .with_hint("remove the folder and run henna init again")
        })?;
        let mark: Mark = serde_json::from_slice(&mark).map_err(|error| Error::of(Reason::Corrupt, error))?;
        if mark.format != FORMAT {
            let text = format!("the lake in {root} has format {}, this program reads {FORMAT}", mark.format);
            return Err(Error::new(Reason::Unsupported, text));
        }
        let security = SecurityStore::reopen(security_log(&store)).await?;
        let founded = Founded::read(&store, &mark.dataset, &security.snapshot()).await?;
        Self::assemble(store, founded, security, limits).await
    }
}

impl Session {
    /// Runs statements that give no rows, one after the other. `name` stands in errors.
    pub async fn run_script(&self, name: &str, sql: &str) -> Result<()> {
        for (index, statement) in statement::parse(sql)?.iter().enumerate() {
            let outcome = async {
                let prepared = self.prepare(statement, &[]).await?;
                self.run(&prepared, Vec::new()).await
            };
            outcome.await.map_err(|error| {
                let text = format!("{name}, statement {}: {error}", index + 1);
                Error::new(error.reason(), text)
            })?;
        }
        Ok(())
    }
}

/// What security must know to exist: each schema but `public`, which it brings itself, and each relation.
fn objects(inventory: &Inventory) -> Vec<ObjectChange> {
    let schemas = inventory.schemas().filter(|(name, _)| *name != crate::catalog::inventory::PUBLIC);
    let mut changes: Vec<_> = schemas.map(|(name, _)| ObjectChange::SchemaCreated(name.to_owned())).collect();
    let relations = inventory.relations().map(|relation| TableId::new(&relation.schema, &relation.name));
    changes.extend(relations.map(ObjectChange::RelationCreated));
    changes
}

fn security_log(store: &Store) -> Arc<dyn LogStore> {
    Arc::new(super::security_log::LakeLog::new(store.clone()))
}
