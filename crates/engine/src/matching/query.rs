//! The one view of a query string that routing takes.
//!
//! It is what a form decoder sees (WHATWG URL, `application/x-www-form-urlencoded`): pairs are separated by
//! `&` only, name and value by the first `=`, `+` is a space, `%XX` is a byte, and a `%` that is not followed
//! by two hex digits stands for itself. Of a repeated name the first pair counts. Names and values are bytes.

/// Longest decoded value that a regular expression sees without an allocation, in bytes.
const DECODED_ON_STACK_MAX: usize = 1024;

/// The raw value of the first pair with this decoded name. A pair without `=` has an empty value.
#[must_use]
pub fn first<'q>(query: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    pairs(query).find(|(raw, _)| decodes_to(raw, name)).map(|(_, value)| value)
}

/// Raw names and values in order; empty pairs (`&&`) are left out.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        }
    })
}

/// Whether `raw` decodes to exactly `text`.
#[must_use]
pub fn decodes_to(raw: &[u8], text: &[u8]) -> bool {
    let mut expected = text.iter();
    decode(raw).all(|byte| expected.next() == Some(&byte)) && expected.next().is_none()
}

/// Calls `use_it` with the decoded value, which lives on the stack unless it is very long.
pub fn with_decoded<R>(raw: &[u8], use_it: impl FnOnce(&[u8]) -> R) -> R {
    if memchr::memchr2(b'%', b'+', raw).is_none() {
        return use_it(raw);
    }
    if raw.len() > DECODED_ON_STACK_MAX {
        let decoded: Vec<u8> = decode(raw).collect();
        return use_it(&decoded);
    }
    let mut buffer = [0; DECODED_ON_STACK_MAX];
    let mut length = 0;
    for (slot, byte) in buffer.iter_mut().zip(decode(raw)) {
        *slot = byte;
        length += 1;
    }
    use_it(&buffer[..length])
}

/// The bytes that `raw` stands for.
pub fn decode(raw: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', &rest[1..]),
            },
            [b'+', after @ ..] => (b' ', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(query: &str, name: &str) -> Option<Vec<u8>> {
        first(query.as_bytes(), name.as_bytes()).map(|raw| decode(raw).collect())
    }

    #[test]
    fn a_query_reads_as_a_form_does() {
        assert_eq!(value("a=1&b=2", "b").unwrap(), b"2");
        assert_eq!(value("a=1&a=2", "a").unwrap(), b"1");
        assert_eq!(value("%61=x%2By+z", "a").unwrap(), b"x+y z");
        assert_eq!(value("a", "a").unwrap(), b"");
        assert_eq!(value("a=b=c", "a").unwrap(), b"b=c");
        assert_eq!(value("a=%zz%4", "a").unwrap(), b"%zz%4");
        assert_eq!(value("a=%ff", "a").unwrap(), b"\xff");
        assert_eq!(value("&&b=1", ""), None);
        assert_eq!(value("a=1;b=2", "b"), None);
    }

    #[test]
    fn a_value_too_long_for_the_stack_is_decoded_all_the_same() {
        let raw = "%41".repeat(DECODED_ON_STACK_MAX);
        let decoded = with_decoded(raw.as_bytes(), <[u8]>::to_vec);
        assert_eq!(decoded, vec![b'A'; DECODED_ON_STACK_MAX]);
    }
}
