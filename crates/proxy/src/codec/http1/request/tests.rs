//! Heads of requests: what is understood, and what is refused before anything is done with it.

mod connection;
mod framing;
mod lines;
mod reading;
mod target;

use super::*;

const STRICT: Rules = Rules { path: PathPolicy::Reject, underscores: UnderscorePolicy::Reject };

/// A head with its buffer, parsed.
struct Request {
    bytes: Vec<u8>,
    head: RequestHead,
    parsed: Parsed,
}

impl Request {
    fn parse(text: impl AsRef<[u8]>) -> Request {
        Request::parse_by(text, &STRICT)
    }

    fn parse_by(text: impl AsRef<[u8]>, rules: &Rules) -> Request {
        let mut bytes = text.as_ref().to_vec();
        let mut head = RequestHead::default();
        let parsed = parse_request(&mut bytes, &mut head, rules, &mut Resume::default());
        Request { bytes, head, parsed }
    }

    #[track_caller]
    fn accepted(text: impl AsRef<[u8]>) -> Request {
        let request = Request::parse(text.as_ref());
        assert_eq!(request.parsed, Parsed::Complete { length: text.as_ref().len() });
        request
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.of(&self.bytes)).unwrap()
    }

    fn field(&self, name: &str) -> Option<(&str, Known)> {
        let field = self.head.fields.iter().find(|field| self.text(field.name) == name)?;
        Some((self.text(field.value), field.known))
    }
}

/// Given lines after `Host`, the head of a `POST`.
fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, failure: Failure) {
    let text = text.as_ref();
    let request = Request::parse(text);
    assert_eq!(request.parsed, Parsed::Failed(failure), "{}", text.escape_ascii());
}

#[test]
fn a_browsers_request_is_understood() {
    let request = Request::accepted(
        "GET /cart/items?id=1&x=%zz HTTP/1.1\r\nHost: Shop.Example:8443\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\
         Accept: */*\r\nX-Empty:\r\nX-Padded: \t a b \t\r\n\r\n",
    );

    let head = &request.head;
    assert_eq!((head.version, head.method, head.framing), (Version::Http11, Method::Get, Framing::None));
    assert_eq!(request.text(head.method_token), "GET");
    assert_eq!(request.text(head.path), "/cart/items");
    assert_eq!(head.query.map(|query| request.text(query)), Some("id=1&x=%zz"));
    assert_eq!((request.text(head.host), head.host_port), ("shop.example", Some(8443)));
    assert!(head.persistent && !head.path_changed && !head.expects_continue && !head.te_trailers);
    assert_eq!(head.upgrade, None);
    assert_eq!(request.field("host"), Some(("shop.example:8443", Known::Host)));
    assert_eq!(request.field("user-agent"), Some(("Mozilla/5.0 (X11)", Known::UserAgent)));
    assert_eq!(request.field("x-empty"), Some(("", Known::Other)));
    assert_eq!(request.field("x-padded"), Some(("a b", Known::Other)));
}
