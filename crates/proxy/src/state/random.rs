//! Fast random numbers for request ids, weights and load balancing. Not for keys.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};

/// A small generator per worker (xorshift64*), seeded by the operating system.
#[derive(Debug)]
pub struct Random(Cell<u64>);

/// Length of a request id in its text form.
pub const REQUEST_ID_BYTES: usize = 36;

impl Random {
    /// A generator with a seed of its own.
    #[must_use]
    pub fn new() -> Random {
        // The standard library seeds each hasher from the operating system.
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Random(Cell::new(seed | 1))
    }

    /// The next number.
    #[inline]
    pub fn next(&self) -> u64 {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which must not be 0.
    #[inline]
    pub fn below(&self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    /// A random UUID (version 4, RFC 9562 section 5.4) in its text form.
    pub fn request_id(&self) -> [u8; REQUEST_ID_BYTES] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let high = (self.next() & !0xf000) | 0x4000;
        let low = (self.next() & !(0b11 << 62)) | (0b10 << 62);
        let mut text = [b'-'; REQUEST_ID_BYTES];
        let mut at = 0;
        for index in 0..32u32 {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            let word = if index < 16 { high } else { low };
            text[at] = DIGITS[(word >> (60 - (index % 16) * 4)) as usize & 15];
            at += 1;
        }
        text
    }
}

impl Default for Random {
    fn default() -> Self {
        Random::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_version_4_uuid() {
        let random = Random::new();

        let id = String::from_utf8(random.request_id().to_vec()).unwrap();

        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id.as_bytes(), random.request_id());
    }

    #[test]
    fn numbers_below_a_bound_stay_below_it() {
        let random = Random::new();
        for bound in [1, 2, 3, 100, u32::MAX] {
            assert!((0..1000).all(|_| random.below(bound) < bound));
        }
    }
}
