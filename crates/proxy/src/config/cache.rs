//! The last good configuration on disk, so that a proxy starts without its control plane.
//!
//! The file is the stream itself, as far as it was accepted: one record for each epoch, of what became different with
//! it. So an edit of one route writes one route, and a record is in force whole or not at all, like a push. Each
//! carries its own checksum. A record that is cut short is what a crash leaves behind, and the epoch before it is
//! used; anything else that is wrong means that the file cannot be trusted, and it is set aside for people to look at.
//! A database would bring trees, pages and a recovery of its own for what is one sequence, read once.
//!
//! It holds the keys of certificates: only its owner may read it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use discovery::client::{Received, Update};
use discovery::object::{TypeName, checksum};
use discovery::{Interest, ObjectName, Version};
use prost::Message as _;

use crate::limits::{CACHE_GARBAGE_BYTES_MAX, CACHE_RECORD_BYTES_MAX};

/// Name of the file in the directory of the cache.
const FILE: &str = "config.cache";
/// Beside it, while it is written anew.
const FRESH: &str = "config.cache.new";
/// What the file begins with.
const MAGIC: &[u8; 16] = b"selvedge-cache1\n";
/// Before each record: its length, the length again with all bits turned, and a checksum.
const FRAME_BYTES: usize = 4 + 4 + 16;

/// One record.
#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    /// Milliseconds since 1970 (UTC) when it was written.
    #[prost(uint64, tag = "2")]
    saved_at: u64,
    #[prost(message, repeated, tag = "3")]
    put: Vec<Put>,
    #[prost(message, repeated, tag = "4")]
    removed: Vec<Named>,
    /// What is served, in the first record.
    #[prost(string, repeated, tag = "5")]
    serves: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(message, optional, tag = "1")]
    name: Option<Named>,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(bytes = "bytes", tag = "3")]
    content: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    of: String,
    #[prost(string, tag = "2")]
    name: String,
}

/// An open cache. Nobody else can open it meanwhile.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    file: File,
    interest: Interest,
    /// Bytes in the file, and bytes in it just after it was last written anew.
    bytes: u64,
    bytes_fresh: u64,
    /// What is in use and could not be written. The next update is a difference to it, and means nothing without it.
    missed: Option<Update>,
}

/// What a cache held.
#[derive(Debug, Default)]
pub struct Contents {
    /// All of it as one update; `None` when there was nothing.
    pub update: Option<Update>,
    /// Milliseconds since 1970 (UTC) when its epoch was saved.
    pub saved_at: u64,
    /// What people should know: that a file was set aside, and where it is now.
    pub told: Option<String>,
}

/// Why what is in a file cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unusable {
    #[error("it is no cache of this version")]
    Foreign,
    #[error("record {0} is damaged")]
    Damaged(usize),
    #[error("it was written for a proxy that serves `{0}`")]
    OfAnother(Interest),
}

impl Cache {
    /// Opens the cache in a directory, which is made when it is missing, and reads it.
    ///
    /// # Errors
    /// The directory or the file cannot be used, or another proxy uses it.
    pub fn open(directory: &Path, interest: &Interest) -> io::Result<(Cache, Contents)> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join(FILE);
        let mut file = open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (contents, end) = match read(&bytes, interest) {
            Ok((contents, end)) => (contents, end),
            Err(why) => {
                let aside = set_aside(&path)?;
                file = open(&path)?;
                let told = format!(
                    "the cached configuration `{}` is not used: {why}; it was set aside as `{}`",
                    path.display(),
                    aside.display()
                );
                (Contents { told: Some(told), ..Contents::default() }, 0)
            }
        };
        // What a crash left half-written must not stand before the next record.
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        let interest = interest.clone();
        let mut cache = Cache {
            directory: directory.to_owned(),
            file,
            interest,
            bytes: end,
            bytes_fresh: end,
            missed: None,
        };
        if end == 0 {
            cache.begin()?;
        }
        Ok((cache, contents))
    }

    /// Keeps an update that is in use, with what could not be kept before. Returns when it is on the disk.
    ///
    /// # Errors
    /// The disk is full or broken; the file then ends with the last epoch that could be kept.
    pub fn keep(&mut self, update: Update, saved_at: u64) -> io::Result<()> {
        let update = match self.missed.take() {
            Some(missed) => one_after_another(missed, update),
            None => update,
        };
        let before = self.bytes;
        if let Err(error) = self.append(&record(&update, saved_at)) {
            // As far as the disk lets us: a half record at the end does no harm when the file is read.
            let _ = self.file.set_len(before).and_then(|()| self.file.seek(SeekFrom::End(0)));
            self.bytes = before;
            self.missed = Some(update);
            return Err(error);
        }
        if self.bytes > 2 * self.bytes_fresh + CACHE_GARBAGE_BYTES_MAX {
            self.write_anew()?;
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file.write_all(MAGIC)?;
        self.bytes = MAGIC.len() as u64;
        let header = Record { serves: self.interest.names(), ..Record::default() };
        self.append(&header)?;
        self.bytes_fresh = self.bytes;
        Ok(())
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        let framed = framed(record)?;
        self.file.write_all(&framed)?;
        self.file.sync_data()?;
        self.bytes += framed.len() as u64;
        Ok(())
    }

    /// Everything in force as one record, in a file that takes the place of this one.
    fn write_anew(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        let Ok((Contents { update: Some(update), saved_at, .. }, _)) = read(&bytes, &self.interest) else {
            return Err(io::Error::other("the cache cannot be read back"));
        };
        drop(bytes);
        let path = self.directory.join(FRESH);
        let _ = std::fs::remove_file(&path); // What a crash left behind, if anything.
        let file = open(&path)?;
        let mut out = BufWriter::new(&file);
        out.write_all(MAGIC)?;
        let header = Record { serves: self.interest.names(), ..Record::default() };
        for record in [header, record(&update, saved_at)] {
            out.write_all(&framed(&record)?)?;
        }
        out.flush()?;
        drop(out);
        file.sync_all()?;
        std::fs::rename(&path, self.directory.join(FILE))?;
        File::open(&self.directory)?.sync_all()?;
        self.bytes = file.metadata()?.len();
        self.bytes_fresh = self.bytes;
        self.file = file;
        Ok(())
    }
}

/// Two updates as one.
fn one_after_another(mut first: Update, second: Update) -> Update {
    for removed in second.removed {
        first.put.remove(&removed);
        first.removed.push(removed);
    }
    first.removed.retain(|removed| !second.put.contains_key(removed));
    first.put.extend(second.put);
    first.removed.sort_unstable();
    first.removed.dedup();
    first.epoch = second.epoch;
    first
}

/// Opens a file for us alone.
fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("another proxy uses `{}`; give each its own directory with --cache", path.display()),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Moves a file out of the way, not over one that was set aside before.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let place = |number: u32| path.with_extension(format!("cache.damaged-{number}"));
    let free = (1..=1000).map(place).find(|place| !place.exists());
    let aside =
        free.ok_or_else(|| io::Error::other("a thousand damaged caches were set aside; remove some"))?;
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

fn record(update: &Update, saved_at: u64) -> Record {
    let named = |name: &ObjectName| Named { of: name.of.as_str().to_owned(), name: name.name.to_string() };
    let put = update.put.iter().map(|(name, received)| Put {
        name: Some(named(name)),
        version: received.version.to_string(),
        content: received.content.clone(),
    });
    Record {
        epoch: update.epoch,
        saved_at,
        put: put.collect(),
        removed: update.removed.iter().map(named).collect(),
        serves: Vec::new(),
    }
}

fn framed(record: &Record) -> io::Result<Vec<u8>> {
    let body = record.encode_to_vec();
    let length = u32::try_from(body.len()).ok().filter(|length| *length as usize <= CACHE_RECORD_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the configuration is too large for the cache"))?;
    let mut framed = Vec::with_capacity(FRAME_BYTES + body.len());
    framed.extend(length.to_le_bytes());
    framed.extend((!length).to_le_bytes());
    framed.extend(checksum(&body));
    framed.extend(body);
    Ok(framed)
}

/// Everything in force, and where the last whole record ends.
fn read(bytes: &[u8], interest: &Interest) -> Result<(Contents, u64), Unusable> {
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Ok((Contents::default(), 0));
    }
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(Unusable::Foreign)?;
    let mut objects: BTreeMap<ObjectName, Received> = BTreeMap::new();
    let (mut epoch, mut saved_at, mut number) = (0, 0, 0);
    while let Some((record, left)) = next(rest).map_err(|()| Unusable::Damaged(number))? {
        if number == 0 {
            let written_for = Interest::of_names(&record.serves);
            if written_for != *interest {
                return Err(Unusable::OfAnother(written_for));
            }
        } else {
            (epoch, saved_at) = (record.epoch, record.saved_at);
            fold(&mut objects, record);
        }
        (rest, number) = (left, number + 1);
    }
    // A header that was cut short is no beginning to append to.
    let end = if number == 0 { 0 } else { (bytes.len() - rest.len()) as u64 };
    let update = (number > 1).then(|| Update { epoch, put: objects, removed: Vec::new() });
    Ok((Contents { update, saved_at, told: None }, end))
}

/// The next record and what follows; `None` where the file ends or was cut short.
fn next(bytes: &[u8]) -> Result<Option<(Record, &[u8])>, ()> {
    let Some((frame, rest)) = bytes.split_at_checked(FRAME_BYTES) else { return Ok(None) };
    let number = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    if number(0) != !number(4) {
        return Err(());
    }
    let Some((body, rest)) = rest.split_at_checked(number(0) as usize) else { return Ok(None) };
    if frame[8..] != checksum(body) {
        return Err(());
    }
    let record = Record::decode(Bytes::copy_from_slice(body)).map_err(|_| ())?;
    Ok(Some((record, rest)))
}

fn fold(objects: &mut BTreeMap<ObjectName, Received>, record: Record) {
    let name = |named: Named| ObjectName { of: TypeName::new(&named.of), name: named.name.into() };
    for removed in record.removed {
        objects.remove(&name(removed));
    }
    for put in record.put {
        let Some(named) = put.name else { continue };
        let received = Received { version: Version::stated(&put.version), content: put.content };
        objects.insert(name(named), received);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name(text: &str) -> ObjectName {
        ObjectName { of: TypeName::new("Service"), name: text.into() }
    }

    fn update(epoch: u64, put: &[(&str, &str)], removed: &[&str]) -> Update {
        let received =
            |text: &str| Received { version: Version::stated(text), content: text.to_owned().into() };
        Update {
            epoch,
            put: put.iter().map(|(called, text)| (name(called), received(text))).collect(),
            removed: removed.iter().map(|called| name(called)).collect(),
        }
    }

    fn reopened(directory: &Path) -> Contents {
        Cache::open(directory, &Interest::All).expect("a usable directory").1
    }

    /// A cache of two epochs; the path of its file.
    fn two_epochs(directory: &Path) -> PathBuf {
        let (mut cache, contents) = Cache::open(directory, &Interest::All).expect("a usable directory");
        assert_eq!(contents.update, None);
        cache.keep(update(3, &[("a", "1"), ("b", "1")], &[]), 30).expect("room");
        cache.keep(update(5, &[("a", "2")], &["b"]), 50).expect("room");
        directory.join(FILE)
    }

    #[test]
    fn what_was_kept_is_there_again_and_for_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let inner = directory.path().join("made/for/us");
        let path = two_epochs(&inner);

        let contents = reopened(&inner);

        assert_eq!(contents.update, Some(update(5, &[("a", "2")], &[])));
        assert_eq!((contents.saved_at, contents.told), (50, None));
        let mode = |path: &Path| std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&inner)), (0o600, 0o700));
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_written_with_the_next_update() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = two_epochs(directory.path());
        let (mut cache, _) = Cache::open(directory.path(), &Interest::All).expect("usable");
        let writable = std::mem::replace(&mut cache.file, File::open(&path).expect("readable"));

        cache.keep(update(7, &[("c", "1"), ("d", "1")], &["a"]), 70).expect_err("it takes nothing");
        cache.keep(update(8, &[("a", "3")], &["d"]), 80).expect_err("it takes nothing");
        cache.file = writable;
        cache.keep(update(9, &[("e", "1")], &[]), 90).expect("room");

        drop(cache);
        let all = update(9, &[("a", "3"), ("c", "1"), ("e", "1")], &[]);
        assert_eq!(reopened(directory.path()).update, Some(all));
    }

    #[test]
    fn a_record_that_was_cut_short_leaves_the_epoch_before_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = two_epochs(directory.path());
        let whole = std::fs::read(&path).expect("readable");
        let first = {
            let (_, after_header) = next(&whole[MAGIC.len()..]).expect("sound").expect("a header");
            let (_, after_first) = next(after_header).expect("sound").expect("a record");
            whole.len() - after_first.len()
        };

        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("writable");

            let (mut cache, contents) = Cache::open(directory.path(), &Interest::All).expect("usable");

            assert_eq!(contents.update, Some(update(3, &[("a", "1"), ("b", "1")], &[])), "cut at {cut}");
            cache.keep(update(6, &[], &["a"]), 60).expect("room");
            drop(cache);
            assert_eq!(
                reopened(directory.path()).update,
                Some(update(6, &[("b", "1")], &[])),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_said_so_wherever_the_damage_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = two_epochs(directory.path());
        let whole = std::fs::read(&path).expect("readable");

        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x20;
            std::fs::write(&path, &damaged).expect("writable");

            let contents = reopened(directory.path());

            assert_eq!(contents.update, None, "damage at {at} went unnoticed");
            let told = contents.told.expect("it is told");
            assert!(told.contains("it was set aside as"), "{told}");
            let aside = path.with_extension("cache.damaged-1");
            assert_eq!(std::fs::read(&aside).expect("it is kept"), damaged);
            std::fs::remove_file(aside).expect("removable");
        }
    }

    #[test]
    fn the_cache_of_a_proxy_that_serves_something_else_is_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        two_epochs(directory.path());
        let other = Interest::Gateways(["a/b".into()].into());

        let (_cache, contents) = Cache::open(directory.path(), &other).expect("usable");

        assert_eq!(contents.update, None);
        assert!(contents.told.expect("it is told").contains("serves `*`"));
    }

    #[test]
    fn two_proxies_do_not_share_one_cache() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_first, _) = Cache::open(directory.path(), &Interest::All).expect("usable");

        let refused = Cache::open(directory.path(), &Interest::All).expect_err("in use").to_string();

        assert!(refused.contains("another proxy uses"), "{refused}");
    }

    #[test]
    fn a_file_that_grows_by_edits_is_written_anew_and_holds_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut cache, _) = Cache::open(directory.path(), &Interest::All).expect("usable");
        let text = "x".repeat(1 << 20);

        for epoch in 1..=20 {
            cache.keep(update(epoch, &[("a", &text)], &[]), epoch).expect("room");
        }
        let bytes = cache.file.metadata().expect("it exists").len();
        drop(cache);

        assert!(bytes < 2 * (1 << 21) + CACHE_GARBAGE_BYTES_MAX, "{bytes} bytes");
        assert_eq!(reopened(directory.path()).update, Some(update(20, &[("a", &text)], &[])));
    }
}
