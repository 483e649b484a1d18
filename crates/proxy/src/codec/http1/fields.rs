//! One field line: `name: value` (RFC 9112 section 5), or the blank line that ends the section.
//!
//! No leniency at all: every byte that some implementation reads differently (a bare line feed, white space
//! before the colon, a folded line, a control byte) has been somebody's request smuggling.

use crate::message::{Field, Span};

use super::alphabet::{NAME_LOWER, lower_name, text_end};
use super::names::classify;

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

/// Reads the line that starts at `start`.
#[inline]
pub(super) fn read_line(bytes: &mut [u8], start: usize) -> Line {
    let mut at = lower_name(bytes, start);
    let mut underscore = false;
    let stop = loop {
        let Some(byte) = bytes.get_mut(at) else { return Line::Incomplete };
        let lower = NAME_LOWER[*byte as usize];
        if lower != 0 {
            *byte = lower;
        } else if *byte == b'_' {
            underscore = true;
        } else {
            break *byte;
        }
        at += 1;
    };
    if stop != b':' || at == start {
        return blank_line(bytes, start, at);
    }
    let name = Span::new(start, at);
    let Some((value, next)) = read_value(bytes, at + 1) else {
        return Line::Malformed;
    };
    if next == 0 {
        return Line::Incomplete;
    }
    let known = classify(name.of(bytes));
    Line::Field { field: Field { name, value, known }, underscore, next }
}

/// The line has no name and colon: it is blank, cut off, or bad.
fn blank_line(bytes: &[u8], start: usize, at: usize) -> Line {
    match (at == start, bytes.get(start), bytes.get(start + 1)) {
        (true, Some(b'\r'), Some(b'\n')) => Line::Blank { next: start + 2 },
        (true, Some(b'\r'), None) => Line::Incomplete,
        _ => Line::Malformed,
    }
}

/// The value that starts at `at`, trimmed, and the start of the next line: 0 when the line is cut off, `None`
/// when it holds a byte that no value holds.
#[inline]
fn read_value(bytes: &[u8], mut at: usize) -> Option<(Span, usize)> {
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    let stop = text_end(bytes, at);
    let next = match (bytes.get(stop), bytes.get(stop + 1)) {
        (Some(b'\r'), Some(b'\n')) => stop + 2,
        (None, _) | (Some(b'\r'), None) => 0,
        _ => return None,
    };
    let mut end = stop;
    while end > at && matches!(bytes[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    Some((Span::new(at, end), next))
}
