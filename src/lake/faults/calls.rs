//! An object store of which one call fails.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Whether the call that fails took effect; its caller does not know.
#[derive(Debug, Clone, Copy)]
pub enum When {
    Before,
    After,
}

/// Whether the calls after it fail, too.
#[derive(Debug, Clone, Copy)]
pub enum Lasts {
    Once,
    ForGood,
}

#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Counted from 1.
    pub call: usize,
    pub when: When,
    pub lasts: Lasts,
}

impl Fault {
    /// Each kind of fault, at the first call.
    pub const KINDS: [Self; 4] = [
        Self { call: 1, when: When::Before, lasts: Lasts::ForGood },
        Self { call: 1, when: When::After, lasts: Lasts::ForGood },
        Self { call: 1, when: When::Before, lasts: Lasts::Once },
        Self { call: 1, when: When::After, lasts: Lasts::Once },
    ];
}

/// Clones count their calls together.
#[derive(Debug, Clone)]
pub struct FaultyObjects {
    inner: Arc<dyn ObjectStore>,
    calls: Arc<AtomicUsize>,
    fault: Fault,
}

impl FaultyObjects {
    pub fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Self {
        Self { inner, calls: Arc::default(), fault }
    }

    /// Whether there were calls enough for it to fail.
    pub fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.fault.call
    }

    fn failed() -> Error {
        Error::Generic { store: "faulty", source: "the store is gone".into() }
    }

    /// Counts a call; whether it is to fail after it took effect.
    fn meet(&self) -> Result<bool> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = match self.fault.lasts {
            Lasts::Once => call == self.fault.call,
            Lasts::ForGood => call >= self.fault.call,
        };
        match self.fault.when {
            When::After if call == self.fault.call => Ok(true),
            _ if fails => Err(Self::failed()),
            _ => Ok(false),
        }
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let fails = self.meet()?;
        let done = work.await?;
        if fails { Err(Self::failed()) } else { Ok(done) }
    }
}

impl fmt::Display for FaultyObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyObjects")
    }
}

#[async_trait]
impl ObjectStore for FaultyObjects {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.call(self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.inner.put_multipart_opts(location, options)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let objects = self.clone();
        let deleted = locations.and_then(move |location| {
            let objects = objects.clone();
            async move {
                objects.call(objects.inner.delete(&location)).await?;
                Ok(location)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.meet() {
            Ok(false) => self.inner.list(prefix),
            Ok(true) => self.inner.list(prefix).chain(stream::iter([Err(Self::failed())])).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }
}
