//! Where things are in a file of counters: a page that says so, names, and a ring for each worker.

use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use commerce::usage::Boot;

use super::dictionary::Dictionary;
use super::ring::Ring;

/// `selvmtr1`: another layout has another word.
const MAGIC: u64 = u64::from_be_bytes(*b"selvmtr1");
/// A page.
const HEADER_WORDS: usize = 512;
const WORD_BYTES: usize = size_of::<u64>();

// Words of the header.
const SAYS: usize = 0;
const BOOT_HIGH: usize = 1;
const BOOT_LOW: usize = 2;
const SHARDS: usize = 3;
const ROWS: usize = 4;
const NAMES: usize = 5;

/// The sizes of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub shards: usize,
    rows: usize,
    names: usize,
}

impl Layout {
    /// For so many workers, rows of each, and bytes of names.
    pub fn new(shards: usize, rows: usize, names_bytes: usize) -> Layout {
        Layout { shards, rows, names: names_bytes / WORD_BYTES }
    }

    /// Words in all.
    pub fn words(self) -> usize {
        HEADER_WORDS + self.names + self.shards * Ring::words(self.rows)
    }

    /// Where the names are.
    pub fn names(self) -> Range<usize> {
        HEADER_WORDS..HEADER_WORDS + self.names
    }

    /// Where the ring of a worker is.
    pub fn ring(self, shard: usize) -> Range<usize> {
        let size = Ring::words(self.rows);
        let start = self.names().end + shard * size;
        start..start + size
    }

    /// Writes it down in words that are zero. The word that says what they are comes last.
    pub fn begin(self, words: &[AtomicU64], boot: Boot) {
        words[BOOT_HIGH].store((boot.0 >> 64) as u64, Relaxed);
        words[BOOT_LOW].store(boot.0 as u64, Relaxed);
        for (at, value) in [(SHARDS, self.shards), (ROWS, self.rows), (NAMES, self.names)] {
            words[at].store(value as u64, Relaxed);
        }
        Dictionary::begin(&words[self.names()]);
        words[SAYS].store(MAGIC, Release);
    }

    /// Reads it; `None` when it is of something else, or not whole.
    pub fn read(words: &[AtomicU64]) -> Option<(Layout, Boot)> {
        if words.len() < HEADER_WORDS || words[SAYS].load(Acquire) != MAGIC {
            return None;
        }
        let word = |at: usize| words[at].load(Relaxed);
        let size = |at: usize| usize::try_from(word(at)).ok().filter(|size| *size <= words.len());
        let layout = Layout { shards: size(SHARDS)?, rows: size(ROWS)?, names: size(NAMES)? };
        let boot = Boot(u128::from(word(BOOT_HIGH)) << 64 | u128::from(word(BOOT_LOW)));
        let rings = layout.shards.checked_mul(Ring::words(layout.rows))?;
        let all = rings.checked_add(HEADER_WORDS + layout.names)?;
        (all == words.len() && layout.rows.is_power_of_two()).then_some((layout, boot))
    }
}
