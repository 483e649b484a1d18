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
        let high = (self.next() & !0xf000) | 0x4000;
        let low = (self.next() & !(0b11 << 62)) | (0b10 << 62);
        let mut text = [b'-'; REQUEST_ID_BYTES];
        text[..8].copy_from_slice(&digits((high >> 32) as u32));
        let middle = digits(high as u32);
        text[9..13].copy_from_slice(&middle[..4]);
        text[14..18].copy_from_slice(&middle[4..]);
        let start = digits((low >> 32) as u32);
        text[19..23].copy_from_slice(&start[..4]);
        text[24..28].copy_from_slice(&start[4..]);
        text[28..].copy_from_slice(&digits(low as u32));
        text
    }
}

/// A number in eight hexadecimal digits, all of them at once: a digit a byte, and no table.
fn digits(number: u32) -> [u8; 8] {
    let mut spread = u64::from(number);
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte that is 10 or more: these are letters, which begin 39 behind where the digits would go on.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * 39).to_be_bytes()
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
    fn digits_are_those_that_the_standard_library_writes() {
        let random = Random::new();
        for number in [0, 9, 10, 0x0123_4567, 0x89ab_cdef, u32::MAX, random.next() as u32] {
            assert_eq!(String::from_utf8(digits(number).to_vec()).unwrap(), format!("{number:08x}"));
        }
    }

    #[test]
    fn numbers_below_a_bound_stay_below_it() {
        let random = Random::new();
        for bound in [1, 2, 3, 100, u32::MAX] {
            assert!((0..1000).all(|_| random.below(bound) < bound));
        }
    }
}
