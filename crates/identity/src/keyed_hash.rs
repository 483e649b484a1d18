//! Names for secrets that have been verified once, so that they need not be kept.
//!
//! A cache of verified credentials must not hold the credentials, and nobody may find another text with the name of a
//! verified one. So they are called by an HMAC with a key that lives as long as the process.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Gives names.
pub struct KeyedHash(hmac::Key);

/// A name.
pub type HashName = [u8; 32];

impl KeyedHash {
    /// With a key of its own.
    ///
    /// # Panics
    /// When the system has no random numbers.
    #[must_use]
    pub fn new() -> KeyedHash {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).expect("random numbers of the system");
        KeyedHash(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The name of some parts in this order.
    #[must_use]
    pub fn name<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> HashName {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut name = [0; 32];
        name.copy_from_slice(context.sign().as_ref());
        name
    }
}

impl Default for KeyedHash {
    fn default() -> Self {
        KeyedHash::new()
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedHash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_and_another_process_gives_other_names() {
        let (one, other) = (KeyedHash::new(), KeyedHash::new());

        assert_eq!(one.name([&b"ab"[..], b"c"]), one.name([&b"ab"[..], b"c"]));
        assert_ne!(one.name([&b"ab"[..], b"c"]), one.name([&b"a"[..], b"bc"]));
        assert_ne!(one.name([&b"ab"[..]]), other.name([&b"ab"[..]]));
    }
}
