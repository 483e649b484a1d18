//! As much of HPACK (RFC 7541) as an attacker needs: literals without Huffman, and references.
//!
//! Reading is limited to the status of a response, which is all a raw client asks.

/// Fields as literals that are not indexed: what is written is exactly what arrives.
#[must_use]
pub fn literals(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x00);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

/// One field as a literal that enters the dynamic table, where index 62 then means it.
#[must_use]
pub fn indexed_literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0x40];
    string(&mut block, name);
    string(&mut block, value);
    block
}

/// A reference to the newest entry of the dynamic table.
pub const NEWEST: u8 = 0x80 | 62;

fn string(block: &mut Vec<u8>, text: &[u8]) {
    integer(block, 0x00, 7, text.len());
    block.extend_from_slice(text);
}

/// An integer with a prefix of `bits` bits (RFC 7541 section 5.1).
fn integer(block: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let limit = (1 << bits) - 1;
    if value < limit {
        block.push(first | value as u8);
        return;
    }
    block.push(first | limit as u8);
    let mut rest = value - limit;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The `:status` of a response block whose first field it is; the first on its connection.
#[must_use]
pub fn status(block: &[u8]) -> Option<u16> {
    let mut block = block;
    while let [0x20..=0x3f, rest @ ..] = block {
        block = rest; // A dynamic table size update, small enough for one byte.
    }
    match block {
        [indexed @ 0x88..=0x8e, ..] => Some([200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)]),
        [0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e, 0x03, text @ ..] => {
            std::str::from_utf8(text.get(..3)?).ok()?.parse().ok()
        }
        [0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e, coded @ (0x82 | 0x83), text @ ..] => {
            digits(text.get(..usize::from(coded & 0x7f))?)
        }
        _ => None,
    }
}

/// Three Huffman-coded digits: 0–2 take five bits, 3–9 six (RFC 7541 appendix B).
fn digits(text: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let mut at = 0;
    let mut number = 0;
    for _ in 0..3 {
        let code = |length: usize| {
            bits.get(at..at + length).map(|bits| bits.iter().fold(0, |sum, bit| sum << 1 | bit))
        };
        let (digit, length) = match (code(5)?, code(6)) {
            (digit @ 0..=2, _) => (digit, 5),
            (_, Some(six @ 25..=31)) => (six - 25 + 3, 6),
            _ => return None,
        };
        number = number * 10 + u16::from(digit);
        at += length;
    }
    Some(number)
}
