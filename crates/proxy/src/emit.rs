//! How fields are put down: edits applied, names and values written, numbers in digits.
//!
//! Requests towards upstreams and answers towards clients are written by the same few functions, so that a
//! filter means the same in both directions.

use engine::config::HeaderEdits;

use crate::buffer::Text;
use crate::message::Field;

/// Whether an edit takes the client's values of a field out.
pub fn is_replaced(edits: &[Option<&HeaderEdits>], name: &[u8]) -> bool {
    edits.iter().flatten().any(|edits| {
        edits.set.iter().any(|(set, _)| **set == *name)
            || edits.remove.iter().any(|removed| **removed == *name)
    })
}

/// Puts down what the edits set and add.
pub fn emit_edits(edits: &[Option<&HeaderEdits>], emit: &mut impl FnMut(&[u8], &[u8])) {
    for (index, current) in edits.iter().enumerate() {
        let Some(current) = current else { continue };
        for (name, value) in current.set.iter().chain(&current.add) {
            if !is_replaced(&edits[index + 1..], name) {
                emit(name, value);
            }
        }
    }
}

/// Puts down the length of a body that is another than the one that came.
pub fn emit_length(length: u64, emit: &mut impl FnMut(&[u8], &[u8])) {
    let mut digits = Vec::with_capacity(20);
    write_decimal(length, &mut digits);
    emit(b"content-length", &digits);
}

/// Puts down how much of a limit is left and for how many seconds it counts (draft-ietf-httpapi-ratelimit-headers). The
/// name holds nothing that would have to be escaped.
pub fn emit_limit(name: &str, left: u64, seconds: u64, emit: &mut impl FnMut(&[u8], &[u8])) {
    let mut line = Text::new();
    line.push(b'"');
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\";r=");
    write_decimal(left, &mut line);
    line.extend_from_slice(b";t=");
    write_decimal(seconds, &mut line);
    emit(b"ratelimit", &line);
}

/// Puts one field down in HTTP/1.
#[inline]
pub fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Puts fields down in HTTP/1 as they came in their head's text. Each is judged before it comes here; what stands there
/// just as it would be written (one space before the value and nothing behind it) goes over together with its
/// neighbours.
#[inline]
pub fn put_all<'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f Field>, text: &[u8]) {
    let mut run = 0..0;
    for field in fields {
        let (name, value) = (field.name.range(), field.value.range());
        let line = name.start..value.end + 2;
        let is_plain = value.start == name.end + 2
            && text.get(name.end..value.start) == Some(b": ")
            && text.get(value.end..line.end) == Some(b"\r\n");
        if is_plain && line.start == run.end {
            run.end = line.end;
            continue;
        }
        out.extend_from_slice(&text[run]);
        if is_plain {
            run = line;
        } else {
            run = 0..0;
            put(out, &text[name], &text[value]);
        }
    }
    out.extend_from_slice(&text[run]);
}

/// A number in decimal digits.
pub fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Known, Span};

    #[test]
    fn a_later_edit_replaces_what_an_earlier_one_set() {
        let first = HeaderEdits { set: vec![(b"x-a"[..].into(), b"1"[..].into())], ..Default::default() };
        let second = HeaderEdits { set: vec![(b"x-a"[..].into(), b"2"[..].into())], ..Default::default() };
        let mut seen = Vec::new();

        emit_edits(&[Some(&first), Some(&second)], &mut |name, value| {
            seen.push((name.to_vec(), value.to_vec()))
        });

        assert_eq!(seen, [(b"x-a".to_vec(), b"2".to_vec())]);
    }

    fn field(name: std::ops::Range<usize>, value: std::ops::Range<usize>) -> Field {
        let (name, value) = (Span::new(name.start, name.end), Span::new(value.start, value.end));
        Field { name, value, known: Known::Other }
    }

    #[test]
    fn fields_that_came_one_behind_the_other_are_written_as_each_would_be() {
        let text = b"GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc:3\r\nd:  4 \r\ne: 5\r\nf: 6\r\n\r\n";
        let all: Vec<Field> = [(16, 19), (22, 25), (28, 30), (33, 37), (41, 44), (47, 50)]
            .map(|(name, value)| field(name..name + 1, value..value + 1))
            .into();
        for left_out in 0..1 << all.len() {
            let chosen =
                || all.iter().enumerate().filter(|(at, _)| left_out >> at & 1 == 0).map(|(_, field)| field);
            let (mut together, mut alone) = (Vec::new(), Vec::new());

            put_all(&mut together, chosen(), text);

            chosen().for_each(|field| put(&mut alone, field.name.of(text), field.value.of(text)));
            assert_eq!(String::from_utf8(together), String::from_utf8(alone));
        }
    }

    #[test]
    fn fields_of_a_text_without_line_ends_are_written_with_them() {
        let (text, mut out) = (b"ab1cd22", Vec::new());

        put_all(&mut out, [field(0..2, 2..3), field(3..5, 5..7)].iter(), text);

        assert_eq!(out, b"ab: 1\r\ncd: 22\r\n");
    }

    #[test]
    fn what_is_left_of_a_limit_is_told_in_one_line() {
        let mut told = Vec::new();

        emit_limit("10-per-1s", 7, u64::MAX, &mut |name, value| told.push((name.to_vec(), value.to_vec())));

        assert_eq!(told, [(b"ratelimit".to_vec(), b"\"10-per-1s\";r=7;t=18446744073709551615".to_vec())]);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
