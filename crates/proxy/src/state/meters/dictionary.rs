//! Names of what is counted, in the file beside the counters: appended, never changed, each with a checksum.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use discovery::object::checksum;
use discovery::usage::Series;
use prost::Message as _;

use super::SeriesId;

/// How many words are in use, itself included.
const USED: usize = 0;
const WORD_BYTES: usize = size_of::<u64>();

/// The names in a file.
#[derive(Clone, Copy, Debug)]
pub struct Dictionary<'w>(&'w [AtomicU64]);

impl<'w> Dictionary<'w> {
    /// The one in these words.
    pub fn new(words: &'w [AtomicU64]) -> Dictionary<'w> {
        Dictionary(words)
    }

    /// An empty one.
    pub fn begin(words: &[AtomicU64]) {
        words[USED].store(1, Release);
    }

    /// Whether names of single operations should leave what is left to names that stand for many.
    pub fn is_nearly_full(self) -> bool {
        self.used() > self.0.len() / 8 * 7
    }

    fn used(self) -> usize {
        usize::try_from(self.0[USED].load(Acquire)).unwrap_or(usize::MAX)
    }

    /// Appends a name; `None` when there is no room. Only one thread at a time may call it.
    pub fn append(self, series: &Series) -> Option<SeriesId> {
        let bytes = series.encode_to_vec();
        let at = self.used();
        let place = self.0.get(at..at + 1 + bytes.len().div_ceil(WORD_BYTES))?;
        place[0].store(head(&bytes), Relaxed);
        for (word, piece) in place[1..].iter().zip(bytes.chunks(WORD_BYTES)) {
            let mut whole = [0; WORD_BYTES];
            whole[..piece.len()].copy_from_slice(piece);
            word.store(u64::from_le_bytes(whole), Relaxed);
        }
        self.0[USED].store((at + place.len()) as u64, Release);
        // The first name of all has the number of those for which there is no room.
        u32::try_from(at - 1).ok().map(SeriesId)
    }

    /// The name of a number; `None` when it is damaged, as a machine may leave it that lost its power.
    pub fn get(self, id: SeriesId) -> Option<Series> {
        let at = usize::try_from(id.0).ok()? + 1;
        let written = self.0.get(at)?.load(Relaxed);
        let length = usize::try_from(written as u32).ok()?;
        let words = self.0.get(at + 1..at + 1 + length.div_ceil(WORD_BYTES))?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
        bytes.truncate(length);
        (head(&bytes) == written).then(|| Series::decode(&*bytes).ok())?
    }
}

/// The length of a name, and half a word of its checksum.
fn head(bytes: &[u8]) -> u64 {
    let [a, b, c, d, ..] = checksum(bytes);
    u64::from(u32::from_le_bytes([a, b, c, d])) << 32 | bytes.len() as u64
}
