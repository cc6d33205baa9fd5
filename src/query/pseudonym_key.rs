//! The lake's key of pseudonyms: made once, kept beside the key of identities, told to the wall alone.

use bytes::Bytes;

use crate::access::{Pseudonym, PseudonymKey, SecuritySnapshot};
use crate::error::{Error, Reason, Result};
use crate::lake::Store;

const PATH: &str = "secrets/pseudonym.key";

/// The key, made where the lake has none. An error where masks use one that is gone: under a new one their tokens would be
/// others, and nobody would notice.
pub async fn pseudonym_key(store: &Store, security: &SecuritySnapshot) -> Result<PseudonymKey> {
    if store.get(PATH).await?.is_none() {
        if is_used(security) {
            return Err(lost("missing"));
        }
        let secret: [u8; PseudonymKey::BYTES] = rand::random();
        store.put_if_absent(PATH, Bytes::copy_from_slice(&secret)).await?;
    }
    let secret = store.get(PATH).await?.ok_or_else(|| lost("missing"))?;
    let secret = <[u8; PseudonymKey::BYTES]>::try_from(secret.as_ref()).map_err(|_| lost("damaged"))?;
    Ok(PseudonymKey::new(secret))
}

fn is_used(security: &SecuritySnapshot) -> bool {
    let mut masks = security.relations().flat_map(|(_, relation)| relation.masks.values());
    masks.any(|mask| mask.expression.to_ascii_lowercase().contains(Pseudonym::NAME))
}

fn lost(how: &str) -> Error {
    Error::new(Reason::Corrupt, format!("the key of pseudonyms is {how}"))
        .with_hint(format!("restore {PATH} of the lake from a backup"))
}
