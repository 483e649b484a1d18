//! One field line: `name: value` (RFC 9112 section 5), or the blank line that ends the section.
//!
//! No leniency at all: every byte that some implementation reads differently (a bare line feed, white space
//! before the colon, a folded line, a control byte) has been somebody's request smuggling.

use crate::message::{Field, Span};

use super::alphabet::{NAME_LOWER, lower_name, text_end};
use crate::message::names::classify;

/// What stands at the start of a line.
pub(super) enum Line {
    /// A field; its name was lowered in place.
    Field {
        /// The field, classified.
        field: Field,
        /// The name contains `_`.
        underscore: bool,
        /// Start of the next line.
        next: usize,
    },
    /// The blank line.
    Blank {
        /// First byte after it.
        next: usize,
    },
    /// The line goes on beyond the bytes at hand.
    Incomplete,
    /// It is not a field line.
    Malformed,
}

/// Reads the line that starts at `start`. Always inlined: what it found would otherwise go through memory, which
/// costs more than a tenth of the whole parse.
#[inline(always)]
pub(super) fn read_line(bytes: &mut [u8], start: usize) -> Line {
    let mut end = lower_name(bytes, start);
    let mut underscore = false;
    if bytes.get(end) != Some(&b':') {
        (end, underscore) = lower_odd_name(bytes, end);
        if bytes.get(end) != Some(&b':') {
            return line_without_colon(bytes, start, end);
        }
    }
    if end == start {
        return Line::Malformed;
    }
    let name = Span::new(start, end);
    let (value, stop) = read_value(bytes, end + 1);
    if bytes.get(stop..stop + 2) != Some(b"\r\n") {
        return line_without_end(bytes, stop);
    }
    let known = classify(name.of(bytes));
    Line::Field { field: Field { name, value, known }, underscore, next: stop + 2 }
}

/// Goes on where [`lower_name`] has stopped, byte by byte: where the name ends, and whether it holds a `_`.
#[inline(never)]
fn lower_odd_name(bytes: &mut [u8], mut at: usize) -> (usize, bool) {
    let mut underscore = false;
    while let Some(byte) = bytes.get_mut(at) {
        let lower = NAME_LOWER[*byte as usize];
        if lower != 0 {
            *byte = lower;
        } else if *byte == b'_' {
            underscore = true;
        } else {
            break;
        }
        at += 1;
    }
    (at, underscore)
}

/// The name is not followed by a colon: the line is blank, cut off, or bad.
fn line_without_colon(bytes: &[u8], start: usize, end: usize) -> Line {
    match (end == start, bytes.get(end), bytes.get(end + 1)) {
        (true, Some(b'\r'), Some(b'\n')) => Line::Blank { next: start + 2 },
        (_, None, _) | (true, Some(b'\r'), None) => Line::Incomplete,
        _ => Line::Malformed,
    }
}

/// The text of the line does not end in CRLF at `stop`: it is cut off there, or holds a byte that no value holds.
#[cold]
fn line_without_end(bytes: &[u8], stop: usize) -> Line {
    match (bytes.get(stop), bytes.get(stop + 1)) {
        (None, _) | (Some(b'\r'), None) => Line::Incomplete,
        _ => Line::Malformed,
    }
}

/// The value that starts at `at`, trimmed, and where the text of the line stops.
#[inline(always)]
fn read_value(bytes: &[u8], mut at: usize) -> (Span, usize) {
    // One space is what everybody writes.
    if bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    let stop = text_end(bytes, at);
    let (mut start, mut end) = (at, stop);
    // Nothing below a space is left but the tab.
    if stop > at && (bytes[at] <= b' ' || bytes[stop - 1] <= b' ') {
        (start, end) = trim(bytes, at, stop);
    }
    (Span::new(start, end), stop)
}

/// Leaves out white space on both sides. Of nothing but white space, the empty end of it is left.
#[cold]
fn trim(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let is_space = |at: usize| matches!(bytes[at], b' ' | b'\t');
    while start < end && is_space(start) {
        start += 1;
    }
    while end > start && is_space(end - 1) {
        end -= 1;
    }
    (start, end)
}
