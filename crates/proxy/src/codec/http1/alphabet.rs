//! Which bytes may stand where, and how to run over them quickly.
//!
//! Long runs (names, values, targets) are checked a [`Block`] at a time.

use crate::codec::block::{BLOCK, Block, Flags, find};

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
/// nor `-`. Names are made of these but for rare bytes, which are left to [`NAME_LOWER`], as is what no block
/// fits into.
#[inline(always)]
pub(crate) fn lower_name(bytes: &mut [u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        let block = Block::of(chunk);
        let letters = block.with(CASE).within(b'a', b'z');
        // A block has ones above its bits here, so that the end of the block stops as well.
        let length = (!letters.or(block.equal(b'-')).bits()).trailing_zeros() as usize;
        *chunk = block.with_where(CASE, letters.first(length)).bytes();
        at += length;
        if length < BLOCK {
            break;
        }
    }
    at
}

/// The bit by which a small letter differs from its capital.
const CASE: u8 = 0x20;

/// Position of the first control byte other than a tab at or after `at`; the length when there is none.
#[inline]
pub(crate) fn text_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |block| block.within(0, 0x1f).and_not(block.equal(b'\t')).or(block.equal(0x7f)))
}

/// Position of the first byte at or after `at` that ends a path: anything but visible ASCII, `?` or `#`.
#[inline]
pub(crate) fn path_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |block| invisible(block).or(block.equal(b'?')).or(block.equal(b'#')))
}

/// Position of the first byte at or after `at` that ends a query: anything but visible ASCII, or `#`.
#[inline]
pub(crate) fn query_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |block| invisible(block).or(block.equal(b'#')))
}

/// All bytes but visible ASCII: from 0x7f around the end to 0x20.
#[inline(always)]
fn invisible(block: Block) -> Flags {
    block.within(0x7f, 0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte value at every position of a block and of a tail, against the plain definition.
    fn agrees(scan: fn(&[u8], usize) -> usize, stops: fn(u8) -> bool) {
        for length in [1, 7, 15, 16, 17, 33, 40] {
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
        assert_eq!(lower_name(&mut b"ABCDEFG".to_owned(), 0), 0, "less than a block is left alone");
    }

    #[test]
    fn a_scan_that_starts_late_does_not_look_back() {
        assert_eq!(text_end(b"\r\nabc\n", 2), 5);
        assert_eq!(text_end(b"abc", 9), 9);
    }
}
