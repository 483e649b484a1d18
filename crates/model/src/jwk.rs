//! Sets of public keys as issuers publish them (JSON Web Key, RFC 7517 and RFC 7518 section 6).
//!
//! A key says for which algorithm it is, by its `alg` or by what it is made of; a token is never asked. Symmetric keys
//! are no part of a set that may be published, and are left out like every key that cannot be used: an issuer may have
//! keys for encryption, or of kinds that are newer than this program.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::violation::Problem;

/// Most keys of a set. Past it the set is refused.
pub const KEYS_MAX: usize = 64;
/// Most bits of an RSA modulus. Past it the key is left out: verifying would take too long.
pub const RSA_BITS_MAX: usize = 8192;
/// Least bits of an RSA modulus (RFC 7518 section 3.3).
pub const RSA_BITS_MIN: usize = 2048;
/// Longest key identifier, in bytes. Past it the key is left out.
pub const KEY_ID_BYTES_MAX: usize = 256;

/// How a signature is made (RFC 7518 section 3.1, RFC 8037, RFC 9864).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Algorithm {
    const ALL: [(&'static str, Algorithm); 11] = [
        ("RS256", Algorithm::Rs256),
        ("RS384", Algorithm::Rs384),
        ("RS512", Algorithm::Rs512),
        ("PS256", Algorithm::Ps256),
        ("PS384", Algorithm::Ps384),
        ("PS512", Algorithm::Ps512),
        ("ES256", Algorithm::Es256),
        ("ES384", Algorithm::Es384),
        ("ES512", Algorithm::Es512),
        ("EdDSA", Algorithm::EdDsa),
        ("Ed25519", Algorithm::EdDsa),
    ];

    /// The algorithm with a name; `None` for `none`, for those with shared secrets, and for others.
    #[must_use]
    pub fn find(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }
}

/// What a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// RSA.
    Rsa {
        /// The modulus, big-endian, without leading zeros.
        modulus: Box<[u8]>,
        /// The exponent, likewise.
        exponent: Box<[u8]>,
    },
    /// A point of a curve: 4, then both coordinates (SEC 1 section 2.3.3).
    Point(Box<[u8]>),
    /// An Ed25519 key.
    Edwards([u8; 32]),
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its identifier.
    pub id: Option<Arc<str>>,
    /// What it may verify.
    pub algorithms: Box<[Algorithm]>,
    /// The key itself.
    pub material: Material,
}

/// A set of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    /// Those that can be used.
    pub keys: Box<[Key]>,
}

impl KeySet {
    /// Keys that may have signed a token with this header. A token that names a key is verified by that one.
    pub fn candidates<'k>(
        &'k self,
        id: Option<&'k str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k Key> {
        let named = move |key: &&Key| match (id, key.id.as_deref()) {
            (Some(wanted), Some(id)) => wanted == id,
            (None, _) | (Some(_), None) => true,
        };
        self.keys.iter().filter(named).filter(move |key| key.algorithms.contains(&algorithm))
    }

    /// Whether some key has this identifier.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl FromStr for KeySet {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |why: String| {
            Problem::new(format!("is no set of keys (RFC 7517): {why}"))
                .remedy("it looks like `{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", …}]}`")
        };
        let value: Value = serde_json::from_str(text).map_err(|fault| wrong(fault.to_string()))?;
        let keys =
            value.get("keys").and_then(Value::as_array).ok_or_else(|| wrong("it has no `keys`".into()))?;
        if keys.len() > KEYS_MAX {
            return Err(wrong(format!("it has {} keys, and {KEYS_MAX} are read", keys.len())));
        }
        let mut unusable: Vec<String> = Vec::new();
        let mut usable = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match key.as_object().ok_or("it is no object").and_then(read) {
                Ok(key) => usable.push(key),
                Err(why) => unusable.push(format!("keys[{at}]: {why}")),
            }
        }
        if usable.is_empty() {
            unusable.truncate(4);
            let why = if unusable.is_empty() { "it is empty".to_owned() } else { unusable.join("; ") };
            return Err(wrong(format!("no key of it can be used: {why}")));
        }
        Ok(KeySet { keys: usable.into() })
    }
}

fn read(key: &Map<String, Value>) -> Result<Key, &'static str> {
    if key.get("use").is_some_and(|used| used != "sig") {
        return Err("it is not for signatures");
    }
    if let Some(operations) = key.get("key_ops") {
        let verifies = operations.as_array().is_some_and(|list| list.iter().any(|each| each == "verify"));
        if !verifies {
            return Err("its `key_ops` does not say `verify`");
        }
    }
    if key.contains_key("d") || key.contains_key("k") {
        return Err("it is a private or a shared key, which has no place here");
    }
    let (material, possible) = material(key)?;
    let algorithms = match key.get("alg") {
        None => possible.into(),
        Some(name) => {
            let said = name.as_str().and_then(Algorithm::find).filter(|said| possible.contains(said));
            [said.ok_or("its `alg` is not one that such a key can have")?].into()
        }
    };
    let id = match key.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= KEY_ID_BYTES_MAX => Some(id.as_str().into()),
        Some(_) => return Err("its `kid` is no text, or too long"),
    };
    Ok(Key { id, algorithms, material })
}

fn material(key: &Map<String, Value>) -> Result<(Material, &'static [Algorithm]), &'static str> {
    let word = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(word(name)).map_err(|_| "a part of it is not base64url");
    match (word("kty"), word("crv")) {
        ("RSA", _) => {
            let trimmed =
                |number: Vec<u8>| -> Box<[u8]> { number.into_iter().skip_while(|byte| *byte == 0).collect() };
            let (modulus, exponent) = (trimmed(bytes("n")?), trimmed(bytes("e")?));
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
                return Err("its modulus has fewer than 2048 or more than 8192 bits");
            }
            let odd = exponent.last().is_some_and(|last| last % 2 == 1);
            if exponent.len() > 4 || !odd || *exponent == [1] {
                return Err("its exponent is even, 1, or larger than 32 bits");
            }
            Ok((Material::Rsa { modulus, exponent }, &RSA))
        }
        ("EC", "P-256") => point(bytes("x")?, bytes("y")?, 32).map(|point| (point, &[Algorithm::Es256][..])),
        ("EC", "P-384") => point(bytes("x")?, bytes("y")?, 48).map(|point| (point, &[Algorithm::Es384][..])),
        ("EC", "P-521") => point(bytes("x")?, bytes("y")?, 66).map(|point| (point, &[Algorithm::Es512][..])),
        ("OKP", "Ed25519") => {
            let key = bytes("x")?.try_into().map_err(|_| "its `x` is not of 32 bytes")?;
            Ok((Material::Edwards(key), &[Algorithm::EdDsa]))
        }
        _ => Err("keys of its kind are not used"),
    }
}

const RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

fn point(x: Vec<u8>, y: Vec<u8>, width: usize) -> Result<Material, &'static str> {
    if x.len() != width || y.len() != width {
        return Err("its coordinates have not the width of its curve");
    }
    Ok(Material::Point([&[4][..], &x, &y].concat().into()))
}

impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn set(keys: &str) -> Result<KeySet, Problem> {
        format!("{{\"keys\": [{keys}]}}").parse()
    }

    #[test]
    fn a_key_says_for_which_algorithms_it_is() {
        let keys = set(&format!(
            r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","kid":"a"}},
               {{"kty":"OKP","crv":"Ed25519","x":"{X}"}}, {{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","use":"enc"}}"#
        ))
        .expect("keys");

        assert_eq!(keys.keys.len(), 2);
        assert_eq!(keys.candidates(Some("a"), Algorithm::Es256).count(), 1);
        assert_eq!(keys.candidates(Some("a"), Algorithm::Rs256).count(), 0);
        assert_eq!(keys.candidates(Some("b"), Algorithm::Es256).count(), 0);
        // A key without identifier may be meant by any.
        assert_eq!(keys.candidates(Some("b"), Algorithm::EdDsa).count(), 1);
    }

    #[test]
    fn keys_that_must_not_verify_are_left_out() {
        let big = "_".repeat(2732); // 16 k bits
        for key in [
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"AAAA"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","alg":"HS256"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","alg":"none"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","d":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}","key_ops":["sign"]}}"#),
            format!(r#"{{"kty":"RSA","n":"{big}","e":"AQAB"}}"#),
            r#"{"kty":"RSA","n":"____","e":"AQAB"}"#.to_owned(),
            "3".to_owned(),
        ] {
            let problem = set(&key).expect_err(&key);
            assert!(problem.to_string().contains("no key of it can be used"), "{problem}");
        }
        assert!(KeySet::from_str("<html>").is_err());
        assert!(KeySet::from_str("{\"keys\": []}").is_err());
    }
}
