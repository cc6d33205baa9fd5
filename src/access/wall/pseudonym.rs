//! `pseudonym(value, domain)`: what a mask may show in the place of a personal value. Equal values show equal tokens, so that
//! joins, groups and counts keep their meaning; without the lake's key no value can be tried against a token.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_string_array;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::error::AccessError;
use super::environment::external;

/// Of a SHA-256, how much a token shows: 128 bits, in hexadecimal digits.
const TOKEN_BYTES: usize = 16;

/// The lake's secret behind its tokens.
#[derive(Clone)]
pub struct PseudonymKey {
    mac: Hmac<Sha256>,
}

impl PseudonymKey {
    pub const BYTES: usize = 32;

    pub fn new(secret: [u8; Self::BYTES]) -> Self {
        // The block of SHA-256 is longer than the secret, which HMAC fills up with zeros.
        let mut block = [0; 64];
        block[..Self::BYTES].copy_from_slice(&secret);
        Self { mac: <Hmac<Sha256> as KeyInit>::new(&block.into()) }
    }

    /// The first 128 bits of HMAC-SHA-256 over the domain, a zero byte and the value.
    fn token(&self, domain: &str, value: &str) -> String {
        let code = self.code(&[domain.as_bytes(), &[0], value.as_bytes()]);
        code.iter().take(TOKEN_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PseudonymKey").finish_non_exhaustive()
    }
}

/// Text and a constant domain in, 32 hexadecimal digits out; null where the value is null. With a key it belongs behind the
/// wall; without one it can be planned, so that a mask can be checked, and refuses to run.
#[derive(Debug)]
pub struct Pseudonym {
    key: Option<PseudonymKey>,
    signature: Signature,
}

impl Pseudonym {
    pub const NAME: &'static str = "pseudonym";

    pub fn with_key(key: PseudonymKey) -> Self {
        Self { key: Some(key), ..Self::without_key() }
    }

    pub fn without_key() -> Self {
        Self { key: None, signature: Signature::user_defined(Volatility::Stable) }
    }

    /// What whoever calls it without being a mask is told.
    pub fn refusal() -> AccessError {
        AccessError::Denied { kind: "function", name: Self::NAME.to_owned() }
    }
}

/// One of each kind is known to a plan.
impl PartialEq for Pseudonym {
    fn eq(&self, other: &Self) -> bool {
        self.key.is_some() == other.key.is_some()
    }
}

impl Eq for Pseudonym {}

impl Hash for Pseudonym {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.is_some().hash(state);
    }
}

impl ScalarUDFImpl for Pseudonym {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [value, domain] if is_text(value) && is_text(domain) => Ok(given.to_vec()),
            _ => plan_err!("pseudonym: takes a text and a constant domain; cast other values to text"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        domain(args.scalar_arguments.get(1).copied().flatten())?;
        Ok(Arc::new(Field::new(Self::NAME, DataType::Utf8, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(key) = &self.key else { return Err(external(Self::refusal())) };
        let [value, given] = args.args.as_slice() else { return plan_err!("pseudonym: takes a text and a domain") };
        let domain = match given {
            ColumnarValue::Scalar(given) => domain(Some(given))?,
            ColumnarValue::Array(_) => domain(None)?,
        };
        let values = cast(&value.to_array(args.number_rows)?, &DataType::Utf8)?;
        let tokens = as_string_array(&values)?.iter().map(|value| value.map(|value| key.token(domain, value)));
        Ok(ColumnarValue::Array(Arc::new(tokens.collect::<StringArray>())))
    }
}

/// Constant, so that nobody's row chooses it, and without the byte that ends it.
fn domain(given: Option<&ScalarValue>) -> Result<&str> {
    match given.and_then(ScalarValue::try_as_str).flatten() {
        Some(domain) if !domain.is_empty() && !domain.contains('\0') => Ok(domain),
        _ => plan_err!("pseudonym: the domain must be a constant text"),
    }
}

fn is_text(of: &DataType) -> bool {
    match of {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Keys of RFC 4231 that are shorter than 32 bytes, filled up with zeros as HMAC itself does.
    fn filled(key: &[u8]) -> PseudonymKey {
        let mut secret = [0; PseudonymKey::BYTES];
        secret[..key.len()].copy_from_slice(key);
        PseudonymKey::new(secret)
    }

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 4] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &(1..=25).collect::<Vec<u8>>(),
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
        ];
        for (key, message, code) in cases {
            assert_eq!(hex(&filled(key).code(&[message])), code);
        }
    }

    /// Computed with Python: hmac.new(bytes(range(32)), domain + b'\0' + value, 'sha256').hexdigest()[:32].
    #[test]
    fn a_token_is_the_code_of_domain_and_value() {
        let key = PseudonymKey::new(std::array::from_fn(|index| u8::try_from(index).unwrap()));
        for (value, domain, token) in EXPECTED {
            assert_eq!(key.token(domain, value), token);
        }
    }

    const EXPECTED: [(&str, &str, &str); 4] = [
        ("13812345678", "phone", "9b555e3e923c5d388cd157305738ad7d"),
        ("13812345678", "mail", "0ba53d8060f4b932860db5f08f20faff"),
        ("小红", "name", "824019456224404801ba69f4e228985a"),
        ("", "phone", "28f942173d96b5385d3208e89ebc10c4"),
    ];

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", PseudonymKey::new([7; 32])), "PseudonymKey { .. }");
    }

    #[test]
    fn a_domain_is_a_constant_text() {
        assert_eq!(domain(Some(&ScalarValue::from("phone"))).unwrap(), "phone");
        for refused in [None, Some(ScalarValue::Utf8(None)), Some("".into()), Some("a\0b".into()), Some(1.into())] {
            let told = domain(refused.as_ref()).unwrap_err().to_string();
            assert!(told.ends_with("pseudonym: the domain must be a constant text"), "{told}");
        }
    }
}
