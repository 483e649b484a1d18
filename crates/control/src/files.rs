//! The files that configuration is read from.
//!
//! A path given by the user is a file, or a directory whose YAML and JSON files are read recursively in the
//! order of their names, so that the same tree always gives the same order of objects. Names that begin with a
//! dot are passed over: editors keep their swap files there, and a mounted ConfigMap its versions.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let mut reading = Reading::default();
    for path in paths {
        reading.named(path);
    }
    if reading.unreadable.is_empty() { Ok(reading.files) } else { Err(reading.unreadable) }
}

#[derive(Default)]
struct Reading {
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
            Ok(_) => self.file(path),
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
                Ok(found) if found.is_file() && is_configuration(path) => self.file(path),
                // Gone between listing and looking, or a link to nothing: not there.
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        if self.files.len() >= FILES_MAX {
            return self.problem(path, "is one file too many (the limit is 10000)", "name fewer directories");
        }
        let left = BYTES_MAX - self.bytes;
        if std::fs::metadata(path).is_ok_and(|found| found.len() > left) {
            return self.problem(path, "is too large (256 MiB are read in all)", "split the configuration");
        }
        match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => {
                self.bytes = self.bytes.saturating_add(text.len() as u64).min(BYTES_MAX);
                let name = path.display().to_string().into();
                self.files.push(SourceFile { name, text: text.into() });
            }
            Ok(Err(_)) => self.problem(path, "is not UTF-8 text", "save it as UTF-8"),
            Err(error) => self.failed(path, &error),
        }
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
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), "a/b.yaml", "b");
        std::os::unix::fs::symlink(root.path(), root.path().join("a/up")).expect("a link");

        let unreadable = read(&[root.path().to_owned()]).expect_err("a circle");
        assert_eq!(unreadable[0].problem, "is nested too deeply");
    }
}
