//! What the dataset of a lake brings into being, as it is now. `henna dataset apply` puts another text of the dataset in its
//! place: the security log says which counts, so that who may see what and what there is change in one record.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::engine::Lake;
use super::names::lock;
use super::system;
use crate::access::{ObjectId, SecuritySnapshot};
use crate::catalog::definition::{DatasetDefinition, Definition, kept};
use crate::catalog::inventory::Inventory;
use crate::dataset::{Dataset, DatasetFile};
use crate::error::{Error, Reason, Result};
use crate::lake::Store;

/// Where the texts lie that a lake was made with.
pub(super) const FIRST_FOLDER: &str = "dataset/";
/// How often a session that meets a table with more columns than it knows looks for a newer dataset.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One text of the dataset, and the relations that it and the house bring.
pub(super) struct Founded {
    /// Of its texts in the lake.
    pub folder: String,
    pub dataset: Arc<Dataset>,
    pub inventory: Inventory,
}

impl Founded {
    pub fn new(folder: &str, dataset: Dataset) -> Result<Arc<Self>> {
        let inventory = Inventory::of(&dataset, crate::ingest::system::contracts()?, system::contracts()?);
        Ok(Arc::new(Self { folder: folder.to_owned(), dataset: Arc::new(dataset), inventory }))
    }

    /// The dataset that counts by a snapshot, read from the lake.
    pub async fn read(store: &Store, name: &str, security: &SecuritySnapshot) -> Result<Arc<Self>> {
        let folder = folder_by(security)?;
        let mut files = Vec::new();
        for path in store.list(&folder).await? {
            let bytes = store.get(&path).await?.unwrap_or_default().to_vec();
            let path = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
            files.push(DatasetFile { path, bytes });
        }
        if files.is_empty() {
            return Err(Error::new(Reason::Corrupt, format!("the texts of the dataset in {folder} are missing")));
        }
        files.sort_by(|one: &DatasetFile, other| one.path.cmp(&other.path));
        Self::new(&folder, Dataset::parse(name, files)?)
    }
}

/// The folder of the texts that count by a snapshot.
pub(super) fn folder_by(security: &SecuritySnapshot) -> Result<String> {
    Ok(match kept(security, &ObjectId::Database)? {
        Some(Definition::Dataset(DatasetDefinition { folder })) => folder,
        _ => FIRST_FOLDER.to_owned(),
    })
}

/// The folder that texts get: the same texts the same one.
pub(super) fn folder_of(files: &[DatasetFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.path.len() as u64).to_le_bytes());
        hash.update(file.path.as_bytes());
        hash.update((file.bytes.len() as u64).to_le_bytes());
        hash.update(&file.bytes);
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("dataset-{hash}/")
}

/// The texts of the dataset that an open lake knows.
pub(super) struct Datasets {
    current: Mutex<Arc<Founded>>,
    /// One that is being applied: for the session that does so.
    coming: Mutex<Option<Arc<Founded>>>,
    looked: Mutex<Option<Instant>>,
}

impl Datasets {
    pub fn new(founded: Arc<Founded>) -> Self {
        Self { current: Mutex::new(founded), coming: Mutex::default(), looked: Mutex::default() }
    }

    pub fn current(&self) -> Arc<Founded> {
        Arc::clone(&lock(&self.current))
    }

    /// The one that counts by a snapshot; where this process has not read it yet, the one before.
    pub fn by(&self, security: &SecuritySnapshot) -> Arc<Founded> {
        let current = self.current();
        match folder_by(security) {
            Ok(folder) if folder != current.folder => {
                let coming = lock(&self.coming).clone();
                coming.filter(|coming| coming.folder == folder).unwrap_or(current)
            }
            _ => current,
        }
    }

    pub fn set_coming(&self, founded: Option<Arc<Founded>>) {
        *lock(&self.coming) = founded;
    }

    pub fn replace(&self, founded: Arc<Founded>) {
        *lock(&self.current) = founded;
    }

    /// Whether it is time to look for a newer one.
    fn may_look(&self) -> bool {
        let mut looked = lock(&self.looked);
        let is_time = looked.is_none_or(|then| then.elapsed() >= LOOK_EVERY);
        if is_time {
            *looked = Some(Instant::now());
        }
        is_time
    }
}

impl Lake {
    /// Takes up what other processes have changed: rights, what users made, the dataset.
    pub async fn follow(&self) -> Result<()> {
        self.security().refresh().await?;
        let security = self.security().snapshot();
        let current = self.datasets().current();
        if security.is_sound() && folder_by(&security)? != current.folder {
            let founded = Founded::read(self.store(), &current.dataset.name, &security).await?;
            tracing::info!(folder = founded.folder, "the dataset has changed");
            self.datasets().replace(Arc::clone(&founded));
            let session = self.session(self.security().bootstrap_principal()).await?;
            if let Err(error) = session.plan_views(&founded.inventory).await {
                tracing::error!(%error, "a view of the dataset cannot be planned");
            }
        }
        Ok(())
    }

    /// The same for a statement that has met what it does not know, now and then; whether the dataset is another one.
    pub(super) async fn follow_dataset(&self) -> Result<bool> {
        if !self.datasets().may_look() {
            return Ok(false);
        }
        let before = self.dataset();
        self.follow().await?;
        Ok(!Arc::ptr_eq(&before, &self.dataset()))
    }
}
