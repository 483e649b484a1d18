//! Customers on disk, so that a proxy that starts without its control plane still knows them.
//!
//! Like that of the configuration, the file is the stream itself: message after message since everything was told last.
//! Each carries a checksum; what is cut short at the end is what a crash leaves behind. A file that has
//! grown too long is given up, and everything is asked for again. It holds the pepper: only its owner may read it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use discovery::customers::CustomersResponse;
use discovery::object::checksum;
use prost::Message as _;

use crate::limits::{CUSTOMERS_CACHE_BYTES_MAX, CUSTOMERS_MESSAGE_BYTES_MAX};

const FILE: &str = "customers.cache";
const FRESH: &str = "customers.cache.new";
const MAGIC: &[u8; 16] = b"selvedge-custom1";
const FRAME_BYTES: usize = 4 + 16;

/// An open cache.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    /// What is appended to; `None` before everything was told once.
    file: Option<File>,
    /// Where everything is told anew.
    fresh: Option<File>,
    bytes: u64,
}

impl Cache {
    /// Opens it and reads what it holds, up to the last whole message.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(directory: &Path) -> io::Result<(Cache, Vec<CustomersResponse>)> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut cache = Cache { directory: directory.to_owned(), file: None, fresh: None, bytes: 0 };
        let path = directory.join(FILE);
        let messages = match File::open(&path) {
            Ok(file) => {
                let (messages, length) = read(file)?;
                if !messages.is_empty() {
                    let file = OpenOptions::new().append(true).open(&path)?;
                    // What a crash has cut short goes, so that what is appended can be read.
                    file.set_len(length)?;
                    (cache.file, cache.bytes) = (Some(file), length);
                }
                messages
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok((cache, messages))
    }

    /// Whether it has grown so long that everything should be asked for again.
    pub fn is_too_long(&self) -> bool {
        self.bytes > CUSTOMERS_CACHE_BYTES_MAX
    }

    /// Keeps a message that was taken.
    ///
    /// # Errors
    /// It cannot be written. What was there before stays; it must not be appended to any more.
    pub fn keep(&mut self, message: &CustomersResponse) -> io::Result<()> {
        let kept = self.try_keep(message);
        if kept.is_err() {
            (self.file, self.fresh) = (None, None);
        }
        kept
    }

    fn try_keep(&mut self, message: &CustomersResponse) -> io::Result<()> {
        if message.is_reset {
            let path = self.directory.join(FRESH);
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            file.write_all(MAGIC)?;
            (self.fresh, self.bytes) = (Some(file), MAGIC.len() as u64);
        }
        let Some(file) = self.fresh.as_mut().or(self.file.as_mut()) else { return Ok(()) };
        let frame = frame(message);
        file.write_all(&frame)?;
        self.bytes += frame.len() as u64;
        if message.epoch > 0
            && let Some(fresh) = self.fresh.take()
        {
            fresh.sync_all()?;
            std::fs::rename(self.directory.join(FRESH), self.directory.join(FILE))?;
            self.file = Some(fresh);
        }
        Ok(())
    }
}

fn frame(message: &CustomersResponse) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &checksum(&bytes)[..], &bytes].concat()
}

/// The messages of a file, and where the last whole one ends. What comes behind something broken is not
/// read: it goes on with what is not there.
fn read(file: File) -> io::Result<(Vec<CustomersResponse>, u64)> {
    let mut file = BufReader::new(file);
    let mut magic = [0; MAGIC.len()];
    if !fill(&mut file, &mut magic)? || magic != *MAGIC {
        return Ok((Vec::new(), 0));
    }
    let (mut messages, mut length) = (Vec::new(), MAGIC.len() as u64);
    let mut head = [0; FRAME_BYTES];
    while fill(&mut file, &mut head)? {
        let (size, sum) = head.split_at(4);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if size > CUSTOMERS_MESSAGE_BYTES_MAX {
            break;
        }
        let mut bytes = vec![0; size];
        if !fill(&mut file, &mut bytes)? || checksum(&bytes)[..] != *sum {
            break;
        }
        let Ok(message) = CustomersResponse::decode(&*bytes) else { break };
        messages.push(message);
        length += (FRAME_BYTES + size) as u64;
    }
    Ok((messages, length))
}

/// Reads until a buffer is full; says whether there was enough.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn message(is_reset: bool, epoch: u64) -> CustomersResponse {
        CustomersResponse { is_reset, epoch, ..CustomersResponse::default() }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_only_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut cache, nothing) = Cache::open(folder.path()).expect("empty");
        assert!(nothing.is_empty());
        let all = [message(true, 0), message(false, 3), message(false, 4)];
        all.iter().for_each(|message| cache.keep(message).expect("kept"));

        let (_, messages) = Cache::open(folder.path()).expect("sound");

        assert_eq!(messages, all);
        let mode = std::fs::metadata(folder.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn being_told_anew_replaces_the_file_only_when_all_was_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut cache, _) = Cache::open(folder.path()).expect("empty");
        cache.keep(&message(true, 3)).expect("kept");
        cache.keep(&message(true, 0)).expect("kept");
        assert_eq!(Cache::open(folder.path()).expect("sound").1, [message(true, 3)]);

        cache.keep(&message(false, 9)).expect("kept");

        assert_eq!(Cache::open(folder.path()).expect("sound").1, [message(true, 0), message(false, 9)]);
    }

    #[test]
    fn what_a_crash_has_cut_short_is_left_out_and_what_follows_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let (mut cache, _) = Cache::open(folder.path()).expect("empty");
        cache.keep(&message(true, 3)).expect("kept");
        cache.keep(&message(false, 4)).expect("kept");
        drop(cache);
        let whole = std::fs::read(&path).expect("there");
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("cut");

        let (mut cache, messages) = Cache::open(folder.path()).expect("sound");
        assert_eq!(messages, [message(true, 3)]);
        cache.keep(&message(false, 5)).expect("kept");

        assert_eq!(Cache::open(folder.path()).expect("sound").1, [message(true, 3), message(false, 5)]);
    }
}
