//! Paths: one spelling, or a refusal.
//!
//! | in the path                                    | `Reject` | `Redirect`, `Decode` | `Keep`      |
//! |------------------------------------------------|----------|----------------------|-------------|
//! | escape of a letter, digit, `-`, `.`, `_`, `~`  | decoded  | decoded              | decoded     |
//! | other escape                                   | digits in upper case | the same | the same    |
//! | `.` and `..` segments                          | resolved | resolved             | resolved    |
//! | `..` above the root                            | refused  | stays at the root    | stays at the root |
//! | `.` or `..` segment written with an escape     | refused  | resolved             | resolved    |
//! | `//`                                           | refused  | one slash            | left        |
//! | `%2f`, `\`, `%5c`                              | refused  | a slash              | left        |
//! | the three lines above beside a dot segment     | refused  | resolved             | refused     |
//! | an escaped escape of `.`, `/`, `\`, `%` or a control byte (`%252e`) | refused | refused | left |
//! | `;` behind the dots of a dot segment           | refused  | refused              | refused     |
//! | broken escape, escaped control byte, overlong UTF-8 | refused | refused          | refused     |
//!
//! `;` elsewhere is an ordinary character: `/admin;x` is not `/admin`. `Keep` is for upstreams to which an
//! escaped or doubled slash is data; rules then see exactly what such an upstream sees.

use engine::config::PathPolicy;

use crate::failure::Failure;

/// A path that was brought into its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// Bytes of the canonical path, at the start of the same slice.
    pub length: usize,
    /// Whether it differs from what came in.
    pub changed: bool,
}

/// Brings a path (without query) into its canonical spelling, in place. It never grows.
///
/// # Errors
/// [`Failure::BadTarget`] when it does not begin with `/` or holds a byte no path may hold,
/// [`Failure::AmbiguousPath`] when the policy refuses it; the bytes are then in no defined state.
#[inline]
pub fn path(bytes: &mut [u8], policy: PathPolicy) -> Result<Canonical, Failure> {
    if is_plain(bytes) {
        return Ok(Canonical { length: bytes.len(), changed: false });
    }
    Rewriter { bytes, policy, read: 1, write: 1, segment: 1, piece: 1, dot_escaped: false, changed: false }
        .run()
}

/// Whether a path is canonical at first sight: no escape, no backslash, no `//`, no segment that begins with a
/// dot, nothing but visible ASCII. Nearly every path is, and then nothing is written. A doubt is a no.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if bytes.first() != Some(&b'/') {
        return false;
    }
    let (words, _) = bytes.as_chunks::<8>();
    let Some(last) = bytes.last_chunk::<8>() else { return is_plain_short(bytes) };
    let mut slash_before = 0;
    let mut doubts = 0;
    for word in words {
        let (doubt, slashes) = doubts_of(u64::from_le_bytes(*word), slash_before);
        doubts |= doubt;
        slash_before = slashes >> 56;
    }
    // The last word overlaps the one before it and so sees every pair of bytes that the loop did not.
    doubts |= doubts_of(u64::from_le_bytes(*last), 0).0;
    doubts == 0
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Flags in the high bits of bytes: those that make a path doubtful, and the slashes. A flag above another may
/// be wrong, which costs no more than a closer look.
#[inline(always)]
fn doubts_of(word: u64, slash_before: u64) -> (u64, u64) {
    let equals = |byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference & HIGH
    };
    let slashes = equals(b'/');
    let after_slash = slashes << 8 | slash_before;
    let invisible = (word.wrapping_sub(ONES * 0x21) | word.wrapping_add(ONES)) & HIGH;
    let odd = equals(b'%') | equals(b'\\') | equals(b'?') | equals(b'#');
    (invisible | odd | after_slash & (slashes | equals(b'.')), slashes)
}

fn is_plain_short(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'%' | b'\\' | b'?' | b'#');
    bytes.iter().all(is_plain) && !bytes.windows(2).any(|two| matches!(two, [b'/', b'/' | b'.']))
}

/// Writes the canonical path over the path it reads. `write` never overtakes `read`.
struct Rewriter<'a> {
    bytes: &'a mut [u8],
    policy: PathPolicy,
    read: usize,
    write: usize,
    /// Where the segment being written starts, just after its slash.
    segment: usize,
    /// Where the part of it after the last escaped slash or backslash starts (`Keep` only).
    piece: usize,
    /// A dot of this piece was written as an escape.
    dot_escaped: bool,
    changed: bool,
}

impl Rewriter<'_> {
    fn run(mut self) -> Result<Canonical, Failure> {
        if self.bytes.first() != Some(&b'/') {
            return Err(Failure::BadTarget);
        }
        while self.read < self.bytes.len() {
            match self.bytes[self.read] {
                b'/' => self.end_segment(false)?,
                b'\\' => self.odd_slash(b"\\")?,
                b'%' => self.escape()?,
                b'?' | b'#' | ..=0x20 | 0x7f.. => return Err(Failure::BadTarget),
                byte => self.put(byte),
            }
            self.read += 1;
        }
        self.end_segment(true)?;
        self.refuse_hidden()?;
        let changed = self.changed || self.write != self.bytes.len();
        Ok(Canonical { length: self.write, changed })
    }

    fn put(&mut self, byte: u8) {
        self.changed |= self.bytes[self.write] != byte;
        self.bytes[self.write] = byte;
        self.write += 1;
    }

    /// An escape; `read` is left at its last byte.
    fn escape(&mut self) -> Result<(), Failure> {
        let value = escape_at(self.bytes, self.read).ok_or(Failure::AmbiguousPath)?;
        self.read += 2;
        match value {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => self.put(value),
            b'.' => {
                self.dot_escaped = true;
                self.put(value);
            }
            b'/' | b'\\' => self.odd_slash(&escaped(value))?,
            ..=0x1f | 0x7f => return Err(Failure::AmbiguousPath),
            _ => escaped(value).into_iter().for_each(|byte| self.put(byte)),
        }
        Ok(())
    }

    /// What some servers take for a slash; `spelling` is how it stays when it stays.
    fn odd_slash(&mut self, spelling: &[u8]) -> Result<(), Failure> {
        match self.policy {
            PathPolicy::Reject => Err(Failure::AmbiguousPath),
            PathPolicy::Redirect | PathPolicy::Decode => self.end_segment(false),
            PathPolicy::Keep => {
                if self.piece_kind()? != Piece::Name {
                    return Err(Failure::AmbiguousPath);
                }
                spelling.iter().for_each(|&byte| self.put(byte));
                self.piece = self.write;
                self.dot_escaped = false;
                Ok(())
            }
        }
    }

    /// What the piece that was just written would be to a server that splits here.
    fn piece_kind(&self) -> Result<Piece, Failure> {
        let piece = &self.bytes[self.piece..self.write];
        let dots = piece.iter().take_while(|&&byte| byte == b'.').count();
        let rest = &piece[dots..];
        match dots {
            1 | 2 if rest.starts_with(b";") || rest.starts_with(b"%3B") => Err(Failure::AmbiguousPath),
            1 | 2 if rest.is_empty() && self.dot_escaped && self.policy == PathPolicy::Reject => {
                Err(Failure::AmbiguousPath)
            }
            1 if rest.is_empty() => Ok(Piece::Here),
            2 if rest.is_empty() => Ok(Piece::Up),
            _ => Ok(Piece::Name),
        }
    }

    /// The segment ends, at a slash or at the end of the path.
    fn end_segment(&mut self, is_last: bool) -> Result<(), Failure> {
        let kind = self.piece_kind()?;
        if kind != Piece::Name && self.piece != self.segment {
            return Err(Failure::AmbiguousPath); // `a%2f..`, which is `/` to those who decode first
        }
        match kind {
            Piece::Here => self.write = self.segment,
            Piece::Up => self.up()?,
            Piece::Name => self.close_name(is_last)?,
        }
        self.segment = self.write;
        self.piece = self.write;
        self.dot_escaped = false;
        Ok(())
    }

    fn close_name(&mut self, is_last: bool) -> Result<(), Failure> {
        if is_last {
            return Ok(());
        }
        let is_empty = self.write == self.segment;
        match self.policy {
            PathPolicy::Reject if is_empty => return Err(Failure::AmbiguousPath),
            PathPolicy::Redirect | PathPolicy::Decode if is_empty => {}
            PathPolicy::Reject | PathPolicy::Redirect | PathPolicy::Decode | PathPolicy::Keep => {
                self.put(b'/')
            }
        }
        Ok(())
    }

    /// Takes back the segment before this one.
    fn up(&mut self) -> Result<(), Failure> {
        if self.segment == 1 {
            self.write = 1;
            return match self.policy {
                PathPolicy::Reject => Err(Failure::AmbiguousPath),
                PathPolicy::Redirect | PathPolicy::Decode | PathPolicy::Keep => Ok(()),
            };
        }
        let before = &self.bytes[..self.segment - 1];
        let start = before.iter().rposition(|&byte| byte == b'/').map_or(1, |slash| slash + 1);
        if has_two_readings(&before[start..]) {
            return Err(Failure::AmbiguousPath); // `a//../b` and `a%2fb/../c`, possible under `Keep` only
        }
        self.write = start;
        Ok(())
    }

    /// Escapes that only a second decoding, or a careless one, turns into something.
    fn refuse_hidden(&self) -> Result<(), Failure> {
        let path = &self.bytes[..self.write];
        let twice_is_fine = self.policy == PathPolicy::Keep;
        for at in memchr::memchr_iter(b'%', path) {
            let first = escape_at(path, at).unwrap_or(b'%');
            if (first == b'%' && !twice_is_fine && hides_escape(path, at)) || is_overlong(path, at, first) {
                return Err(Failure::AmbiguousPath);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// `.`
    Here,
    /// `..`
    Up,
    /// Anything else, nothing included.
    Name,
}

/// Whether a finished segment could be none, or two, to another server.
fn has_two_readings(segment: &[u8]) -> bool {
    segment.is_empty()
        || segment.contains(&b'\\')
        || segment.windows(3).any(|window| window == b"%2F" || window == b"%5C")
}

/// Whether the `%25` at `at` escapes an escape that would matter.
fn hides_escape(path: &[u8], at: usize) -> bool {
    let (Some(high), Some(low)) = (path.get(at + 3), path.get(at + 4)) else { return false };
    match (hex(*high), hex(*low)) {
        (Some(high), Some(low)) => matches!(high << 4 | low, 0..=0x1f | 0x7f | b'.' | b'/' | b'\\' | b'%'),
        _ => false,
    }
}

/// Whether an escaped UTF-8 sequence is longer than its character needs: `%C0%AF` was once a slash.
fn is_overlong(path: &[u8], at: usize, first: u8) -> bool {
    let Some(second) = escape_at(path, at + 3) else { return false };
    match first {
        0xc0 | 0xc1 => (0x80..=0xbf).contains(&second),
        0xe0 => (0x80..=0x9f).contains(&second),
        0xf0 => (0x80..=0x8f).contains(&second),
        0xf8..=0xfd => (0x80..=0xbf).contains(&second),
        _ => false,
    }
}

fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3)? {
        [b'%', high, low] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn escaped(value: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(value >> 4)], DIGITS[usize::from(value & 15)]]
}

#[cfg(test)]
mod tests;
