//! A table in the lake that no name leads to: one that is being made, and one that a transaction block has to itself.

use crate::access::TableId;
use crate::dataset::Contract;
use crate::error::Result;
use crate::ingest::table_spec;
use crate::lake::{Store, TableName};

/// Dropped without being kept, it goes.
pub(super) struct Unnamed {
    store: Store,
    folder: TableName,
    is_kept: bool,
}

impl Unnamed {
    /// Makes the folder: one that no table ever had, so that nothing of an older one can show.
    pub async fn create(store: &Store, id: &TableId, contract: &Contract) -> Result<Self> {
        let folder = TableName::new(&id.schema, format!("{}-{}", id.table, uuid::Uuid::new_v4().simple()));
        store.create_table(&folder, &table_spec(contract)).await?;
        Ok(Self { store: store.clone(), folder, is_kept: false })
    }

    pub fn folder(&self) -> &TableName {
        &self.folder
    }

    pub fn keep(mut self) -> TableName {
        self.is_kept = true;
        self.folder.clone()
    }

    pub async fn discard(mut self) {
        self.is_kept = true;
        discard(&self.store, &self.folder).await;
    }
}

/// Takes a table away that has no name, or has it no more. Where that fails its folder stays, and `check` tells of it.
pub(super) async fn discard(store: &Store, folder: &TableName) {
    if let Err(error) = store.drop_table(folder).await {
        tracing::warn!(table = %folder, %error, "the folder of a table without a name stays");
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (store, folder) = (self.store.clone(), self.folder.clone());
        // The statement was cut off, or the block was rolled back. Without a runtime the folder stays.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { discard(&store, &folder).await });
        }
    }
}
