//! A file to be loaded: where it lies, what it is, how it is opened. Standard input and the sheets of workbooks are spooled
//! first: a load reads twice.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::super::error::IngestError;
use super::decode;
use super::workbook::{self, ZIP};
use crate::dataset::Layout;

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
    /// Of a workbook's sheet, its name; its rows are counted, and not lines.
    pub sheet: Option<Arc<str>>,
    /// How the rows become those of a source.
    pub layout: Option<Arc<Layout>>,
    /// The encoding that whoever sent the file says it has; goes before that of its layout.
    pub charset: Option<Arc<str>>,
    _spool: Option<Arc<NamedTempFile>>,
}

const COPY_BYTES: usize = 1 << 16;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A compressed file may grow to this without a question, and beyond it by this factor: rows of an export are far from as alike.
const EXPANDED_BYTES_FREE: u64 = 256 << 20;
const EXPANSION_MAX: u64 = 200;

impl Input {
    /// The file at `path`; of a workbook its sheets.
    pub fn find(path: &Path) -> Result<Vec<Self>, IngestError> {
        let file = path.display().to_string();
        if !path.exists() {
            return Err(IngestError::FileAbsent { file });
        }
        let name = path.file_name().map_or(file.clone(), |name| name.to_string_lossy().into_owned());
        if is_workbook(&file) {
            return Self::sheets(&name, path);
        }
        let format = format_of(&file).ok_or(IngestError::FormatUnknown { file })?;
        Ok(vec![Self::new(&name, path.to_owned(), format, None)])
    }

    pub fn stdin() -> Result<Vec<Self>, IngestError> {
        let fault = |source| IngestError::SpoolFile { source };
        let mut spool = NamedTempFile::new().map_err(fault)?;
        io::copy(&mut io::stdin().lock(), &mut spool).map_err(fault)?;
        spool.flush().map_err(fault)?;
        let mut magic = Vec::new();
        spool.reopen().map_err(fault)?.take(ZIP.len() as u64).read_to_end(&mut magic).map_err(fault)?;
        if magic == ZIP {
            return Self::sheets("-", spool.path());
        }
        Ok(vec![Self::spooled("-", spool, None)?])
    }

    /// A file that was copied here, called by the last part of the key that it has elsewhere.
    pub fn copied(key: &str, copy: NamedTempFile) -> Result<Vec<Self>, IngestError> {
        let name = key.rsplit('/').next().unwrap_or(key);
        if is_workbook(name) {
            return Self::sheets(name, copy.path());
        }
        let format = format_of(name).ok_or_else(|| IngestError::FormatUnknown { file: key.to_owned() })?;
        Ok(vec![Self::new(name, copy.path().to_owned(), format, Some(copy))])
    }

    fn sheets(name: &str, path: &Path) -> Result<Vec<Self>, IngestError> {
        let sheets = workbook::sheets(name, path)?;
        let several = sheets.len() > 1;
        Ok(sheets
            .into_iter()
            .map(|sheet| {
                let path = sheet.spool.path().to_owned();
                let name = if several { format!("{name} [{}]", sheet.name) } else { name.to_owned() };
                let input = Self::new(&name, path, Format::Delimited(b','), Some(sheet.spool));
                Self { sheet: Some(sheet.name.into()), ..input }
            })
            .collect())
    }

    fn new(name: &str, path: PathBuf, format: Format, spool: Option<NamedTempFile>) -> Self {
        Self { name: name.into(), path, format, sheet: None, layout: None, charset: None, _spool: spool.map(Arc::new) }
    }

    /// The same file, its rows as the layout makes them.
    pub fn shaped(&self, layout: &Arc<Layout>) -> Self {
        let format = match (self.format, layout.delimiter) {
            (Format::Delimited(_), Some(given)) if self.sheet.is_none() => Format::Delimited(given),
            (format, _) => format,
        };
        Self { format, layout: Some(Arc::clone(layout)), ..self.clone() }
    }

    /// A spool file whose format its first bytes tell.
    pub fn spooled(name: &str, spool: NamedTempFile, delimiter: Option<u8>) -> Result<Self, IngestError> {
        let path = spool.path().to_owned();
        let mut input = Self::new(name, path, Format::Delimited(b','), Some(spool));
        let mut start = [0; 512];
        let mut opened = input.text(&Arc::default())?;
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

    /// The text of the file, decompressed, in UTF-8. `counter` counts the bytes read from disk.
    pub fn text(&self, counter: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, IngestError> {
        let of_layout = self.layout.as_ref().and_then(|layout| layout.encoding.as_deref());
        let label = self.charset.as_deref().or(of_layout);
        let unreadable = |source| IngestError::FileUnreadable { file: self.name.to_string(), source };
        decode::utf8(self.bytes(counter)?, label.filter(|_| self.sheet.is_none())).map_err(unreadable)
    }

    fn bytes(&self, counter: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, IngestError> {
        let mut file = self.file()?;
        let unreadable = |source| IngestError::FileUnreadable { file: self.name.to_string(), source };
        let mut magic = [0; 4];
        let read = file.read(&mut magic).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: file, counters: [Arc::clone(counter), Arc::clone(&taken)] };
        if magic[..read].starts_with(GZIP) {
            let inner = flate2::bufread::MultiGzDecoder::new(BufReader::new(counted));
            return Ok(Box::new(Decompressed { inner, taken, given: 0 }));
        }
        if magic[..read].starts_with(ZSTD) {
            let inner = zstd::stream::read::Decoder::new(counted)
                .map_err(|source| IngestError::Decompression { file: self.name.to_string(), source })?;
            return Ok(Box::new(Decompressed { inner, taken, given: 0 }));
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

/// Whether a file's ending tells a format that can be loaded.
pub fn is_known(path: &Path) -> bool {
    let file = path.display().to_string();
    is_workbook(&file) || format_of(&file).is_some()
}

fn is_workbook(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    file.ends_with(".xlsx") || file.ends_with(".xlsm")
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
    counters: [Arc<AtomicU64>; 2],
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for counter in &self.counters {
            counter.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

/// A compressed stream, whose errors say that it is corrupt, and which ends where it grows beyond all measure.
struct Decompressed<R> {
    inner: R,
    /// Compressed bytes that went in.
    taken: Arc<AtomicU64>,
    given: u64,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self
            .inner
            .read(buffer)
            .map_err(|error| io::Error::new(error.kind(), format!("corrupt compressed data: {error}")))?;
        self.given += read as u64;
        let taken = self.taken.load(Ordering::Relaxed);
        if self.given > EXPANDED_BYTES_FREE && self.given / taken.max(1) > EXPANSION_MAX {
            let text = format!(
                "its compressed data grow to more than {EXPANSION_MAX} times their size; if that is right, decompress it first"
            );
            return Err(io::Error::other(text));
        }
        Ok(read)
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
            Input::find(&path).unwrap()[0].text(&Arc::default()).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text, "{path:?}");
        }
    }

    #[test]
    fn a_compressed_file_that_grows_beyond_measure_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let row = vec![b'x'; 1 << 20];
        let gzip = folder.path().join("a.csv.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&gzip).unwrap(), flate2::Compression::default());
        (0..300).for_each(|_| encoder.write_all(&row).unwrap());
        encoder.finish().unwrap();
        let zst = folder.path().join("a.csv.zst");
        let mut encoder = zstd::stream::write::Encoder::new(File::create(&zst).unwrap(), 1).unwrap();
        (0..300).for_each(|_| encoder.write_all(&row).unwrap());
        encoder.finish().unwrap();
        for path in [gzip, zst] {
            let mut text = Input::find(&path).unwrap()[0].text(&Arc::default()).unwrap();
            let error = io::copy(&mut text, &mut io::sink()).unwrap_err().to_string();
            assert!(
                error.starts_with("its compressed data grow to more than 200 times their size"),
                "{path:?}: {error}"
            );
        }
    }

    #[test]
    fn a_file_that_is_absent_or_of_no_known_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.doc");
        assert!(matches!(Input::find(&path), Err(IngestError::FileAbsent { .. })));
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(Input::find(&path), Err(IngestError::FormatUnknown { .. })));
    }
}
