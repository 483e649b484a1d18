//! What was spent of quotas, where it outlives the process.
//!
//! A gateway that is killed takes with it what it was lent: nobody could say what of it was spent. So that is counted
//! in a mapped file beside the counters of usage, under the same number of a start, and the next start tells it as
//! the last totals of the one before. A request is charged there before it goes on, so the file never says less than
//! what was let in. After the machine has lost its power it may, which is why what an earlier run of the machine has
//! left is not told; then what was lent stays held for its period.

use std::borrow::Borrow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use commerce::usage::Boot;
use discovery::object::checksum;
use discovery::quotas::QuotaAsk;
use prost::Message as _;

use crate::limits::QUOTA_ACCOUNTS_KEPT_MAX;

/// What ends the name of such a file.
const SUFFIX: &str = "leases";
/// Words of a place: what it is about, what was spent, and the name.
const PLACE: usize = 64;
const SAYS: usize = 0;
const SPENT: usize = 1;
const NAME: usize = 2;
const WORD_BYTES: usize = size_of::<u64>();
/// Where the kernel says which run of the machine this is.
const RUN: &str = "/proc/sys/kernel/random/boot_id";

/// A file of this start.
#[derive(Debug)]
pub(super) struct Kept {
    words: os::Words,
    free: Mutex<Vec<usize>>,
    /// Whether what it says is for the next start: nothing is taken out of it any more.
    is_closed: AtomicBool,
}

/// Where something is counted.
#[derive(Debug)]
pub(super) enum Spent {
    /// In memory only.
    Here(AtomicU64),
    /// In a place of a file.
    There(Arc<Kept>, usize),
}

impl Borrow<AtomicU64> for Spent {
    fn borrow(&self) -> &AtomicU64 {
        match self {
            Spent::Here(count) => count,
            Spent::There(kept, place) => &kept.place(*place)[SPENT],
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        if let Spent::There(kept, place) = self
            && !kept.is_closed.load(Acquire)
        {
            kept.place(*place)[SAYS].store(0, Release);
            kept.free.lock().unwrap_or_else(PoisonError::into_inner).push(*place);
        }
    }
}

impl Kept {
    /// A new file for a start, in a folder that is there.
    ///
    /// # Errors
    /// There is no room, or the run of the machine is not known.
    pub fn create(folder: &Path, boot: Boot) -> io::Result<Kept> {
        let run = run_of_the_machine()?;
        let path = folder.join(format!("{:032x}.{SUFFIX}", boot.0));
        let words = os::Words::create(&path, (1 + QUOTA_ACCOUNTS_KEPT_MAX) * PLACE)?;
        // The first place says whose run of the machine it is of.
        write(&words[..PLACE], &run);
        let free = (1..=QUOTA_ACCOUNTS_KEPT_MAX).rev().collect();
        Ok(Kept { words, free: Mutex::new(free), is_closed: AtomicBool::default() })
    }

    /// Leaves everything as it is for the next start.
    pub fn close(&self) {
        self.is_closed.store(true, Release);
    }

    /// Where to count what is spent of a quota; in memory when there is no place.
    pub fn counter(self: &Arc<Kept>, about: &QuotaAsk) -> Spent {
        let name = about.encode_to_vec();
        let place = match name.len() <= (PLACE - NAME) * WORD_BYTES {
            true => self.free.lock().unwrap_or_else(PoisonError::into_inner).pop(),
            false => None,
        };
        let Some(place) = place else { return Spent::Here(AtomicU64::default()) };
        self.place(place)[SPENT].store(0, Relaxed);
        write(self.place(place), &name);
        Spent::There(self.clone(), place)
    }

    fn place(&self, place: usize) -> &[AtomicU64] {
        &self.words[place * PLACE..][..PLACE]
    }
}

/// A file that an earlier start has left behind.
#[derive(Debug)]
pub(crate) struct Left {
    words: os::Words,
    boot: Boot,
    path: PathBuf,
}

impl Left {
    /// The one of a start, beside its counters of usage. `None`: there is none, or somebody counts in it.
    pub fn beside(counters: &Path, boot: Boot) -> Option<Left> {
        let path = counters.with_extension(SUFFIX);
        Some(Left { words: os::Words::open(&path).ok()?, boot, path })
    }

    /// The last totals of all quotas of which something was lent; none when the machine has been off since.
    pub fn asks(&self) -> Vec<QuotaAsk> {
        let mut places = self.words.chunks_exact(PLACE);
        let run = places.next().and_then(read);
        if run.is_none() || run != run_of_the_machine().ok() {
            return Vec::new();
        }
        places.filter_map(|place| self.ask(place)).collect()
    }

    fn ask(&self, place: &[AtomicU64]) -> Option<QuotaAsk> {
        let about = QuotaAsk::decode(&*read(place)?).ok()?;
        let ended_boot = Bytes::copy_from_slice(&self.boot.0.to_be_bytes());
        Some(QuotaAsk { spent: place[SPENT].load(Relaxed), ended_boot, ..about })
    }

    /// Takes it away: it was told.
    pub fn remove(self) {
        // One that stays is told again, and changes nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn run_of_the_machine() -> io::Result<Vec<u8>> {
    std::fs::read(RUN)
}

/// Writes a text into a place. The word that says so comes last.
fn write(place: &[AtomicU64], text: &[u8]) {
    for (word, piece) in place[NAME..].iter().zip(text.chunks(WORD_BYTES)) {
        let mut whole = [0; WORD_BYTES];
        whole[..piece.len()].copy_from_slice(piece);
        word.store(u64::from_le_bytes(whole), Relaxed);
    }
    place[SAYS].store(says(text), Release);
}

/// The text of a place; `None` when nothing whole is there.
fn read(place: &[AtomicU64]) -> Option<Vec<u8>> {
    let written = place.get(SAYS)?.load(Acquire);
    let mut text: Vec<u8> =
        place.get(NAME..)?.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
    text.truncate(usize::try_from(written as u32).ok()?);
    (written != 0 && says(&text) == written).then_some(text)
}

/// The length of a text, and half a word of its checksum.
fn says(text: &[u8]) -> u64 {
    let [a, b, c, d, ..] = checksum(text);
    u64::from(u32::from_le_bytes([a, b, c, d])) << 32 | text.len() as u64
}
