//! A file that comes in parts.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::{DurableStore, Publish, blocking, failed};

/// Parts of one file on their way; what is never completed leaves no trace.
#[derive(Debug)]
pub struct Upload {
    store: DurableStore,
    location: Path,
    target: PathBuf,
    staged: PathBuf,
    file: Arc<Mutex<File>>,
    offset: u64,
}

impl Upload {
    pub fn begin(store: DurableStore, location: Path, target: PathBuf) -> Result<Self> {
        let (file, staged) = store.stage(&target).map_err(|error| failed(&location, error))?;
        Ok(Self { store, location, target, staged, file: Arc::new(Mutex::new(file)), offset: 0 })
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += payload.content_length() as u64;
        let (file, location) = (Arc::clone(&self.file), self.location.clone());
        Box::pin(blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| payload.iter().try_for_each(|bytes| file.write_all(bytes)))
                .map_err(|error| failed(&location, error))
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (store, location) = (self.store.clone(), self.location.clone());
        let (file, staged, target) = (Arc::clone(&self.file), self.staged.clone(), self.target.clone());
        blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            store.publish(&file, &staged, &target, Publish::Replace).map_err(|error| failed(&location, error))
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After `complete` the name is gone already.
        let _ = fs::remove_file(&self.staged);
    }
}
