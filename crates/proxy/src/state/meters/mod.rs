//! Who has called what, counted where neither a panic nor `kill -9` can take it back.
//!
//! Counters lie in a mapped file, a part of it for each worker, so that counting a request is a few additions to a line
//! of memory that nobody else writes. What is counted are *rows*: a window of a minute, a series (who, on which plan,
//! which operation), and a number for each meter. A worker appends rows to its ring and adds to them until their window
//! is over; the thread that tells the ledger frees them, oldest first, when the ledger has acknowledged them.
//!
//! Nothing is dropped when the ledger stays away. A ring that fills up stops beginning new windows: a minute becomes as
//! long as it has to be. Names for which there is no room are counted for all operations of their subscription
//! together, and at last as *others*; both are told by metrics.

mod dictionary;
mod layout;
mod meter;
mod ring;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use commerce::usage::Boot;
use discovery::usage::Series;

use dictionary::Dictionary;
use layout::Layout;
pub use meter::{Called, Counted, Meter};
pub use ring::{Ring, Row};

use crate::limits::{METER_NAMES_BYTES_MAX, METER_ROWS_MAX};

/// What ends the name of a file of counters.
const SUFFIX: &str = "meter";
/// What ends the name of one that cannot be read.
const DAMAGED: &str = "damaged";

/// The series of everything for whose name there was no room.
pub const OTHERS: SeriesId = SeriesId(0);

/// The number of a series in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(pub u32);

/// The counters of one start of a proxy.
#[derive(Debug)]
pub struct Meters {
    words: os::Words,
    layout: Layout,
    boot: Boot,
    path: Option<PathBuf>,
    known: Mutex<HashMap<[u8; 16], SeriesId>>,
    /// Times that a series was counted with others because there was no room for its name.
    folded: AtomicU64,
}

/// Counters of a start, and those that earlier ones have left behind.
#[derive(Debug)]
pub struct Opened {
    /// To count in.
    pub current: Meters,
    /// To be told to the ledger.
    pub left: Vec<Meters>,
}

impl Meters {
    /// New counters for so many workers, in a folder or, without one, in memory only.
    ///
    /// # Errors
    /// There is no room, or the folder cannot be used.
    pub fn open(folder: Option<&Path>, boot: Boot, shards: usize) -> io::Result<Opened> {
        Meters::of(folder, boot, Layout::new(shards, METER_ROWS_MAX, METER_NAMES_BYTES_MAX))
    }

    /// The same with other sizes: rows of a worker (a power of two), and bytes of names.
    #[cfg(test)]
    pub fn small(
        folder: Option<&Path>,
        boot: Boot,
        shards: usize,
        (rows, names): (usize, usize),
    ) -> io::Result<Opened> {
        Meters::of(folder, boot, Layout::new(shards, rows, names))
    }

    fn of(folder: Option<&Path>, boot: Boot, layout: Layout) -> io::Result<Opened> {
        let Some(folder) = folder else {
            let words = os::Words::anonymous(layout.words())?;
            return Ok(Opened { current: Meters::begin(words, layout, boot, None), left: Vec::new() });
        };
        make_private(folder)?;
        let left = left_in(folder)?;
        let path = folder.join(format!("{:032x}.{SUFFIX}", boot.0));
        let words = os::Words::create(&path, layout.words())?;
        Ok(Opened { current: Meters::begin(words, layout, boot, Some(path)), left })
    }

    fn begin(words: os::Words, layout: Layout, boot: Boot, path: Option<PathBuf>) -> Meters {
        layout.begin(&words, boot);
        let meters = Meters { words, layout, boot, path, known: Mutex::default(), folded: AtomicU64::new(0) };
        let others = Series { operation: "*".to_owned(), ..Series::default() };
        meters.intern(&others);
        meters
    }

    /// Counters that somebody has left behind. `None`: they cannot be read.
    fn found(words: os::Words, path: &Path) -> Option<Meters> {
        let (layout, boot) = Layout::read(&words)?;
        let path = Some(path.to_owned());
        Some(Meters { words, layout, boot, path, known: Mutex::default(), folded: AtomicU64::new(0) })
    }

    /// The number of the start.
    #[must_use]
    pub fn boot(&self) -> Boot {
        self.boot
    }

    /// Whether they outlive the process.
    #[must_use]
    pub fn are_kept(&self) -> bool {
        self.words.is_kept()
    }

    /// Where they are, if they outlive the process.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How many workers count.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.layout.shards
    }

    /// What one worker counts.
    #[must_use]
    pub fn ring(&self, shard: usize) -> Ring<'_> {
        Ring::new(&self.words[self.layout.ring(shard)])
    }

    /// Times that something was counted less finely than it should have been, for want of room: minutes that went on,
    /// and series that were counted with others.
    #[must_use]
    pub fn folded(&self) -> u64 {
        let minutes = (0..self.shards()).map(|shard| self.ring(shard).folded());
        self.folded.load(Ordering::Relaxed) + minutes.sum::<u64>()
    }

    fn folds(&self) {
        self.folded.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of a series, under which its rows are kept.
    pub fn intern(&self, series: &Series) -> SeriesId {
        if let Some(id) = self.try_intern(series, self.names().is_nearly_full()) {
            return id;
        }
        self.folds();
        let together = Series { operation: "*".to_owned(), ..series.clone() };
        self.try_intern(&together, false).unwrap_or(OTHERS)
    }

    /// `None`: there is no room for it, or what room there is is kept for those that stand for many.
    fn try_intern(&self, series: &Series, is_kept: bool) -> Option<SeriesId> {
        // Nothing that runs under the lock panics half-way through a change.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = series.digest();
        if let Some(id) = known.get(&digest) {
            return Some(*id);
        }
        if is_kept {
            return None;
        }
        let id = self.names().append(series)?;
        known.insert(digest, id);
        Some(id)
    }

    /// What a number stands for; `None` when the file is damaged there.
    #[must_use]
    pub fn series(&self, id: SeriesId) -> Option<Series> {
        self.names().get(id)
    }

    fn names(&self) -> Dictionary<'_> {
        Dictionary::new(&self.words[self.layout.names()])
    }

    /// Counters that others have left behind in the same folder meanwhile.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn left_beside(&self) -> io::Result<Vec<Meters>> {
        self.path.as_deref().and_then(Path::parent).map_or_else(|| Ok(Vec::new()), left_in)
    }

    /// Takes the file away: the ledger has all of it.
    pub fn remove(self) {
        if let Some(path) = &self.path {
            // One that stays is found again at the next start, told again, and changes nothing.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Counters of earlier starts that nobody counts in.
fn left_in(folder: &Path) -> io::Result<Vec<Meters>> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != SUFFIX) {
            continue;
        }
        let words = match os::Words::open(&path) {
            Ok(words) => words,
            // Another proxy of this machine counts in it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        match Meters::found(words, &path) {
            Some(meters) => left.push(meters),
            None => {
                eprintln!(
                    "selvedge: `{}` holds no counters that can be read; it is set aside",
                    path.display()
                );
                std::fs::rename(&path, path.with_extension(DAMAGED))?;
            }
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
