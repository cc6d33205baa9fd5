//! Files in buckets of S3, for loads to read: found by name, prefix or pattern, and copied to a local file.
//!
//! Endpoint, region and credentials are those of the usual variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, ...).

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};

use super::error::LakeError;
use crate::error::Result;

/// With this a name of a file in a bucket begins.
pub const BUCKET_SCHEME: &str = "s3://";
const RETRIES_MAX: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// Variables by which credentials come, one of which must be set. The client would otherwise ask the machine that it takes
/// itself to be on, and wait for an answer.
const CREDENTIALS: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
    "AWS_SKIP_SIGNATURE",
];

/// A bucket that can be asked.
#[derive(Debug, Clone)]
pub struct Bucket {
    name: String,
    objects: Arc<dyn ObjectStore>,
}

/// A file in a bucket, as it was when it was found.
#[derive(Debug, Clone)]
pub struct BucketFile {
    bucket: Bucket,
    facts: ObjectMeta,
}

impl Bucket {
    /// The bucket of a name `s3://BUCKET/KEY`, and the key.
    pub fn of(name: &str) -> Result<(Self, String)> {
        let rest = name.strip_prefix(BUCKET_SCHEME).unwrap_or(name);
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(LakeError::BucketUnnamed { name: name.to_owned() }.into());
        }
        if CREDENTIALS.iter().all(|variable| std::env::var_os(variable).is_none_or(|value| value.is_empty())) {
            return Err(LakeError::BucketCredentials { bucket: bucket.to_owned() }.into());
        }
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
        if std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| is_loopback(&url)) {
            builder = builder.with_allow_http(true);
        }
        let fault = |source| LakeError::Bucket { url: format!("{BUCKET_SCHEME}{bucket}"), source };
        let objects = Arc::new(builder.build().map_err(fault)?);
        Ok((Self { name: bucket.to_owned(), objects }, key.to_owned()))
    }

    /// The one file of a key; `None` where there is none.
    pub async fn file(&self, key: &str) -> Result<Option<BucketFile>> {
        let path = Path::parse(key).map_err(|error| self.fault(key, error.into()))?;
        match self.objects.head(&path).await {
            Ok(facts) => Ok(Some(BucketFile { bucket: self.clone(), facts })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.fault(key, error).into()),
        }
    }

    /// The files whose keys begin with `prefix`, up to its last slash, and are `wanted`, in the order of their keys. More than
    /// `files_max` are an error.
    pub async fn files(
        &self,
        prefix: &str,
        wanted: impl Fn(&str) -> bool,
        files_max: usize,
    ) -> Result<Vec<BucketFile>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = Path::parse(folder).map_err(|error| self.fault(folder, error.into()))?;
        let mut found = Vec::new();
        let mut listed = self.objects.list(Some(&folder));
        while let Some(facts) = listed.next().await {
            let facts = facts.map_err(|error| self.fault(folder.as_ref(), error))?;
            if !wanted(facts.location.as_ref()) {
                continue;
            }
            if found.len() == files_max {
                return Err(LakeError::BucketCrowded { bucket: self.name.clone(), max: files_max }.into());
            }
            found.push(BucketFile { bucket: self.clone(), facts });
        }
        found.sort_by(|one, other| one.facts.location.cmp(&other.facts.location));
        Ok(found)
    }

    fn fault(&self, key: &str, source: object_store::Error) -> LakeError {
        let url = format!("{BUCKET_SCHEME}{}/{key}", self.name);
        match source {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                LakeError::BucketDenied { url, source }
            }
            source if is_no_bucket(&source) => LakeError::BucketAbsent { bucket: self.name.clone() },
            source => LakeError::Bucket { url, source },
        }
    }
}

impl BucketFile {
    pub fn key(&self) -> &str {
        self.facts.location.as_ref()
    }

    pub fn url(&self) -> String {
        format!("{BUCKET_SCHEME}{}/{}", self.bucket.name, self.key())
    }

    /// Copies the file; an error where it is no longer the one that was found, or comes short.
    pub async fn copy_to(&self, out: &mut impl Write) -> Result<()> {
        let asked = GetOptions { if_match: self.facts.e_tag.clone(), ..GetOptions::default() };
        let changed = || LakeError::BucketFileChanged { url: self.url() };
        let found = match self.bucket.objects.get_opts(&self.facts.location, asked).await {
            Ok(found) => found,
            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => {
                return Err(changed().into());
            }
            Err(error) => return Err(self.bucket.fault(self.key(), error).into()),
        };
        let mut bytes = 0;
        let mut stream = found.into_stream();
        while let Some(part) = stream.try_next().await.map_err(|error| self.bucket.fault(self.key(), error))? {
            bytes += part.len() as u64;
            let unwritten = |source| LakeError::Io { path: format!("a copy of {}", self.url()), source };
            out.write_all(&part).map_err(unwritten)?;
        }
        if bytes == self.facts.size { Ok(()) } else { Err(changed().into()) }
    }
}

fn is_no_bucket(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.to_string().contains("NoSuchBucket") {
            return true;
        }
        cause = current.source();
    }
    false
}

/// Passwords and rows go unencrypted no further than this machine, unless `AWS_ALLOW_HTTP` says so.
fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").and_then(|rest| rest.split(['/', ':']).next());
    host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::error::Reason;

    async fn bucket(files: &[(&str, &str)]) -> Bucket {
        let bucket = Bucket { name: "shop".to_owned(), objects: Arc::new(InMemory::new()) };
        for (key, text) in files {
            bucket.objects.put(&Path::parse(key).unwrap(), (*text).to_owned().into()).await.unwrap();
        }
        bucket
    }

    #[tokio::test]
    async fn files_come_in_the_order_of_their_keys_and_not_without_bound() {
        let bucket =
            bucket(&[("june/b.csv", "2"), ("june/a.csv", "1"), ("june/c.doc", "3"), ("june2/d.csv", "4")]).await;
        let wanted = |key: &str| key.ends_with(".csv");
        let found = bucket.files("june/", wanted, 9).await.unwrap();
        let urls: Vec<String> = found.iter().map(BucketFile::url).collect();
        assert_eq!(urls, ["s3://shop/june/a.csv", "s3://shop/june/b.csv"]);
        assert_eq!(bucket.files("ju", wanted, 9).await.unwrap().len(), 3);
        let crowded = bucket.files("", wanted, 2).await.unwrap_err();
        assert_eq!(crowded.reason(), Reason::LimitExceeded);
        let mut text = Vec::new();
        found[1].copy_to(&mut text).await.unwrap();
        assert_eq!(text, b"2");
        assert!(bucket.file("june").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_was_changed_or_taken_away_meanwhile_is_refused() {
        let bucket = bucket(&[("a.csv", "one"), ("b.csv", "one")]).await;
        let (changed, gone) =
            (bucket.file("a.csv").await.unwrap().unwrap(), bucket.file("b.csv").await.unwrap().unwrap());
        bucket.objects.put(&Path::from("a.csv"), "two".into()).await.unwrap();
        bucket.objects.delete(&Path::from("b.csv")).await.unwrap();
        for file in [changed, gone] {
            let error = file.copy_to(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.to_string(), format!("{} was changed while it was read: load it again", file.url()));
        }
    }

    #[test]
    fn plain_http_is_spoken_to_this_machine_alone() {
        assert!(is_loopback("http://127.0.0.1:9000") && is_loopback("http://localhost/x"));
        assert!(
            !is_loopback("http://minio:9000")
                && !is_loopback("https://127.0.0.1")
                && !is_loopback("http://127.0.0.1.example.com")
        );
    }
}
