//! What is kept of a credential instead of its text.
//!
//! A table of keys is worth stealing; a table of fingerprints is not: without the pepper nobody can even try guesses
//! against it. 128 bits are enough because a fingerprint is looked up, not forged: whoever presents a credential must
//! know a text, and the key of the hash is ours.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};

/// The first 128 bits of HMAC-SHA-256 (RFC 2104) under the pepper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

/// The key of all fingerprints of one installation, ready to be used.
#[derive(Clone)]
pub struct Pepper {
    bytes: Box<[u8]>,
    key: hmac::Key,
}

/// Length of a pepper that we make, in bytes: as long as the hash is wide.
pub const PEPPER_BYTES: usize = 32;

impl Pepper {
    /// A pepper from its secret bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Pepper {
        Pepper { bytes: bytes.into(), key: hmac::Key::new(hmac::HMAC_SHA256, bytes) }
    }

    /// The secret bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The fingerprint of an API key, as its bearer wrote it. Allocates nothing.
    #[must_use]
    pub fn api_key(&self, text: &[u8]) -> Fingerprint {
        self.over(&[text])
    }

    /// The fingerprint of a mesh identity.
    #[must_use]
    pub fn spiffe(&self, id: &str) -> Fingerprint {
        self.over(&[b"spiffe:", id.as_bytes()])
    }

    /// The fingerprint of a client certificate, from the SHA-256 of its DER.
    #[must_use]
    pub fn certificate(&self, sha256: &[u8; 32]) -> Fingerprint {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(sha256) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        self.over(&[b"cert:", &digits])
    }

    fn over(&self, parts: &[&[u8]]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(part);
        }
        let mut first = [0; 16];
        for (to, from) in first.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        Fingerprint(first)
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Fingerprint {
    /// Whether two fingerprints are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Fingerprint) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Thirty-two hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl PartialEq for Pepper {
    fn eq(&self, other: &Pepper) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Pepper {}

/// It says that there is one, and never which.
impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_first_half_of_the_standard_hash() {
        // RFC 4231, test case 2.
        let pepper = Pepper::new(b"Jefe");

        assert_eq!(
            pepper.api_key(b"what do ya want for nothing?").to_hex(),
            "5bdcc146bf60754e6a042426089575c7"
        );
    }

    #[test]
    fn another_pepper_and_another_kind_of_credential_give_another_fingerprint() {
        let (one, other) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        let id = "spiffe://bank.example/ns/trade/sa/desk";

        assert_ne!(one.api_key(b"key"), other.api_key(b"key"));
        assert_ne!(one.spiffe(id), one.api_key(id.as_bytes()));
        assert_eq!(one.spiffe(id), one.api_key(format!("spiffe:{id}").as_bytes()));
        assert_eq!(one.certificate(&[0xab; 32]), one.api_key(format!("cert:{}", "ab".repeat(32)).as_bytes()));
    }

    #[test]
    fn a_pepper_is_not_shown_by_accident() {
        assert_eq!(format!("{:?}", Pepper::new(b"secret")), "Pepper(…)");
    }

    #[test]
    fn comparing_in_constant_time_agrees_with_comparing() {
        let one = Pepper::new(&[1; 32]).api_key(b"key");
        let mut other = one;

        assert!(one.is(&other));
        for at in 0..16 {
            other.0[at] ^= 1;
            assert!(!one.is(&other));
            other.0[at] ^= 1;
        }
    }
}
