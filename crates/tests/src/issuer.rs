//! Issues tokens as an identity provider does, so that a gateway can be asked what it makes of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

/// A bcrypt hash of `secret`, of cost 8.
pub const BCRYPT_OF_SECRET: &str = "$2b$08$abcdefghijklmnopqrstuuKxCcvB7KZ7.BpDoK0bh6qM7Dl1/xiJa";

/// An issuer with one Ed25519 key.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    key_id: String,
    key: KeyPair,
}

impl Issuer {
    /// An issuer with a key of its own.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new(name: &str) -> Issuer {
        Issuer::with_key(name, "one")
    }

    /// The same, with a name for its key.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn with_key(name: &str, key_id: &str) -> Issuer {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        Issuer { name: name.to_owned(), key_id: key_id.to_owned(), key }
    }

    /// Its public keys (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        let key = URL_SAFE_NO_PAD.encode(self.key.der_bytes());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": self.key_id, "use": "sig", "x": key }] })
            .to_string()
    }

    /// A token with these claims, and `iss` and `exp` where they say nothing of them.
    ///
    /// # Panics
    /// When nothing can be signed.
    #[must_use]
    pub fn token(&self, claims: Value) -> String {
        let mut all = json!({ "iss": self.name, "exp": 4_000_000_000_u64 });
        if let (Value::Object(all), Value::Object(claims)) = (&mut all, claims) {
            all.extend(claims);
        }
        let head = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.key_id });
        let head = URL_SAFE_NO_PAD.encode(head.to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(all.to_string()));
        let seal = self.key.sign(signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(seal))
    }
}
