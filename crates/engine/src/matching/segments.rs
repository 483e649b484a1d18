//! Hashes of a path at each of its segment boundaries, in one pass.
//!
//! A prefix match by whole segments is then a hash probe per boundary. How far the pass goes is bounded by
//! the deepest route of the host, not by the request, and the marks stand in a small array on the stack;
//! a table that is deeper than the array is walked in windows.

use std::sync::LazyLock;

use foldhash::fast::RandomState;
use std::hash::BuildHasher;

/// Boundaries kept at once. Real tables are far shallower, so one window is all they take.
pub(super) const WINDOW: usize = 16;

/// Mixed into every hash: nobody outside can prepare routes that collide.
static SEED: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let state = RandomState::default();
    [state.hash_one(1_u8) | 1, state.hash_one(2_u8) | 1]
});

/// A keyed hash of path segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentHasher {
    start: u64,
    factor: u64,
}

/// A boundary: hash of everything before it, and where it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) hash: u64,
    pub(super) end: usize,
}

/// Boundaries of one window of a path.
#[derive(Debug)]
pub(super) struct Marks {
    items: [Mark; WINDOW],
    filled: usize,
}

impl SegmentHasher {
    pub(super) fn new() -> Self {
        let [start, factor] = *SEED;
        SegmentHasher { start, factor }
    }

    /// Hash of nothing: the boundary before the first segment.
    pub(super) fn root(self) -> u64 {
        self.start
    }

    /// Hash of a whole path, and how many segments it has.
    pub(super) fn whole(self, path: &[u8]) -> (u64, usize) {
        let mut hash = self.start;
        let mut depth = 0;
        for segment in segments(path) {
            hash = self.absorb(hash, &path[segment]);
            depth += 1;
        }
        (hash, depth)
    }

    /// Walks at most `deepest` segments and keeps the boundaries after `base` of them, a window full. Returns
    /// the hash of the whole path, if that was reached.
    pub(super) fn mark(self, path: &[u8], deepest: usize, base: usize, marks: &mut Marks) -> Option<u64> {
        marks.filled = 0;
        let mut hash = self.start;
        for (depth, segment) in segments(path).enumerate() {
            if depth == deepest {
                return None;
            }
            let end = segment.end;
            hash = self.absorb(hash, &path[segment]);
            if depth >= base && marks.filled < WINDOW {
                marks.items[marks.filled] = Mark { hash, end };
                marks.filled += 1;
            }
        }
        Some(hash)
    }

    /// Takes in one segment. The length goes in too, so that padding cannot be mistaken for content.
    fn absorb(self, hash: u64, segment: &[u8]) -> u64 {
        let (words, tail) = segment.as_chunks::<8>();
        let mut hash = hash;
        for word in words {
            hash = fold(hash ^ u64::from_le_bytes(*word), self.factor);
        }
        let mut padded = [0; 8];
        padded[..tail.len()].copy_from_slice(tail);
        fold(hash ^ u64::from_le_bytes(padded), self.factor ^ (segment.len() as u64) << 1)
            .wrapping_add(self.start)
    }
}

impl Marks {
    pub(super) fn new() -> Self {
        Marks { items: [Mark::default(); WINDOW], filled: 0 }
    }

    /// The boundaries with their position in the window, shallowest first.
    pub(super) fn kept(&self) -> impl DoubleEndedIterator<Item = (usize, Mark)> + '_ {
        self.items[..self.filled].iter().copied().enumerate()
    }
}

/// Ranges of the segments of a path that begins with `/`; `/a/` has two, the second one empty, and `/` has
/// one, empty. A path that does not begin with `/` has its first segment cut short like any other.
fn segments(path: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut next = (!path.is_empty()).then_some(1);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = path.get(start..)?;
        let end = start + rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        next = (end < path.len()).then_some(end + 1);
        Some(start..end)
    })
}

/// A product folded on itself: every bit of the result depends on every bit of both factors.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_hashes_like_the_prefix_on_its_own() {
        let hasher = SegmentHasher::new();
        let path = b"/shop/a-rather-long-segment/x/";
        let mut marks = Marks::new();

        let whole = hasher.mark(path, 10, 0, &mut marks);

        let kept: Vec<Mark> = marks.kept().map(|(_, mark)| mark).collect();
        assert_eq!(kept.len(), 4);
        for mark in kept {
            assert_eq!(mark.hash, hasher.whole(&path[..mark.end]).0);
        }
        assert_eq!(whole, Some(hasher.whole(path).0));
    }

    #[test]
    fn padding_and_trailing_slashes_change_the_hash() {
        let hasher = SegmentHasher::new();
        let paths: [&[u8]; 8] = [b"", b"/", b"/a", b"/a/", b"/a\0", b"/a/\0", b"/12345678", b"/12345678\0"];
        let hashes: std::collections::HashSet<u64> = paths.iter().map(|path| hasher.whole(path).0).collect();
        assert_eq!(hashes.len(), paths.len());
    }

    #[test]
    fn the_walk_stops_at_the_deepest_route() {
        let hasher = SegmentHasher::new();
        let mut marks = Marks::new();

        assert_eq!(hasher.mark(b"/a/b/c", 2, 0, &mut marks), None);
        assert_eq!(marks.kept().count(), 2);
        assert!(hasher.mark(b"/a/b", 2, 0, &mut marks).is_some());
    }
}
