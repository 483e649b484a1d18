//! Memory that outlives the process: numbers that threads count in and that are in a file without anybody writing it.
//!
//! A page of a mapped file belongs to the kernel. A process that panics or is killed leaves in it what it had counted;
//! only a machine that loses its power may lose what the kernel had not written yet. It is left to the kernel when to
//! write: on some disks a page that is being written holds up who counts in it. All of it is handed out as atomic
//! words, because others may look at the same pages.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::FallocateFlags;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

const WORD: usize = size_of::<AtomicU64>();
/// What is written at once where the system cannot set space aside.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Words in a file, or in memory only.
#[derive(Debug)]
pub struct Words {
    first: NonNull<AtomicU64>,
    count: usize,
    /// Keeps the lock on the file: whoever has it mapped is the only one.
    file: Option<File>,
}

// SAFETY: what it points to is mapped for as long as it lives and is only reached as atomic words.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// A new file of so many words, all zero, of which the disk has set aside every page: what is counted later finds
    /// room. Only its owner may read it.
    ///
    /// # Errors
    /// There is such a file, or no room for it.
    pub fn create(path: &Path, count: usize) -> io::Result<Words> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let made = set_aside(&file, count * WORD).and_then(|()| Words::of(file, count));
        if made.is_err() {
            // A file without room is of no use to anybody.
            let _ = std::fs::remove_file(path);
        }
        made
    }

    /// The words of a file that is there.
    ///
    /// # Errors
    /// It cannot be mapped; with [`io::ErrorKind::WouldBlock`] because somebody else has it.
    pub fn open(path: &Path) -> io::Result<Words> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        Words::of(file, bytes / WORD)
    }

    /// Words that are gone with the process. Pages that nobody touches take no memory.
    ///
    /// # Errors
    /// The system has no room for them.
    pub fn anonymous(count: usize) -> io::Result<Words> {
        // SAFETY: no address is asked for, so that nothing else is mapped over.
        let mapped = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                count * WORD,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        Ok(Words { first: not_null(mapped)?, count, file: None })
    }

    fn of(file: File, count: usize) -> io::Result<Words> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // SAFETY: no address is asked for, so that nothing else is mapped over. The file is ours alone by its lock and
        // its mode; whoever shortens it all the same ends this process by a signal, and breaks nothing else.
        let mapped = unsafe {
            mmap(
                std::ptr::null_mut(),
                count * WORD,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &file,
                0,
            )
        }?;
        Ok(Words { first: not_null(mapped)?, count, file: Some(file) })
    }

    /// Whether they are in a file.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }
}

fn not_null(mapped: *mut std::ffi::c_void) -> io::Result<NonNull<AtomicU64>> {
    NonNull::new(mapped.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Makes the disk hold a place for every byte of a file, so that none is missing when it is written.
fn set_aside(mut file: &File, bytes: usize) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes as u64) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let mut left = bytes;
            while left > 0 {
                let piece = left.min(ZEROS.len());
                file.write_all(&ZEROS[..piece])?;
                left -= piece;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: so many words are mapped and stay so while this lives, pages are aligned for them, and every pattern
        // of bits is a number.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped; nobody holds a slice of it any more.
        let _ = unsafe { munmap(self.first.as_ptr().cast(), self.count * WORD) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn what_was_counted_is_in_the_file_without_anybody_writing_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("words");
        let words = Words::create(&path, 1024).expect("room");
        words[1023].fetch_add(42, Relaxed);

        // Neither flushed nor closed: as a killed process leaves it.
        let bytes = std::fs::read(&path).expect("there");

        assert_eq!(bytes.len(), 8192);
        assert_eq!(bytes[8184..], 42_u64.to_le_bytes());
    }

    #[test]
    fn a_file_has_one_user_at_a_time_and_keeps_its_numbers_for_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("words");
        let words = Words::create(&path, 8).expect("room");
        words[3].store(7, Relaxed);

        assert_eq!(Words::open(&path).expect_err("in use").kind(), io::ErrorKind::WouldBlock);
        assert!(Words::create(&path, 8).is_err(), "there is such a file");
        drop(words);
        let again = Words::open(&path).expect("free");

        assert_eq!((again.len(), again[3].load(Relaxed)), (8, 7));
        assert!(again.is_kept() && !Words::anonymous(8).expect("memory").is_kept());
    }
}
