//! Whether a file is still the one that was read, without opening it.
//!
//! File systems tell the time of a change in steps of their own, up to two seconds wide: of two changes within one
//! step the second leaves no trace. So a stamp is trusted only when its file had been quiet for longer than that.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

/// Widest step in which a file system tells time (FAT), and some.
const STEP: Duration = Duration::from_secs(3);

/// What changes whenever the content of a file does. The time of the last change of the inode cannot be set by
/// anybody, so a restored modification time hides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file, to be taken before the file is read.
    pub(crate) fn of(file: &Metadata) -> Stamp {
        Stamp {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    /// Whether every later change shows in the stamp.
    pub(crate) fn is_settled(self, now: SystemTime) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|now| now >= Duration::from_secs(changed) + STEP)
    }
}
