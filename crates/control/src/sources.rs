//! What the files say now, and whether that is news.
//!
//! Watching tells only that something may have happened. Whether it did is decided here, by comparing what was
//! read with what was read before; so a touched file is no change, and a mistake is reported once.

use std::path::PathBuf;
use std::sync::Arc;

use model::FieldPath;
use model::violation::{Subject, Violation, Violations};

use crate::files::{Reader, SourceFile, Unreadable};

/// What a look at the files gave.
pub type Read = Result<Vec<SourceFile>, Violations>;

/// The paths that make up the configuration, and what was last read there.
#[derive(Debug)]
pub struct Sources {
    paths: Vec<PathBuf>,
    reader: Reader,
    last: Option<Read>,
}

impl Sources {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Sources {
        Sources { paths, reader: Reader::default(), last: None }
    }

    /// The paths as the user named them.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads everything, whether or not it changed.
    pub fn read(&mut self) -> Read {
        let read = self.reader.read(&self.paths).map_err(violations);
        self.last = Some(read.clone());
        read
    }

    /// Reads everything; `None` when it says what it said the last time.
    pub fn look(&mut self) -> Option<Read> {
        let before = self.last.take();
        let read = self.read();
        (before.as_ref() != Some(&read)).then_some(read)
    }
}

fn violations(unreadable: Vec<Unreadable>) -> Violations {
    let mut found = Violations::new();
    for one in unreadable {
        found.add(Violation {
            resource: Subject::File,
            file: Some(Arc::from(one.path.display().to_string())),
            line: None,
            field: FieldPath::root(),
            problem: one.problem,
            remedy: Some(one.remedy.to_owned()),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_told_and_a_mistake_only_once() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("a.yaml");
        let mut sources = Sources::new(vec![file.clone()]);

        assert!(sources.look().is_some_and(|read| read.is_err()), "the file is missing");
        assert!(sources.look().is_none(), "it is still missing");
        std::fs::write(&file, "one").expect("a file");
        assert!(sources.look().is_some_and(|read| read.is_ok()));
        std::fs::write(&file, "one").expect("a file");
        assert!(sources.look().is_none(), "the same text was written again");
        std::fs::write(&file, "two").expect("a file");
        assert_eq!(sources.look().expect("news").expect("a file")[0].text.as_ref(), "two");
    }
}
