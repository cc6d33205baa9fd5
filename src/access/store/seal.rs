//! A record on its way to disk: one line of JSON, sealed by a checksum. A log chains its lines: each record names the hash
//! of the one before, so that none can be taken out, changed or moved without a trace.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const HEAD: &str = "{\"crc32c\":\"";
const MIDDLE: &str = "\",\"record\":";
const TAIL: &str = "}\n";

/// The line of a record, with its end.
pub fn seal<T: Serialize>(record: &T) -> Result<String, serde_json::Error> {
    let body = serde_json::to_string(record)?;
    Ok(format!("{HEAD}{:08x}{MIDDLE}{body}{TAIL}", crc32c::crc32c(body.as_bytes())))
}

/// None where the bytes are not exactly what [`seal`] wrote, or of a later program.
pub fn open<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(line).ok()?;
    let (checksum, rest) = text.strip_prefix(HEAD)?.split_at_checked(8)?;
    let body = rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
    if format!("{:08x}", crc32c::crc32c(body.as_bytes())) != checksum {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// What the next record names this line by: its SHA-256 in hex.
pub fn hash(line: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]].map(char::from);
    Sha256::digest(line).iter().flat_map(digits).collect()
}
