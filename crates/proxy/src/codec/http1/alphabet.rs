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

/// Lowers the letters of a name in place from `at` on; the position of the first byte that is neither a letter
/// nor `-`. Names are made of these but for rare bytes, which are left to [`NAME_LOWER`].
#[inline(always)]
pub(crate) fn lower_name(bytes: &mut [u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let folded = (word | (ONES * 0x20)) & !HIGH;
        // Additions set the high bit of bytes from `a` on, and from beyond `z` on; no byte carries over.
        let letters = (folded + ONES * 0x1f) & !(folded + ONES * 0x05);
        let not_dashes = ((word ^ (ONES * b'-' as u64)) & !HIGH) + !HIGH;
        let stops = ((!letters & not_dashes) | word) & HIGH;
        let before_stop = stops.wrapping_sub(1) & !stops;
        *chunk = (word | (letters & before_stop & HIGH) >> 2).to_le_bytes();
        if stops != 0 {
            return at + first(stops);
        }
        at += 8;
    }
    at
}

/// Position of the first control byte other than a tab at or after `at`; the length when there is none.
#[inline]
pub(crate) fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some([low, high]) = words_at(bytes, at) {
        let (low, high) = (doubtful(low), doubtful(high));
        if low | high == 0 {
            at += 16;
            continue;
        }
        at += if low != 0 { first(low) } else { 8 + first(high) };
        if is_control(bytes[at]) {
            return at;
        }
        at = skip_unusual(bytes, at + 1);
    }
    while bytes.get(at).is_some_and(|&byte| !is_control(byte)) {
        at += 1;
    }
    at
}

/// Goes over whole words without control bytes, whatever else is in them.
#[inline(never)]
fn skip_unusual(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(bytes, at) {
        if below(word, 0x20) | equal(word, 0x7f) != 0 {
            break;
        }
        at += 8;
    }
    at
}

#[inline(always)]
fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
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

#[inline(always)]
fn words_at(bytes: &[u8], at: usize) -> Option<[u64; 2]> {
    let pair = bytes.get(at..)?.first_chunk::<16>()?;
    let (low, high) = pair.split_at(8);
    Some([u64::from_le_bytes(low.try_into().ok()?), u64::from_le_bytes(high.try_into().ok()?)])
}

/// Flags all control bytes, and bytes above ASCII: cheap, and never too few.
#[inline(always)]
fn doubtful(word: u64) -> u64 {
    (word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & HIGH
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
    fn only_letters_before_the_first_other_byte_are_lowered() {
        for byte in 0..=255_u8 {
            for position in 0..12 {
                let mut text = *b"AbC-xYZ-Qr-sTUVW";
                text[position] = byte;
                let is_plain = byte.is_ascii_alphabetic() || byte == b'-';
                let mut expected = text;
                let end = lower_name(&mut text, 0);

                assert_eq!(end, if is_plain { 16 } else { position }, "{byte:#x} at {position}");
                expected[..end].make_ascii_lowercase();
                assert_eq!(text, expected, "{byte:#x} at {position}");
            }
        }
        assert_eq!(lower_name(&mut b"ABCDEFG".to_owned(), 0), 0, "less than a word is left alone");
    }

    #[test]
    fn a_scan_that_starts_late_does_not_look_back() {
        assert_eq!(text_end(b"\r\nabc\n", 2), 5);
        assert_eq!(text_end(b"abc", 9), 9);
    }
}
