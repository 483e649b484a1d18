//! Requests: one answer however they arrive, and what was accepted reads the same after it was written again.

use engine::config::{PathPolicy, UnderscorePolicy};
use proxy::codec::http1::{Parsed, Resume, Rules, parse_request};
use proxy::message::{Framing, Known, Method, RequestHead, Version};

use super::{Fields, assert_carriable, assert_one_framing, assert_same, owned};

const RULES: [Rules; 4] = [
    Rules { path: PathPolicy::Reject, underscores: UnderscorePolicy::Reject },
    Rules { path: PathPolicy::Redirect, underscores: UnderscorePolicy::Drop },
    Rules { path: PathPolicy::Decode, underscores: UnderscorePolicy::Keep },
    Rules { path: PathPolicy::Keep, underscores: UnderscorePolicy::Keep },
];

/// A request head without its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    version: Version,
    method: Method,
    method_token: Vec<u8>,
    path: Vec<u8>,
    query: Option<Vec<u8>>,
    host: Vec<u8>,
    host_port: Option<u16>,
    fields: Fields,
    framing: Framing,
    persistent: bool,
    expects_continue: bool,
    upgrade: Option<Vec<u8>>,
    te_trailers: bool,
}

impl Seen {
    fn of(head: &RequestHead, bytes: &[u8]) -> Seen {
        Seen {
            version: head.version,
            method: head.method,
            method_token: head.method_token.of(bytes).to_vec(),
            path: head.path.of(bytes).to_vec(),
            query: head.query.map(|span| span.of(bytes).to_vec()),
            host: head.host.of(bytes).to_vec(),
            host_port: head.host_port,
            fields: owned(&head.fields, bytes),
            framing: head.framing,
            persistent: head.persistent,
            expects_continue: head.expects_continue,
            upgrade: head.upgrade.map(|span| span.of(bytes).to_vec()),
            te_trailers: head.te_trailers,
        }
    }

    fn authority(&self) -> Vec<u8> {
        let mut text = self.host.clone();
        if let Some(port) = self.host_port {
            text.extend(format!(":{port}").bytes());
        }
        text
    }

    /// The same request in origin-form.
    fn write(&self) -> Vec<u8> {
        let mut text = [&self.method_token, &b" "[..], &self.path].concat();
        if let Some(query) = &self.query {
            text.push(b'?');
            text.extend_from_slice(query);
        }
        text.extend(if self.version == Version::Http11 { b" HTTP/1.1\r\n" } else { b" HTTP/1.0\r\n" });
        for (name, value, known) in &self.fields {
            text.extend_from_slice(name);
            text.extend(b": ");
            text.extend(if *known == Known::Host { self.authority() } else { value.clone() });
            text.extend(b"\r\n");
        }
        if !self.host.is_empty() && !self.fields.iter().any(|(_, _, known)| *known == Known::Host) {
            text.extend([b"host: ", &self.authority()[..], b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        text
    }

    /// Without the `Host` field, which an absolute-form target overrules.
    fn without_host(mut self) -> Seen {
        self.fields.retain(|(_, _, known)| *known != Known::Host);
        self
    }
}

/// Checks everything for one input.
pub fn check(data: &[u8]) {
    for rules in &RULES {
        let whole = parse_whole(data, rules);
        assert_same(data, &whole, |data| parse_bytewise(data, rules));
        if let Some(seen) = whole.1 {
            check_accepted(&seen);
            check_written_again(seen, rules);
        }
    }
}

fn parse_whole(data: &[u8], rules: &Rules) -> (Parsed, Option<Seen>) {
    let mut bytes = data.to_vec();
    let mut head = RequestHead::default();
    let parsed = parse_request(&mut bytes, &mut head, rules, &mut Resume::default());
    let Parsed::Complete { length } = parsed else { return (parsed, None) };
    assert_eq!(bytes[length..], data[length..], "bytes of the next message were touched");
    (parsed, Some(Seen::of(&head, &bytes)))
}

fn parse_bytewise(data: &[u8], rules: &Rules) -> (Parsed, Option<Seen>) {
    let mut bytes = data.to_vec();
    let mut head = RequestHead::default();
    let mut resume = Resume::default();
    for length in 0..=bytes.len() {
        let parsed = parse_request(&mut bytes[..length], &mut head, rules, &mut resume);
        match parsed {
            Parsed::Incomplete => {}
            Parsed::Complete { .. } => return (parsed, Some(Seen::of(&head, &bytes))),
            Parsed::Failed(_) => return (parsed, None),
        }
    }
    (Parsed::Incomplete, None)
}

fn check_accepted(seen: &Seen) {
    assert_carriable(&seen.fields);
    assert_one_framing(&seen.fields);
    assert!(seen.path.starts_with(b"/") || (seen.path == b"*" && seen.method == Method::Options));
    assert!(!seen.path.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b".."));
    assert!(!seen.host.iter().any(u8::is_ascii_uppercase) && !seen.host.ends_with(b"."));
    assert!(!seen.host.is_empty() || seen.version == Version::Http10);
    assert!(seen.upgrade.is_none() || seen.framing == Framing::None);
    let is_chunked = seen.fields.iter().any(|(_, _, known)| *known == Known::TransferEncoding);
    assert_eq!(seen.framing == Framing::Chunked, is_chunked);
}

fn check_written_again(seen: Seen, rules: &Rules) {
    let text = seen.write();
    let (parsed, again) = parse_whole(&text, rules);
    if parsed == Parsed::Failed(proxy::failure::Failure::HeadTooLarge) {
        return; // written out, white space before values may be more than it was
    }
    assert_eq!(parsed, Parsed::Complete { length: text.len() }, "{}", text.escape_ascii());
    assert_eq!(again.map(Seen::without_host), Some(seen.without_host()));
}
