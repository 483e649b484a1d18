//! The one view of path and host on which routing, policy, logs and the upstream agree.
//!
//! Most ways around an access rule are two spellings of one path: the rule looks at one, the server serves the
//! other. So a path is brought into one spelling before anyone looks at it, and that spelling is what travels
//! on. What cannot be brought into one spelling safely is refused.
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

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

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

/// Byte classes of [`is_plain`].
const SLASH: u8 = 1;
const DOT: u8 = 2;
const ODD: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [ODD; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = match byte as u8 {
            b'/' => SLASH,
            b'.' => DOT,
            b'%' | b'\\' | b'?' | b'#' => ODD,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// Whether a path is canonical at first sight: no escape, no `//`, no segment that begins with a dot. Nearly
/// every path is, and then nothing is written.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let mut odd = 0;
    let mut before = 0;
    for &byte in bytes {
        let class = CLASS[byte as usize];
        odd |= class & ODD;
        odd |= (before & SLASH) & (class | class >> 1);
        before = class;
    }
    odd == 0 && bytes.first() == Some(&b'/')
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
                b'\\' => self.odd_slash(&[b'\\'])?,
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

/// `host[:port]`, as `Host`, `:authority` and absolute targets have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Bytes of the canonical host, at the start of the same slice; an IPv6 address keeps its brackets.
    pub host: usize,
    /// The port, if one is named.
    pub port: Option<u16>,
    /// Bytes of the canonical `host[:port]`.
    pub length: usize,
}

/// Longest host name (RFC 1035 section 2.3.4, in text form).
const NAME_BYTES_MAX: usize = 253;
/// Longest part between dots.
const LABEL_BYTES_MAX: usize = 63;

static HOST_LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_') {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Brings `host[:port]` into its canonical spelling, in place: lower case, no trailing dot, IPv6 as RFC 5952
/// writes it. Names are letters, digits, `-` and `_` between dots; a name that ends in a number must be an
/// IPv4 address in four decimal parts, because other spellings (`127.1`, `0x7f.1`) are addresses to some.
///
/// # Errors
/// [`Failure::BadHost`] when it is anything else; an empty port (`name:`) is refused too.
#[inline]
pub fn host(bytes: &mut [u8]) -> Result<Authority, Failure> {
    let read = if bytes.first() == Some(&b'[') { ipv6_end(bytes) } else { name_end(bytes) };
    let (kept, end) = read.ok_or(Failure::BadHost)?;
    if end == bytes.len() {
        return Ok(Authority { host: kept, port: None, length: kept });
    }
    let port = match bytes[end] {
        b':' => port(&bytes[end + 1..]),
        _ => None,
    };
    let port = port.ok_or(Failure::BadHost)?;
    let length = kept + bytes.len() - end;
    bytes.copy_within(end.., kept);
    Ok(Authority { host: kept, port: Some(port), length })
}

/// Lowers a name; its canonical length, and where it ends in the text.
#[inline]
fn name_end(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let mut label = 0;
    let mut end = 0;
    for byte in bytes.iter_mut() {
        let lower = HOST_LOWER[*byte as usize];
        if lower == 0 {
            break;
        }
        if lower == b'.' {
            if end == label || end - label > LABEL_BYTES_MAX {
                return None;
            }
            label = end + 1;
        }
        *byte = lower;
        end += 1;
    }
    let kept = if end > 0 && label == end { end - 1 } else { end };
    if kept == 0 || kept > NAME_BYTES_MAX || end - label > LABEL_BYTES_MAX {
        return None;
    }
    // The last label decides: only names whose last byte is a digit or a hexadecimal one can end in a number.
    if bytes[kept - 1].is_ascii_hexdigit() && ends_in_number(&bytes[..kept]) && !is_ipv4(&bytes[..kept]) {
        return None;
    }
    Some((kept, end))
}

/// Whether the last label is a number to an address parser: decimal, or `0x` and hexadecimal digits.
fn ends_in_number(name: &[u8]) -> bool {
    let last = name.rsplit(|&byte| byte == b'.').next().unwrap_or(name);
    match last {
        [b'0', b'x', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

fn is_ipv4(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Rewrites `[address]`; its canonical length, and where it ends in the text.
fn ipv6_end(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let close = bytes.iter().position(|&byte| byte == b']')?;
    let address: Ipv6Addr = std::str::from_utf8(&bytes[1..close]).ok()?.parse().ok()?;
    let mut text = ShortText { bytes: [0; 48], length: 0 };
    write!(text, "{address}").ok()?;
    let kept = text.length + 2;
    if kept > close + 1 {
        return None; // an IPv4-mapped address in hexadecimal: nobody is known by that
    }
    bytes[1..=text.length].copy_from_slice(&text.bytes[..text.length]);
    bytes[kept - 1] = b']';
    Some((kept, close + 1))
}

/// Room for an address as text, without allocating.
struct ShortText {
    bytes: [u8; 48],
    length: usize,
}

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A port: 1 to 65535, decimal, no leading zero.
fn port(digits: &[u8]) -> Option<u16> {
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = digits.iter().fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).ok()
}
