//! Patterns with stars against bytes, in one walk and without a copy.
//!
//! A path is looked at in two ways. Strictly it is what it is. Loosely it is everything that some server might take it
//! for: without parameters, escapes undone, slashes of every kind and number one slash, case folded, with or without a
//! slash at its end. What allows is held against the strict reading and what denies against the loose one, so that no
//! spelling is worth more than another (CVE-2026-73511, CVE-2021-39155, and those before them).

use model::glob::{Glob, Parts};

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    any_before: bool,
    pieces: Box<[Box<[u8]>]>,
    any_after: bool,
    separator: u8,
}

impl Matcher {
    /// A pattern as it is written.
    pub(super) fn new<const SEPARATOR: u8>(glob: &Glob<SEPARATOR>) -> Matcher {
        Matcher::of(&glob.parts(), SEPARATOR, |piece, _| piece.as_bytes().into())
    }

    /// A pattern in lower case, for names that have no case.
    pub(super) fn folded<const SEPARATOR: u8>(glob: &Glob<SEPARATOR>) -> Matcher {
        Matcher::of(&glob.parts(), SEPARATOR, |piece, _| piece.to_ascii_lowercase().as_bytes().into())
    }

    /// A pattern of paths in the loose reading.
    pub(super) fn loose(glob: &Glob<b'/'>) -> Matcher {
        Matcher::of(&glob.parts(), b'/', |piece, is_end| {
            let mut bytes: Vec<u8> = Loose::new(piece.as_bytes()).collect();
            if !is_end && !piece.ends_with('/') {
                bytes.pop(); // The slash that ends every path, and no piece of one.
            }
            bytes.into()
        })
    }

    fn of(parts: &Parts<'_>, separator: u8, mut read: impl FnMut(&str, bool) -> Box<[u8]>) -> Matcher {
        let last = parts.pieces.len().saturating_sub(1);
        let pieces = parts.pieces.iter().enumerate();
        let anything = *parts == Parts { any_before: true, pieces: vec![""], any_after: true };
        let pieces = pieces.map(|(at, piece)| match anything {
            true => Box::default(),
            false => read(piece, at == last && !parts.any_after),
        });
        Matcher {
            any_before: parts.any_before,
            pieces: pieces.collect(),
            any_after: parts.any_after,
            separator,
        }
    }

    /// The one text that it matches, if there is one.
    pub(super) fn literal(&self) -> Option<&str> {
        match (&*self.pieces, self.any_before, self.any_after) {
            ([piece], false, false) => std::str::from_utf8(piece).ok(),
            _ => None,
        }
    }

    /// Whether all of a text matches.
    #[inline]
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        match (&*self.pieces, self.any_before, self.any_after) {
            ([piece], false, false) => **piece == *text,
            ([piece], false, true) => text.starts_with(piece),
            ([piece], true, false) => text.ends_with(piece),
            ([piece], true, true) => memchr::memmem::find(text, piece).is_some(),
            (pieces, _, any_after) => self.walks(pieces, any_after, text.iter().copied()),
        }
    }

    /// Whether the loose reading of a path matches a pattern that was made by [`Matcher::loose`].
    pub(super) fn matches_loosely(&self, path: &[u8]) -> bool {
        let mut text = Loose::new(path);
        match (&*self.pieces, self.any_before, self.any_after) {
            ([piece], true, true) => piece.is_empty() || somewhere(text, piece),
            ([piece], true, false) => match text.clone().count().checked_sub(piece.len()) {
                Some(0) => strip(&mut text, piece),
                Some(before) => text.nth(before - 1).is_some() && strip(&mut text, piece),
                None => false,
            },
            (pieces, _, any_after) => self.walks(pieces, any_after, text),
        }
    }

    /// Piece by piece, with one whole segment between two of them.
    fn walks(
        &self,
        pieces: &[Box<[u8]>],
        any_after: bool,
        mut text: impl Iterator<Item = u8> + Clone,
    ) -> bool {
        let Some((first, rest)) = pieces.split_first() else { return false };
        if !strip(&mut text, first) {
            return false;
        }
        for piece in rest {
            let segment = text.clone().take_while(|byte| *byte != self.separator).count();
            if segment == 0 || text.nth(segment - 1).is_none() || !strip(&mut text, piece) {
                return false;
            }
        }
        any_after || text.next().is_none()
    }
}

/// Takes a piece from the front.
fn strip(text: &mut impl Iterator<Item = u8>, piece: &[u8]) -> bool {
    piece.iter().all(|byte| text.next() == Some(*byte))
}

fn somewhere(mut text: Loose<'_>, piece: &[u8]) -> bool {
    loop {
        if strip(&mut text.clone(), piece) {
            return true;
        }
        if text.next().is_none() {
            return false;
        }
    }
}

/// Whether a path has a segment of dots to somebody who undoes its escapes: it could then be any path.
pub(super) fn could_be_any(path: &[u8]) -> bool {
    if !path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';')) {
        return false;
    }
    let (mut dots, mut others) = (0, 0);
    for byte in Loose::new(path) {
        match byte {
            b'/' if others == 0 && matches!(dots, 1 | 2) => return true,
            b'/' => (dots, others) = (0, 0),
            b'.' => dots += 1,
            _ => others += 1,
        }
    }
    false
}

/// The loose reading of a path, byte by byte. It ends with exactly one slash.
#[derive(Clone)]
struct Loose<'a> {
    rest: &'a [u8],
    last: u8,
    in_parameter: bool,
}

impl<'a> Loose<'a> {
    fn new(path: &'a [u8]) -> Self {
        Loose { rest: path, last: 0, in_parameter: false }
    }

    /// The next byte with all its escapes undone.
    fn unescaped(&mut self) -> Option<u8> {
        let (mut byte, mut rest) = self.rest.split_first()?;
        let mut value = *byte;
        while value == b'%'
            && let Some((high, low)) = hex_digits(rest)
        {
            value = high << 4 | low;
            byte = &rest[1];
            rest = &rest[2..];
        }
        let _ = byte;
        self.rest = rest;
        Some(value)
    }
}

impl Iterator for Loose<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = match self.unescaped() {
                Some(b'\\') => b'/',
                Some(byte) => byte.to_ascii_lowercase(),
                None if self.last == b'/' => return None,
                None => b'/',
            };
            match byte {
                b'/' => {
                    self.in_parameter = false;
                    if self.last == b'/' {
                        continue;
                    }
                }
                b';' => {
                    self.in_parameter = true;
                    continue;
                }
                _ if self.in_parameter => continue,
                _ => {}
            }
            self.last = byte;
            return Some(byte);
        }
    }
}

fn hex_digits(bytes: &[u8]) -> Option<(u8, u8)> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    Some((digit(*bytes.first()?)?, digit(*bytes.get(1)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::glob::{PathGlob, TextGlob};

    fn strict(pattern: &str, path: &str) -> bool {
        Matcher::new(pattern.parse::<PathGlob>().unwrap().glob()).matches(path.as_bytes())
    }

    fn loose(pattern: &str, path: &str) -> bool {
        Matcher::loose(pattern.parse::<PathGlob>().unwrap().glob()).matches_loosely(path.as_bytes())
    }

    #[test]
    fn a_star_at_an_end_is_anything_and_between_one_segment() {
        for (pattern, yes, no) in [
            ("/a", &["/a"][..], &["/a/", "/A", "/ab", "/"][..]),
            ("/a/*", &["/a/", "/a/b", "/a/b/c"], &["/a", "/b/a/"]),
            ("/a*", &["/a", "/ab", "/a/b"], &["/", "/b"]),
            ("*.php", &["/a/b.php", ".php"], &["/a.php/", "/a"]),
            ("*/x*", &["/a/x", "/x/b"], &["/ax"]),
            ("/a/*/b", &["/a/x/b"], &["/a//b", "/a/b", "/a/x/y/b", "/a/x/b/"]),
            ("/a/*/b/*/c/*", &["/a/1/b/2/c/", "/a/1/b/2/c/3/4"], &["/a/1/b/2/c", "/a/1/b/c/d"]),
            ("*", &["/", "", "/x"], &[]),
        ] {
            yes.iter().for_each(|path| assert!(strict(pattern, path), "{pattern} {path}"));
            no.iter().for_each(|path| assert!(!strict(pattern, path), "{pattern} {path}"));
        }
    }

    #[test]
    fn the_loose_reading_is_whatever_a_server_might_take_it_for() {
        for path in [
            "/admin",
            "/admin/",
            "/ADMIN",
            "//admin",
            "/admin;x=1",
            "/admin;/",
            "/;a/admin",
            "/%2Fadmin",
            "/\\admin",
            "/%5Cadmin",
            "/%61dmin",
            "/%2561dmin",
            "/admin//",
            "/admin%2F",
            "/admin%3Bx",
            "/aDmIn;a=b;c/",
        ] {
            assert!(loose("/admin", path), "{path}");
            assert!(loose("*/admin", path), "{path}");
            assert!(loose("*dmi*", path), "{path}");
            assert!(loose("/admin/*", path), "{path}");
        }
        for path in ["/", "/admi", "/admins", "/a/admin", "/admin/users"] {
            assert!(!loose("/admin", path), "{path}");
        }
        assert!(loose("/a/*/c", "/A;p/b;q//C/") && !loose("/a/*/c", "/a//c"));
    }

    #[test]
    fn hidden_dots_make_a_path_that_could_be_any() {
        for path in ["/a%2F..%2Fb", "/%252e%252e/x", "/a/..;x/b", "/%2E/", "/a\\..\\b"] {
            assert!(could_be_any(path.as_bytes()), "{path}");
        }
        for path in ["/a", "/a..b", "/...", "/a;..", "/%20", "/a.b;c"] {
            assert!(!could_be_any(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_bytes_like_others() {
        let glob = |pattern: &str| Matcher::new(&pattern.parse::<TextGlob>().unwrap());

        assert!(glob("*").matches(b"\xff"));
        assert!(glob("a*").matches(b"a\xff"));
        assert!(!glob("a").matches(b"\xff"));
        assert!(glob("a.[b").matches(b"a.[b") && !glob("a.b").matches(b"axb"));
    }
}
