//! The lake's secret, and the keyed hash by which it knows identifiers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::error::IngestError;
use super::normal::normal;
use crate::error::Result;
use crate::lake::Store;

const PATH: &str = "secrets/identity.key";
const KEY_BYTES: usize = 32;

/// An identifier as the lake knows it: the first 128 bits of HMAC-SHA256 over its type, a zero byte and its normal form.
/// Without the lake's secret a value cannot be tried against it.
pub type Hashed = u128;

/// Hashes identifiers. All types are hashed: an account name is as personal as a phone number.
#[derive(Clone)]
pub struct IdentityKey {
    mac: Hmac<Sha256>,
}

impl IdentityKey {
    pub fn new(secret: &[u8]) -> Result<Self> {
        if secret.len() != KEY_BYTES {
            return Err(IngestError::IdentityKeyDamaged.into());
        }
        let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| IngestError::IdentityKeyDamaged)?;
        Ok(Self { mac })
    }

    /// The lake's key; `None` where it has none yet.
    pub async fn open(store: &Store) -> Result<Option<Self>> {
        store.get(PATH).await?.map(|secret| Self::new(&secret)).transpose()
    }

    /// The lake's key, made where it has none.
    pub async fn create(store: &Store) -> Result<Self> {
        let secret: [u8; KEY_BYTES] = rand::random();
        store.put_if_absent(PATH, Bytes::copy_from_slice(&secret)).await?;
        Self::open(store).await?.ok_or_else(|| IngestError::IdentityKeyAbsent.into())
    }

    /// The hash of an identifier as it stands in a file; `None` where it identifies nobody.
    pub fn hashed(&self, id_type: &str, text: &str) -> Option<Hashed> {
        let normal = normal(id_type, text)?;
        let mut mac = self.mac.clone();
        mac.update(id_type.as_bytes());
        mac.update(&[0]);
        mac.update(normal.as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.first_chunk().map(|first| Hashed::from_be_bytes(*first))
    }
}

/// A map by hashed identifiers.
pub type ByHash<V> = HashMap<Hashed, V, BuildHasherDefault<AsItIs>>;

/// Takes a hash for what it is: nobody without the lake's secret can choose it.
#[derive(Debug, Default, Clone, Copy)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A hash as it stands in `identities.id_value`: 32 hexadecimal digits.
pub fn shown(hash: Hashed) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |place: u32| char::from(DIGITS[(hash >> (124 - 4 * place)) as usize & 0xF]);
    (0..32).map(digit).collect()
}

/// The hash that [`shown`] wrote.
pub fn parsed(text: &str) -> Option<Hashed> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    digits.iter().try_fold(0, |hash: Hashed, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(hash << 4 | Hashed::from(value))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// Computed with Python: hmac.new(bytes(range(32)), b'phone\0' + b'13812345678', 'sha256').hexdigest()[:32].
    #[test]
    fn the_hash_is_hmac_sha256_of_type_and_normal_form() {
        let key = IdentityKey::new(&(0..32).collect::<Vec<u8>>()).unwrap();
        let hash = key.hashed("phone", "+86 138 1234 5678").unwrap();
        assert_eq!(shown(hash), EXPECTED);
        assert_eq!(parsed(EXPECTED), Some(hash));
        assert_ne!(key.hashed("member", "13812345678"), Some(hash));
        assert_eq!(key.hashed("phone", "138****5678"), None);
    }

    const EXPECTED: &str = "9b555e3e923c5d388cd157305738ad7d";
}
