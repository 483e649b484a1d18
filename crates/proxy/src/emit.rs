//! How fields are put down: edits applied, names and values written, numbers in digits.
//!
//! Requests towards upstreams and answers towards clients are written by the same few functions, so that a
//! filter means the same in both directions.

use engine::config::HeaderEdits;

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

/// Puts one field down in HTTP/1.
#[inline]
pub fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
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

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
