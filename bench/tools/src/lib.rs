//! What the benchmark tools share: finding the end of an HTTP/1 message in a growing buffer.
//!
//! Load and upstream share one core, so both must cost little next to the proxy under test. Neither is a
//! server for anybody else: they trust the proxy and read only what they need.

/// Where a message's head ends and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(usize),
    /// Chunks up to the empty one.
    Chunked,
}

/// The length of a head, with its empty line, and how the body behind it ends. `None` until all of it is there.
#[must_use]
pub fn head(bytes: &[u8]) -> Option<(usize, Body)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = &bytes[..end];
    if let Some(value) = field(head, b"content-length") {
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
        return Some((end, Body::Length(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))));
    }
    let is_chunked =
        field(head, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
    Some((end, if is_chunked { Body::Chunked } else { Body::Length(0) }))
}

/// The length of the first whole message in the buffer; `None` until all of it is there.
#[must_use]
pub fn message(bytes: &[u8]) -> Option<usize> {
    let (start, body) = head(bytes)?;
    let end = match body {
        Body::Length(length) => start + length,
        Body::Chunked => start + chunks(&bytes[start..])?,
    };
    (bytes.len() >= end).then_some(end)
}

/// The length of a whole chunked body without trailers.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
        let size = bytes[at..at + line].iter().map_while(|byte| char::from(*byte).to_digit(16));
        let size = size.fold(0, |sum, digit| sum * 16 + digit as usize);
        at += line + size + 2;
        if size == 0 {
            return (bytes.len() >= at).then_some(at);
        }
    }
}

/// The value of a field, its name in lower case.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_length_says() {
        let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let posted = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";

        assert_eq!(message(whole), Some(whole.len()));
        assert_eq!(message(&whole[..20]), None);
        assert_eq!(message(posted), Some(posted.len()));
        assert_eq!(message(&posted[..posted.len() - 1]), None);
    }

    #[test]
    fn a_chunked_message_ends_with_its_empty_chunk() {
        let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

        assert_eq!(message(whole), Some(whole.len()));
        for end in 0..whole.len() {
            assert_eq!(message(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_field_that_only_begins_like_the_name_is_another_field() {
        assert_eq!(head(b"A\r\ncontent-lengthy: 9\r\n\r\n"), Some((25, Body::Length(0))));
    }
}
