//! The files that configuration is read from.
//!
//! A path given by the user is a file, or a directory whose YAML and JSON files are read recursively in the
//! order of their names, so that the same tree always gives the same order of objects. Names that begin with a
//! dot are passed over: editors keep their swap files there, and a mounted ConfigMap its versions.
//!
//! An edit touches one file of a thousand, so a file is opened again only when the system says that it changed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::stamp::Stamp;

/// Most files read. Past it: a problem is reported and nothing changes.
pub const FILES_MAX: usize = 10_000;
/// Most bytes read in all. Past it: a problem is reported and nothing changes.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Deepest directory followed; symbolic links may form a circle. Past it: a problem is reported.
pub const DEPTH_MAX: usize = 16;

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as the user would write it, for messages.
    pub name: Arc<str>,
    /// Its content.
    pub text: Arc<str>,
}

/// A path that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The path.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Reads every file under these paths. All that cannot be read are reported at once.
pub fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Unreadable>> {
    Reader::default().read(paths)
}

/// Reads again and again, and opens only what may have changed.
#[derive(Debug, Default)]
pub struct Reader {
    known: HashMap<PathBuf, (Stamp, SourceFile)>,
}

impl Reader {
    /// Reads every file under these paths. All that cannot be read are reported at once.
    pub fn read(&mut self, paths: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Unreadable>> {
        #[allow(clippy::disallowed_methods, reason = "files change by the time of day")]
        self.read_at(SystemTime::now(), paths)
    }

    fn read_at(&mut self, now: SystemTime, paths: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Unreadable>> {
        let mut reading = Reading {
            now,
            before: std::mem::take(&mut self.known),
            known: HashMap::new(),
            files: Vec::new(),
            bytes: 0,
            unreadable: Vec::new(),
        };
        for path in paths {
            reading.named(path);
        }
        self.known = reading.known;
        if reading.unreadable.is_empty() { Ok(reading.files) } else { Err(reading.unreadable) }
    }
}

struct Reading {
    now: SystemTime,
    before: HashMap<PathBuf, (Stamp, SourceFile)>,
    known: HashMap<PathBuf, (Stamp, SourceFile)>,
    files: Vec<SourceFile>,
    bytes: u64,
    unreadable: Vec<Unreadable>,
}

impl Reading {
    /// A path the user named: a file is read whatever it is called.
    fn named(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let before = self.files.len() + self.unreadable.len();
                self.directory(path, 0);
                if self.files.len() + self.unreadable.len() == before {
                    self.problem(path, "holds no configuration", "put a .yaml, .yml or .json file into it");
                }
            }
            Ok(found) => self.file(path, &found),
            Err(error) => self.failed(path, &error),
        }
    }

    fn directory(&mut self, path: &Path, depth: usize) {
        if depth > DEPTH_MAX {
            return self.problem(path, "is nested too deeply", "look for a symbolic link that leads upwards");
        }
        let entries =
            match std::fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()) {
                Ok(entries) => entries,
                Err(error) => return self.failed(path, &error),
            };
        let mut inside: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        inside.sort();
        for path in inside.iter().filter(|path| !is_hidden(path)) {
            match std::fs::metadata(path) {
                Ok(found) if found.is_dir() => self.directory(path, depth + 1),
                Ok(found) if found.is_file() && is_configuration(path) => self.file(path, &found),
                // Gone between listing and looking, or a link to nothing: not there.
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path, found: &Metadata) {
        if self.files.len() >= FILES_MAX {
            return self.problem(path, "is one file too many (the limit is 10000)", "name fewer directories");
        }
        if found.len() > BYTES_MAX - self.bytes {
            return self.problem(path, "is too large (256 MiB are read in all)", "split the configuration");
        }
        let stamp = Stamp::of(found);
        let file = match self.before.remove(path) {
            Some((known, file)) if known == stamp => file,
            Some(_) | None => match self.open(path) {
                Some(file) => file,
                None => return,
            },
        };
        self.bytes = self.bytes.saturating_add(file.text.len() as u64).min(BYTES_MAX);
        if stamp.is_settled(self.now) {
            self.known.insert(path.to_owned(), (stamp, file.clone()));
        }
        self.files.push(file);
    }

    fn open(&mut self, path: &Path) -> Option<SourceFile> {
        match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => {
                let name = path.display().to_string().into();
                return Some(SourceFile { name, text: text.into() });
            }
            Ok(Err(_)) => self.problem(path, "is not UTF-8 text", "save it as UTF-8"),
            Err(error) => self.failed(path, &error),
        }
        None
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        let (problem, remedy) = match error.kind() {
            io::ErrorKind::NotFound => ("does not exist".to_owned(), "check the path"),
            io::ErrorKind::PermissionDenied => {
                ("may not be read by this user".to_owned(), "change its owner or its mode")
            }
            _ => (format!("cannot be read: {error}"), "check the path"),
        };
        self.problem(path, &problem, remedy);
    }

    fn problem(&mut self, path: &Path, problem: &str, remedy: &'static str) {
        self.unreadable.push(Unreadable { path: path.to_owned(), problem: problem.to_owned(), remedy });
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_configuration(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    matches!(ending.as_deref(), Some("yaml" | "yml" | "json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    #[test]
    fn a_directory_is_read_in_the_order_of_names_and_without_strangers() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["b.yaml", "a/z.yml", "a/y.JSON", "notes.txt", ".b.yaml.swp", ".git/c.yaml", "b.yaml~"] {
            write(root.path(), name, name);
        }

        let files = read(&[root.path().to_owned()]).expect("files");

        let texts: Vec<&str> = files.iter().map(|file| &*file.text).collect();
        assert_eq!(texts, ["a/y.JSON", "a/z.yml", "b.yaml"]);
    }

    #[test]
    fn a_file_that_was_named_is_read_whatever_it_is_called() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), "gateway.conf", "kind: Gateway");

        assert_eq!(read(&[root.path().join("gateway.conf")]).expect("a file").len(), 1);
    }

    #[test]
    fn everything_that_cannot_be_read_is_reported_at_once() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("empty")).expect("a directory");
        std::fs::write(root.path().join("binary.yaml"), [0xff, 0xfe]).expect("a file");
        let paths = ["missing.yaml", "empty", "binary.yaml"].map(|name| root.path().join(name));

        let unreadable = read(&paths).expect_err("three problems");

        let problems: Vec<&str> = unreadable.iter().map(|one| one.problem.as_str()).collect();
        assert_eq!(problems, ["does not exist", "holds no configuration", "is not UTF-8 text"]);
    }

    #[test]
    fn a_file_that_stayed_is_not_opened_again_and_one_that_changed_is() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), "a.yaml", "one");
        write(root.path(), "b.yaml", "one");
        let (paths, mut reader) = ([root.path().to_owned()], Reader::default());
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 33);

        let before = reader.read_at(later, &paths).expect("files");
        std::fs::write(root.path().join("draft"), "two").expect("a file");
        std::fs::rename(root.path().join("draft"), root.path().join("b.yaml")).expect("a rename");
        let after = reader.read_at(later, &paths).expect("files");

        assert!(Arc::ptr_eq(&before[0].text, &after[0].text), "nobody touched it");
        assert_eq!(&*after[1].text, "two", "the same size, another file");
        std::fs::remove_file(root.path().join("a.yaml")).expect("a file");
        assert_eq!(reader.read_at(later, &paths).expect("files"), after[1..]);
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_opened_whatever_the_system_says() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), "a.yaml", "one");
        let (paths, mut reader) = ([root.path().to_owned()], Reader::default());

        let [first, second] =
            [(); 2].map(|()| reader.read_at(SystemTime::UNIX_EPOCH, &paths).expect("files"));

        assert!(!Arc::ptr_eq(&first[0].text, &second[0].text));
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), "a/b.yaml", "b");
        std::os::unix::fs::symlink(root.path(), root.path().join("a/up")).expect("a link");

        let unreadable = read(&[root.path().to_owned()]).expect_err("a circle");
        assert_eq!(unreadable[0].problem, "is nested too deeply");
    }
}
