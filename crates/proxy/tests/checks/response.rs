//! Responses: one answer however they arrive, and what was accepted reads the same after it was written again.

use proxy::codec::http1::{Parsed, Resume, parse_response};
use proxy::failure::Failure;
use proxy::message::{Framing, Method, ResponseHead, Version};

use super::{Fields, assert_carriable, assert_one_framing, assert_same, owned};

/// A response head without its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    version: Version,
    status: u16,
    reason: Vec<u8>,
    fields: Fields,
    framing: Framing,
    persistent: bool,
}

impl Seen {
    fn of(head: &ResponseHead, bytes: &[u8]) -> Seen {
        Seen {
            version: head.version,
            status: head.status,
            reason: head.reason.of(bytes).to_vec(),
            fields: owned(&head.fields, bytes),
            framing: head.framing,
            persistent: head.persistent,
        }
    }

    fn write(&self) -> Vec<u8> {
        let minor = if self.version == Version::Http11 { 1 } else { 0 };
        let mut text = format!("HTTP/1.{minor} {} ", self.status).into_bytes();
        text.extend_from_slice(&self.reason);
        text.extend(b"\r\n");
        for (name, value, _) in &self.fields {
            text.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        text
    }
}

/// Checks everything for one input.
pub fn check(data: &[u8]) {
    for method in [Method::Get, Method::Head] {
        let whole = parse_whole(data, method);
        assert_same(data, &whole, |data| parse_bytewise(data, method));
        if let Some(seen) = whole.1 {
            check_accepted(&seen, method);
            check_written_again(&seen, method);
        }
    }
}

fn parse_whole(data: &[u8], method: Method) -> (Parsed, Option<Seen>) {
    let mut bytes = data.to_vec();
    let mut head = ResponseHead::default();
    let parsed = parse_response(&mut bytes, &mut head, method, &mut Resume::default());
    let Parsed::Complete { length } = parsed else { return (parsed, None) };
    assert_eq!(bytes[length..], data[length..], "bytes of the next message were touched");
    (parsed, Some(Seen::of(&head, &bytes)))
}

fn parse_bytewise(data: &[u8], method: Method) -> (Parsed, Option<Seen>) {
    let mut bytes = data.to_vec();
    let mut head = ResponseHead::default();
    let mut resume = Resume::default();
    for length in 0..=bytes.len() {
        let parsed = parse_response(&mut bytes[..length], &mut head, method, &mut resume);
        match parsed {
            Parsed::Incomplete => {}
            Parsed::Complete { .. } => return (parsed, Some(Seen::of(&head, &bytes))),
            Parsed::Failed(_) => return (parsed, None),
        }
    }
    (Parsed::Incomplete, None)
}

fn check_accepted(seen: &Seen, method: Method) {
    assert_carriable(&seen.fields);
    assert_one_framing(&seen.fields);
    assert!((100..1000).contains(&seen.status));
    assert!(!seen.reason.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    let is_bodiless = method == Method::Head || seen.status < 200 || matches!(seen.status, 204 | 304);
    assert!(!is_bodiless || seen.framing == Framing::None);
    assert!(seen.framing != Framing::UntilClose || !seen.persistent);
}

fn check_written_again(seen: &Seen, method: Method) {
    let text = seen.write();
    let (parsed, again) = parse_whole(&text, method);
    if parsed == Parsed::Failed(Failure::UpstreamHeadTooLarge) {
        return; // written out, white space before values may be more than it was
    }
    assert_eq!(parsed, Parsed::Complete { length: text.len() }, "{}", text.escape_ascii());
    assert_eq!(again.as_ref(), Some(seen));
}
