//! Matches by path: exact first, then templates, then regular expressions, then the longest prefix by whole segments.
//!
//! Exact and prefix paths are found by hash and then compared byte for byte; a hash is a way to the right
//! shelf, never an answer.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::host_table::Entry;
use super::pattern::Pattern;
use super::segments::{Marks, SegmentHasher, WINDOW};
use super::template::{Template, Templates};
use crate::request::{HeaderView, RequestView};

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The whole path, byte for byte.
    Exact(Arc<str>),
    /// This many whole segments from the left. A trailing slash is not looked at; `/` fits every path.
    Prefix(Arc<str>),
    /// The whole path, segment by segment, some of which are parameters.
    Template(Template),
    /// The whole path matches the pattern.
    Pattern(Pattern),
}

impl PathMatch {
    /// Whether a path fits; the slow way, for explanations and as the reference of the tests.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        match self {
            PathMatch::Exact(text) => text.as_bytes() == path,
            PathMatch::Template(template) => template.covers(path),
            PathMatch::Pattern(pattern) => pattern.matches(path),
            PathMatch::Prefix(text) => path
                .strip_prefix(trim_slash(text.as_bytes()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        match self {
            PathMatch::Exact(text) | PathMatch::Prefix(text) => text,
            PathMatch::Template(template) => template.text(),
            PathMatch::Pattern(pattern) => pattern.text(),
        }
    }
}

/// A prefix without its trailing slash: the form in which prefixes are compared. `/` becomes nothing.
pub(crate) fn trim_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// The entries of one host by path.
#[derive(Debug)]
pub(super) struct PathTable {
    hasher: SegmentHasher,
    exact: Shelf,
    prefix: Shelf,
    templates: Templates,
    /// Longest pattern first, then by precedence.
    patterns: Vec<Entry>,
    /// Most segments of any exact or prefix path: how far a request's path is walked.
    deepest: usize,
    /// Bit `n`: some prefix has `n` segments; bit 63: one has 63 or more.
    prefix_depths: u64,
}

/// Entries by the hash of their path.
#[derive(Debug, Default)]
struct Shelf {
    by_hash: HashMap<u64, u32, BuildHasherDefault<Passed>>,
    places: Vec<Place>,
}

/// The entries of one path, by precedence.
#[derive(Debug)]
struct Place {
    path: Box<[u8]>,
    entries: Vec<Entry>,
    /// Another path with the same hash.
    next: Option<u32>,
}

impl PathTable {
    /// Builds the table; `entries` are sorted by precedence within a path.
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let mut table = PathTable {
            hasher: SegmentHasher::new(),
            exact: Shelf::default(),
            prefix: Shelf::default(),
            templates: Templates::default(),
            patterns: Vec::new(),
            deepest: 0,
            prefix_depths: 0,
        };
        for entry in entries {
            table.insert(entry);
        }
        // The table is never written again.
        table.exact.places.shrink_to_fit();
        table.prefix.places.shrink_to_fit();
        table.patterns.sort_by_key(|entry| std::cmp::Reverse(entry.path.text().len()));
        table
    }

    fn insert(&mut self, entry: Entry) {
        match &entry.path {
            PathMatch::Pattern(_) => self.patterns.push(entry),
            PathMatch::Template(template) => {
                let template = template.clone();
                self.templates.insert(&template, entry);
            }
            PathMatch::Exact(text) => {
                let path = text.clone();
                let (hash, depth) = self.hasher.whole(path.as_bytes());
                self.deepest = self.deepest.max(depth);
                self.exact.insert(hash, path.as_bytes(), entry);
            }
            PathMatch::Prefix(text) => {
                let path = text.clone();
                let path = trim_slash(path.as_bytes());
                let (hash, depth) = self.hasher.whole(path);
                self.deepest = self.deepest.max(depth);
                self.prefix_depths |= depth_bit(depth);
                self.prefix.insert(hash, path, entry);
            }
        }
    }

    /// The first entry by precedence that a request fits.
    pub(super) fn find<H: HeaderView>(&self, request: &RequestView<'_, H>) -> Option<&Entry> {
        let mut marks = Marks::new();
        let whole = self.hasher.mark(request.path, self.deepest, 0, &mut marks);
        whole
            .and_then(|hash| self.exact.find(hash, request.path, request))
            .or_else(|| self.templates.find(request))
            .or_else(|| self.find_pattern(request))
            .or_else(|| self.find_prefix(request, &mut marks))
    }

    fn find_pattern<H: HeaderView>(&self, request: &RequestView<'_, H>) -> Option<&Entry> {
        self.patterns.iter().find(|entry| entry.requirements.hold(request) && entry.path.covers(request.path))
    }

    /// Longest first. `marks` already holds the first window, which is the only one of nearly every table.
    fn find_prefix<H: HeaderView>(&self, request: &RequestView<'_, H>, marks: &mut Marks) -> Option<&Entry> {
        for window in (1..self.deepest.div_ceil(WINDOW)).rev() {
            self.hasher.mark(request.path, self.deepest, window * WINDOW, marks);
            if let Some(entry) = self.find_marked(request, window * WINDOW, marks) {
                return Some(entry);
            }
            if window == 1 {
                self.hasher.mark(request.path, self.deepest, 0, marks);
            }
        }
        self.find_marked(request, 0, marks).or_else(|| self.prefix.find(self.hasher.root(), b"", request))
    }

    fn find_marked<H: HeaderView>(
        &self,
        request: &RequestView<'_, H>,
        base: usize,
        marks: &Marks,
    ) -> Option<&Entry> {
        marks
            .kept()
            .rev()
            .filter(|(position, _)| self.prefix_depths & depth_bit(base + position + 1) != 0)
            .find_map(|(_, mark)| self.prefix.find(mark.hash, &request.path[..mark.end], request))
    }

    /// Every entry in the order of precedence within its kind; for explanations and dumps.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let exact = self.exact.places.iter().flat_map(|place| &place.entries);
        let prefix = self.prefix.places.iter().flat_map(|place| &place.entries);
        exact.chain(self.templates.entries()).chain(&self.patterns).chain(prefix)
    }
}

impl Shelf {
    fn insert(&mut self, hash: u64, path: &[u8], entry: Entry) {
        let mut at = self.by_hash.get(&hash).copied();
        while let Some(place) = at.map(|index| &mut self.places[index as usize]) {
            if *place.path == *path {
                place.entries.push(entry);
                return;
            }
            at = place.next;
        }
        let index = u32::try_from(self.places.len()).expect("fewer than four billion paths under one host");
        let next = self.by_hash.insert(hash, index);
        self.places.push(Place { path: path.into(), entries: vec![entry], next });
    }

    fn find<H: HeaderView>(&self, hash: u64, path: &[u8], request: &RequestView<'_, H>) -> Option<&Entry> {
        let mut at = self.by_hash.get(&hash).copied();
        while let Some(place) = at.map(|index| &self.places[index as usize]) {
            if *place.path == *path {
                return place.entries.iter().find(|entry| entry.requirements.hold(request));
            }
            at = place.next;
        }
        None
    }
}

fn depth_bit(depth: usize) -> u64 {
    1 << depth.min(63)
}

/// The keys are hashes already.
#[derive(Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_whole_segments_and_ignores_its_trailing_slash() {
        let prefix = |text: &str, path: &str| PathMatch::Prefix(text.into()).covers(path.as_bytes());

        assert!(prefix("/foo", "/foo") && prefix("/foo", "/foo/") && prefix("/foo", "/foo/bar"));
        assert!(prefix("/foo/", "/foo") && prefix("/foo/", "/foo/bar"));
        assert!(prefix("/", "/") && prefix("/", "/anything"));
        assert!(!prefix("/foo", "/foobar") && !prefix("/foo/", "/foobar"));
    }
}
