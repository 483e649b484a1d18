//! Sixteen bytes looked at together.
//!
//! Most of what a parser does is to run over bytes that need no attention until one comes that does. Sixteen
//! comparisons in a vector register cost as much as one, so runs are looked at in blocks, and a block answers
//! with one bit a byte. The registers are those that every processor of its kind has, so nothing is asked at
//! run time.

use wide::u8x16;

/// Bytes in a block.
pub(crate) const BLOCK: usize = 16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block(u8x16);

/// Yes (all ones) or no (zero) for each byte of a block.
#[derive(Clone, Copy)]
pub(crate) struct Flags(u8x16);

impl Block {
    #[inline(always)]
    pub fn of(bytes: &[u8; BLOCK]) -> Block {
        Block(u8x16::new(*bytes))
    }

    #[inline(always)]
    pub fn bytes(self) -> [u8; BLOCK] {
        self.0.to_array()
    }

    /// Bytes that are this one.
    #[inline(always)]
    pub fn equal(self, byte: u8) -> Flags {
        Flags(self.0.simd_eq(u8x16::splat(byte)))
    }

    /// Bytes from `low` to `high`, both included; around the end and on from 0 when `low` is the greater.
    #[inline(always)]
    pub fn within(self, low: u8, high: u8) -> Flags {
        let above = self.0 - u8x16::splat(low);
        Flags(above.min(u8x16::splat(high.wrapping_sub(low))).simd_eq(above))
    }

    /// Every byte with these bits set.
    #[inline(always)]
    pub fn with(self, bits: u8) -> Block {
        Block(self.0 | u8x16::splat(bits))
    }

    /// The flagged bytes with these bits set.
    #[inline(always)]
    pub fn with_where(self, bits: u8, flags: Flags) -> Block {
        Block(self.0 | flags.0 & u8x16::splat(bits))
    }
}

impl Flags {
    #[inline(always)]
    pub fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    #[inline(always)]
    pub fn and_not(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Only those of the first `count` bytes.
    #[inline(always)]
    pub fn first(self, count: usize) -> Flags {
        Flags(self.0 & u8x16::new(FIRST[count]))
    }

    /// One bit a byte, the first byte lowest.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        self.0.to_bitmask()
    }
}

/// As many ones as the index says, then zeros.
static FIRST: [[u8; BLOCK]; BLOCK + 1] = {
    let mut windows = [[0; BLOCK]; BLOCK + 1];
    let mut count = 0;
    while count <= BLOCK {
        let mut at = 0;
        while at < count {
            windows[count][at] = 0xff;
            at += 1;
        }
        count += 1;
    }
    windows
};

/// Position of the first byte at or after `at` that is flagged; the length when there is none.
///
/// Bytes behind the last whole block are looked at in a block that ends with the text and overlaps what was
/// seen before. Only a text that is shorter than a block is padded.
#[inline(always)]
pub(crate) fn find(bytes: &[u8], mut at: usize, flags: impl Fn(Block) -> Flags) -> usize {
    let (blocks, _) = bytes.get(at..).unwrap_or_default().as_chunks();
    for block in blocks {
        let hits = flags(Block::of(block)).bits();
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    find_in_rest(bytes, at, flags)
}

/// The same for what is shorter than a block.
#[inline(never)]
fn find_in_rest(bytes: &[u8], at: usize, flags: impl Fn(Block) -> Flags) -> usize {
    let Some(rest @ [_, ..]) = bytes.get(at..) else { return at };
    let hits = if let Some(last) = bytes.last_chunk() {
        flags(Block::of(last)).bits() >> (BLOCK - rest.len())
    } else {
        let mut padded = [0; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        flags(Block::of(&padded)).bits()
    };
    at + rest.len().min(hits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(is: impl Fn(usize) -> bool) -> u32 {
        (0..BLOCK).filter(|&at| is(at)).map(|at| 1 << at).sum()
    }

    #[test]
    fn a_block_says_of_every_byte_in_every_place_what_a_comparison_says() {
        for first in 0..=255_u8 {
            let bytes: [u8; BLOCK] = std::array::from_fn(|at| first.wrapping_add(at as u8));
            let block = Block::of(&bytes);
            for (low, high) in [(0, 0x1f), (b'a', b'z'), (0x21, 0x7e), (0, 0xff), (9, 9)] {
                let within = block.within(low, high);
                assert_eq!(within.bits(), bits(|at| (low..=high).contains(&bytes[at])));
                let odd = within.and_not(block.equal(low)).or(block.equal(0x80));
                let is_odd = |byte: u8| byte > low && byte <= high || byte == 0x80;
                assert_eq!(odd.bits(), bits(|at| is_odd(bytes[at])));
            }
            assert_eq!(block.within(0x7f, 0x20).bits(), bits(|at| !(0x21..0x7f).contains(&bytes[at])));
            for count in 0..=BLOCK {
                let marked = block.with_where(0x20, block.within(0, 0xff).first(count)).bytes();
                let expected =
                    std::array::from_fn(|at| if at < count { bytes[at] | 0x20 } else { bytes[at] });
                assert_eq!(marked, expected, "the first {count}");
            }
        }
    }
}
