//! Stable numbers for keys.
//!
//! Counters, health and pools live beside the config in plain vectors, so a number must mean the same thing for
//! as long as the process lives: it is never given to another key, even when its own is gone.

use std::collections::HashMap;
use std::hash::Hash;

/// Hands out a number a key.
#[derive(Debug)]
pub(super) struct Slots<K> {
    known: HashMap<K, u32, foldhash::fast::RandomState>,
}

impl<K> Default for Slots<K> {
    fn default() -> Self {
        Slots { known: HashMap::default() }
    }
}

impl<K: Hash + Eq> Slots<K> {
    /// The number of a key: its own, or the next one that nobody has had.
    pub(super) fn of(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.known.len()).expect("fewer than four billion keys in one process");
        *self.known.entry(key).or_insert(next)
    }

    /// How many numbers have been given out.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
