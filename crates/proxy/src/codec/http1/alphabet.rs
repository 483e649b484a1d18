//! Which bytes may stand where, and how to run over them quickly.
//!
//! Long runs (values, targets) are checked eight bytes at a time in one register. The masks below may flag
//! bytes *above* a true hit wrongly, because a subtraction borrows upwards, but the lowest flag is always
//! right, and only the lowest is used.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The lower-case form of a byte that may stand in a field name; 0 for all others. `_` is left out on purpose:
/// it is legal, but it must be noticed (some servers read it as `-`).
pub(crate) static NAME_LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if is_token_byte(byte as u8) && byte as u8 != b'_' {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
#[inline]
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z'
        | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Whether `text` is a token: not empty, and nothing but token bytes.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Position of the first control byte other than a tab at or after `at`; the length when there is none.
#[inline]
pub(crate) fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        let stops = below(word, 0x20) | equal(word, 0x7f);
        if stops == 0 {
            at += 8;
            continue;
        }
        at += first(stops);
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    while let Some(&byte) = bytes.get(at) {
        if (byte < 0x20 && byte != b'\t') || byte == 0x7f {
            return at;
        }
        at += 1;
    }
    at
}

/// Position of the first byte at or after `at` that ends a path: anything but visible ASCII, `?` or `#`.
#[inline]
pub(crate) fn path_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        let stops = invisible(word) | equal(word, b'?') | equal(word, b'#');
        if stops != 0 {
            return at + first(stops);
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, 0..=0x20 | 0x7f.. | b'?' | b'#')) {
        at += 1;
    }
    at
}

/// Position of the first byte at or after `at` that ends a query: anything but visible ASCII, or `#`.
#[inline]
pub(crate) fn query_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        let stops = invisible(word) | equal(word, b'#');
        if stops != 0 {
            return at + first(stops);
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, 0..=0x20 | 0x7f.. | b'#')) {
        at += 1;
    }
    at
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    rest.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Index of the lowest flagged byte.
#[inline(always)]
fn first(flags: u64) -> usize {
    (flags.trailing_zeros() / 8) as usize
}

#[inline(always)]
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & HIGH
}

#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGH
}

#[inline(always)]
fn invisible(word: u64) -> u64 {
    below(word, 0x21) | (word & HIGH) | equal(word, 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte value at every position of a word and of a tail, against the plain definition.
    fn agrees(scan: fn(&[u8], usize) -> usize, stops: fn(u8) -> bool) {
        for length in [1, 7, 8, 9, 16, 19] {
            for position in 0..length {
                for byte in 0..=255 {
                    for filler in [b'a', 0x80, 0xff, b' ', b'!'] {
                        if stops(filler) {
                            continue;
                        }
                        let mut text = vec![filler; length];
                        text[position] = byte;
                        let expected = text.iter().position(|&b| stops(b)).unwrap_or(length);
                        assert_eq!(scan(&text, 0), expected, "{byte:#x} at {position} of {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn text_ends_at_the_first_control_byte_but_tab() {
        agrees(text_end, |byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f);
    }

    #[test]
    fn a_path_ends_at_the_first_byte_no_path_holds() {
        agrees(path_end, |byte| !(0x21..0x7f).contains(&byte) || byte == b'?' || byte == b'#');
    }

    #[test]
    fn a_query_ends_at_the_first_byte_no_query_holds() {
        agrees(query_end, |byte| !(0x21..0x7f).contains(&byte) || byte == b'#');
    }

    #[test]
    fn a_scan_that_starts_late_does_not_look_back() {
        assert_eq!(text_end(b"\r\nabc\n", 2), 5);
        assert_eq!(text_end(b"abc", 9), 9);
    }
}
