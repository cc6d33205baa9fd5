//! The bytes of a Parquet file in an object store, as its readers ask for them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// A file of known size.
pub struct ParquetBytes {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl ParquetBytes {
    pub fn new(objects: &Arc<dyn ObjectStore>, path: &str, bytes: u64) -> Self {
        Self { objects: Arc::clone(objects), path: Path::from(path), bytes }
    }
}

fn failed(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ParquetBytes {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        Box::pin(async move { self.objects.get_range(&self.path, range).await.map_err(failed) })
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        Box::pin(async move { self.objects.get_ranges(&self.path, &ranges).await.map_err(failed) })
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let bytes = self.bytes;
            let wanted = options.map(|options| options.metadata_options().clone());
            let reader = ParquetMetaDataReader::new().with_metadata_options(wanted);
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        })
    }
}
