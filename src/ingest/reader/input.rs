//! A file to be loaded: where it lies, what it is, how it is opened. Standard input is spooled first: a load reads twice.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::super::error::IngestError;

/// What the bytes of a file mean, once decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Delimited(u8),
    NdJson,
    Parquet,
}

/// A file to be loaded.
#[derive(Debug, Clone)]
pub struct Input {
    /// As the user named it; stands in reports and rejects.
    pub name: Arc<str>,
    path: PathBuf,
    pub format: Format,
    _spool: Option<Arc<NamedTempFile>>,
}

const COPY_BYTES: usize = 1 << 16;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

impl Input {
    /// The file at `path`, or standard input where that is `-`. `delimiter` overrules what the ending of a text file says.
    pub fn find(path: &str, delimiter: Option<u8>) -> Result<Self, IngestError> {
        if path == "-" { Self::stdin(delimiter) } else { Self::at(Path::new(path), delimiter) }
    }

    /// The file at `path`.
    pub fn at(path: &Path, delimiter: Option<u8>) -> Result<Self, IngestError> {
        let file = path.display().to_string();
        if !path.exists() {
            return Err(IngestError::FileAbsent { file });
        }
        let format = format_of(&file).ok_or_else(|| IngestError::FormatUnknown { file: file.clone() })?;
        let format = match (format, delimiter) {
            (Format::Delimited(_), Some(given)) => Format::Delimited(given),
            (format, _) => format,
        };
        let name = path.file_name().map_or(file.clone(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name: name.into(), path: path.to_owned(), format, _spool: None })
    }

    fn stdin(delimiter: Option<u8>) -> Result<Self, IngestError> {
        let fault = |source| IngestError::SpoolFile { source };
        let mut spool = NamedTempFile::new().map_err(fault)?;
        io::copy(&mut io::stdin().lock(), &mut spool).map_err(fault)?;
        spool.flush().map_err(fault)?;
        Self::spooled("-", spool, delimiter)
    }

    /// A spool file whose format its first bytes tell.
    pub fn spooled(name: &str, spool: NamedTempFile, delimiter: Option<u8>) -> Result<Self, IngestError> {
        let path = spool.path().to_owned();
        let mut input =
            Self { name: name.into(), path, format: Format::Delimited(b','), _spool: Some(Arc::new(spool)) };
        let mut start = [0; 512];
        let mut opened = input.bytes(&Arc::default())?;
        let read = opened.read(&mut start).map_err(|source| IngestError::SpoolFile { source })?;
        input.format = sniffed(&start[..read], delimiter);
        Ok(input)
    }

    pub fn bytes_len(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |facts| facts.len())
    }

    /// The file itself; where it is compressed, its compressed bytes.
    pub fn file(&self) -> Result<File, IngestError> {
        File::open(&self.path).map_err(|source| IngestError::FileUnreadable { file: self.name.to_string(), source })
    }

    /// The text of the file, decompressed. `counter` counts the bytes read from disk.
    pub fn bytes(&self, counter: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, IngestError> {
        let mut file = self.file()?;
        let unreadable = |source| IngestError::FileUnreadable { file: self.name.to_string(), source };
        let mut magic = [0; 4];
        let read = file.read(&mut magic).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let counted = Counted { inner: file, counter: Arc::clone(counter) };
        if magic[..read].starts_with(GZIP) {
            let inner = flate2::bufread::MultiGzDecoder::new(BufReader::new(counted));
            return Ok(Box::new(Decompressed { inner }));
        }
        if magic[..read].starts_with(ZSTD) {
            let inner = zstd::stream::read::Decoder::new(counted)
                .map_err(|source| IngestError::Decompression { file: self.name.to_string(), source })?;
            return Ok(Box::new(Decompressed { inner }));
        }
        Ok(Box::new(counted))
    }

    /// Adds the content to a hash.
    pub fn digest(&self, hash: &mut Sha256) -> Result<(), IngestError> {
        let mut file = self.file()?;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|source| IngestError::FileUnreadable { file: self.name.to_string(), source })?;
            if read == 0 {
                return Ok(());
            }
            hash.update(&buffer[..read]);
        }
    }
}

fn format_of(file: &str) -> Option<Format> {
    let file = file.to_ascii_lowercase();
    let plain = file.strip_suffix(".gz").or_else(|| file.strip_suffix(".zst"));
    let compressed = plain.is_some();
    match plain.unwrap_or(&file).rsplit_once('.')?.1 {
        "csv" | "txt" => Some(Format::Delimited(b',')),
        "tsv" | "tab" => Some(Format::Delimited(b'\t')),
        "ndjson" | "jsonl" | "json" => Some(Format::NdJson),
        "parquet" | "pq" if !compressed => Some(Format::Parquet),
        _ => None,
    }
}

fn sniffed(start: &[u8], delimiter: Option<u8>) -> Format {
    let header = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if start.starts_with(b"PAR1") {
        Format::Parquet
    } else if start.trim_ascii_start().starts_with(b"{") {
        Format::NdJson
    } else {
        let tabs = header.contains(&b'\t') && !header.contains(&b',');
        Format::Delimited(delimiter.unwrap_or(if tabs { b'\t' } else { b',' }))
    }
}

struct Counted {
    inner: File,
    counter: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.counter.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A compressed stream, whose errors say that it is corrupt.
struct Decompressed<R> {
    inner: R,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner
            .read(buffer)
            .map_err(|error| io::Error::new(error.kind(), format!("corrupt compressed data: {error}")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        assert_eq!(format_of("a/ORDERS.CSV"), Some(Format::Delimited(b',')));
        assert_eq!(format_of("orders.tsv.gz"), Some(Format::Delimited(b'\t')));
        assert_eq!(format_of("orders.jsonl.zst"), Some(Format::NdJson));
        assert_eq!(format_of("orders.parquet"), Some(Format::Parquet));
        assert_eq!(format_of("orders.parquet.gz"), None);
        assert_eq!(format_of("orders.xls"), None);
        assert_eq!(format_of("orders"), None);
    }

    #[test]
    fn the_first_bytes_tell_the_format_of_standard_input() {
        assert_eq!(sniffed(b"PAR1....", None), Format::Parquet);
        assert_eq!(sniffed(b"\n {\"a\":1}", None), Format::NdJson);
        assert_eq!(sniffed(b"a\tb\n1\t2", None), Format::Delimited(b'\t'));
        assert_eq!(sniffed(b"a;b\n1;2", Some(b';')), Format::Delimited(b';'));
    }

    #[test]
    fn gzip_and_zstd_are_opened_by_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let text = b"a\n1\n";
        let gzip = folder.path().join("a.csv.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&gzip).unwrap(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap();
        let zst = folder.path().join("a.csv.zst");
        std::fs::write(&zst, zstd::encode_all(&text[..], 1).unwrap()).unwrap();
        for path in [gzip, zst] {
            let mut read = Vec::new();
            Input::at(&path, None).unwrap().bytes(&Arc::default()).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text, "{path:?}");
        }
    }

    #[test]
    fn a_file_that_is_absent_or_of_no_known_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.doc");
        assert!(matches!(Input::at(&path, None), Err(IngestError::FileAbsent { .. })));
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(Input::at(&path, None), Err(IngestError::FormatUnknown { .. })));
    }
}
