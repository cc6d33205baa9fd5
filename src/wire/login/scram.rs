//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), over stored verifiers: no password is ever here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The mechanisms by their registered names.
pub const MECHANISM: &str = "SCRAM-SHA-256";
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

const NONCE_BYTES: usize = 18;

/// What is stored of a password.
#[derive(Clone)]
pub struct ScramVerifier {
    pub salt: Vec<u8>,
    pub iterations: u32,
    /// SHA-256 of the client key.
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl ScramVerifier {
    /// The verifier of `password`, with PBKDF2 over HMAC-SHA-256.
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations);
        let client_key = hmac(&salted, b"Client Key");
        let stored_key = Sha256::digest(client_key).into();
        Self { salt: salt.to_vec(), iterations, stored_key, server_key: hmac(&salted, b"Server Key") }
    }
}

/// Why an exchange ends without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    #[error("malformed SCRAM message")]
    Malformed,
    #[error("SCRAM channel binding does not match")]
    Binding,
    #[error("the password is wrong")]
    Proof,
}

/// What binds an exchange to its TLS connection.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// The client chose the mechanism without binding; `offered` tells whether it could have chosen the other.
    Without { offered: bool },
    /// The hash of the server's certificate (`tls-server-end-point`, RFC 5929).
    Certificate(&'a [u8]),
}

/// An exchange after the client's first message.
pub struct Exchange {
    verifier: ScramVerifier,
    client_first_bare: String,
    server_first: String,
    nonce: String,
    /// What `c=` of the final message must be.
    binding: Vec<u8>,
}

impl Exchange {
    /// Takes the client's first message. The server's answer is [`Exchange::server_first`].
    pub fn begin(client_first: &str, verifier: ScramVerifier, binding: Binding<'_>) -> Result<Self, ScramError> {
        let random: [u8; NONCE_BYTES] = rand::rng().random();
        Self::with_nonce(client_first, verifier, binding, &BASE64.encode(random))
    }

    fn with_nonce(
        client_first: &str,
        verifier: ScramVerifier,
        binding: Binding<'_>,
        server_nonce: &str,
    ) -> Result<Self, ScramError> {
        let mut parts = client_first.splitn(3, ',');
        let (Some(flag), Some(authorization), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ScramError::Malformed);
        };
        check_flag(flag, binding)?;
        // An identity other than the login's own is not taken.
        if !authorization.is_empty() {
            return Err(ScramError::Malformed);
        }
        let mut attributes = bare.split(',');
        let (Some(_), Some(client_nonce)) = (
            attributes.next().filter(|name| name.starts_with("n=")),
            attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).filter(|nonce| !nonce.is_empty()),
        ) else {
            return Err(ScramError::Malformed);
        };
        let nonce = format!("{client_nonce}{server_nonce}");
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let mut expected = format!("{flag},,").into_bytes();
        if let Binding::Certificate(hash) = binding {
            expected.extend_from_slice(hash);
        }
        Ok(Self { verifier, client_first_bare: bare.to_owned(), server_first, nonce, binding: expected })
    }

    pub fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Takes the client's final message; gives the server's, where the proof is right.
    pub fn finish(self, client_final: &str) -> Result<String, ScramError> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|text| text.strip_prefix("c=")).ok_or(ScramError::Malformed)?;
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        if BASE64.decode(binding).map_err(|_| ScramError::Malformed)? != self.binding {
            return Err(ScramError::Binding);
        }
        if nonce != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof = BASE64.decode(proof).map_err(|_| ScramError::Malformed)?;
        let proof: [u8; 32] = proof.try_into().map_err(|_| ScramError::Malformed)?;
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = hmac(&self.verifier.stored_key, message.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(key, mask)| *key ^= mask);
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        if !bool::from(stored.ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::Proof);
        }
        Ok(format!("v={}", BASE64.encode(hmac(&self.verifier.server_key, message.as_bytes()))))
    }
}

/// The flag says what the client knows of binding; one that believes the server cannot, where it can, was lied to.
fn check_flag(flag: &str, binding: Binding<'_>) -> Result<(), ScramError> {
    match (flag, binding) {
        ("n", Binding::Without { .. }) | ("y", Binding::Without { offered: false }) => Ok(()),
        ("p=tls-server-end-point", Binding::Certificate(_)) => Ok(()),
        ("y", Binding::Without { offered: true }) => Err(ScramError::Binding),
        _ => Err(ScramError::Malformed),
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length: the error never comes.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // The exchange that RFC 7677, section 3, gives.
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CLIENT_FINAL: &str =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn exchange(password: &str) -> Exchange {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = ScramVerifier::derive(password, &salt, 4096);
        Exchange::with_nonce(CLIENT_FIRST, verifier, Binding::Without { offered: false }, SERVER_NONCE).unwrap()
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_as_printed() {
        let exchange = exchange("pencil");
        assert_eq!(
            exchange.server_first(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        assert_eq!(exchange.finish(CLIENT_FINAL).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn another_password_gives_no_login() {
        assert_eq!(exchange("pencils").finish(CLIENT_FINAL), Err(ScramError::Proof));
    }

    #[test]
    fn a_changed_nonce_or_binding_gives_no_login() {
        let nonce = CLIENT_FINAL.replace("k0,p", "k1,p");
        assert_eq!(exchange("pencil").finish(&nonce), Err(ScramError::Malformed));
        let binding = CLIENT_FINAL.replace("c=biws", "c=eSws");
        assert_eq!(exchange("pencil").finish(&binding), Err(ScramError::Binding));
    }

    #[test]
    fn a_client_that_was_told_of_no_binding_is_refused_where_it_was_offered() {
        assert_eq!(check_flag("y", Binding::Without { offered: true }), Err(ScramError::Binding));
        assert_eq!(
            check_flag("p=tls-server-end-point", Binding::Without { offered: true }),
            Err(ScramError::Malformed)
        );
    }

    #[test]
    fn another_identity_and_garbage_are_refused() {
        for first in ["", "n,,", "n,a=admin,n=user,r=x", "x,,n=user,r=x", "n,,n=user,r=", "n,,m=1,n=user,r=x"] {
            let verifier = ScramVerifier::derive("pencil", b"salt", 1);
            assert!(Exchange::begin(first, verifier, Binding::Without { offered: false }).is_err(), "{first}");
        }
    }
}
