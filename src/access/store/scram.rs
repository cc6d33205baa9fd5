//! Passwords as SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677), in the text form that PostgreSQL stores.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What PostgreSQL uses too.
pub const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
const PREFIX: &str = "SCRAM-SHA-256$";

/// What a server must keep to check a password without knowing it. `Display` is the stored form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Verifier {
    /// From a plain password, with a random salt.
    pub fn from_password(password: &str) -> Self {
        Self::salted(password.as_bytes(), &rand::random::<[u8; SALT_BYTES]>(), ITERATIONS)
    }

    /// From what CREATE ROLE was given: a ready verifier is taken as it is.
    pub fn from_password_or_verifier(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self::from_password(text))
    }

    /// With a salt of the caller's choice.
    pub fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let mut salted_password = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted_password);
        let client_key = hmac_sha256(&salted_password, b"Client Key");
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac_sha256(&salted_password, b"Server Key"),
        }
    }

    /// What a user that does not exist is answered with: always the same for one name, and no password fits it.
    pub fn fake(secret: &[u8], user: &str) -> Self {
        let key: [u8; 32] = Sha256::digest(secret).into();
        let derive = |purpose: &str| hmac_sha256(&key, format!("{purpose}\0{user}").as_bytes());
        Self {
            iterations: ITERATIONS,
            salt: derive("salt").iter().take(SALT_BYTES).copied().collect(),
            stored_key: derive("stored"),
            server_key: derive("server"),
        }
    }

    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether the client's proof over the exchanged messages shows that it knows the password.
    pub fn accepts(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let signature = hmac_sha256(&self.stored_key, auth_message);
        if proof.len() != signature.len() {
            return false;
        }
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(proof, byte)| proof ^ byte).collect();
        Sha256::digest(client_key).ct_eq(&self.stored_key).into()
    }

    /// What the server proves itself with.
    pub fn server_signature(&self, auth_message: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.server_key, auth_message)
    }

    /// Whether this is the password: for logins that send it, as the web does.
    pub fn matches(&self, password: &str) -> bool {
        let other = Self::salted(password.as_bytes(), &self.salt, self.iterations);
        self.stored_key.ct_eq(&other.stored_key).into()
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let iterations = iterations.parse().ok().filter(|count| (1..=1_000_000).contains(count))?;
        Some(Self { iterations, salt: STANDARD.decode(salt).ok()?, stored_key: key(stored)?, server_key: key(server)? })
    }
}

fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] = [&self.salt[..], &self.stored_key, &self.server_key].map(|b| STANDARD.encode(b));
        write!(f, "{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

impl From<Verifier> for String {
    fn from(verifier: Verifier) -> Self {
        verifier.to_string()
    }
}

impl TryFrom<String> for Verifier {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a SCRAM-SHA-256 verifier")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: user "user", password "pencil".
    fn rfc_7677() -> (Verifier, Vec<u8>) {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
                       r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                       c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        (Verifier::salted(b"pencil", &salt, 4096), message.as_bytes().to_vec())
    }

    #[test]
    fn the_exchange_of_rfc_7677_is_accepted() {
        let (verifier, message) = rfc_7677();
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        assert!(verifier.accepts(&message, &proof));
        let signature = STANDARD.encode(verifier.server_signature(&message));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn another_proof_is_refused() {
        let (verifier, message) = rfc_7677();
        assert!(!verifier.accepts(&message, &[0; 32]));
        assert!(!verifier.accepts(&message, b"short"));
        assert!(verifier.matches("pencil"));
        assert!(!verifier.matches("Pencil"));
    }

    #[test]
    fn a_verifier_survives_its_text() {
        let verifier = Verifier::from_password("门店-7");
        assert_eq!(Verifier::from_password_or_verifier(&verifier.to_string()), verifier);
        assert!(Verifier::try_from("SCRAM-SHA-256$0:AA==$AA==:AA==".to_string()).is_err());
    }

    #[test]
    fn a_fake_verifier_is_stable_and_keyed() {
        assert_eq!(Verifier::fake(b"s", "bob"), Verifier::fake(b"s", "bob"));
        assert_ne!(Verifier::fake(b"s", "bob").salt(), Verifier::fake(b"s", "rob").salt());
        assert_ne!(Verifier::fake(b"s", "bob").salt(), Verifier::fake(b"t", "bob").salt());
    }

    #[test]
    fn a_verifier_does_not_show_itself() {
        assert_eq!(format!("{:?}", Verifier::from_password("x")), "Verifier(..)");
    }
}
