//! Where credentials stand in a request, and how the request looks without them.
//!
//! A credential that stands in a request twice is none: the proxy and the backend could each believe another one.

use std::borrow::Cow;
use std::sync::Arc;

use crate::request::{HeaderView, RequestView};

/// Where a credential stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization` with this scheme (RFC 9110 section 11.6.2), in lower case.
    Scheme(&'static str),
    /// A field of its own, in lower case.
    Header(Arc<[u8]>),
    /// A query parameter.
    Query(Arc<[u8]>),
    /// A cookie.
    Cookie(Arc<[u8]>),
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'r> {
    /// Nothing.
    Nothing,
    /// A credential.
    Credential(Cow<'r, [u8]>),
    /// More than one, or one that cannot be read.
    Unclear,
}

impl<'r> Found<'r> {
    fn only(mut all: impl Iterator<Item = &'r [u8]>) -> Found<'r> {
        match (all.next(), all.next()) {
            (None, _) => Found::Nothing,
            (Some(only), None) => Found::Credential(Cow::Borrowed(only)),
            (Some(_), Some(_)) => Found::Unclear,
        }
    }
}

impl Place {
    /// Looks for a credential.
    pub fn find<'r, H: HeaderView>(&self, request: &'r RequestView<'_, H>) -> Found<'r> {
        match self {
            Place::Scheme(scheme) => of_scheme(scheme, request),
            Place::Header(name) => Found::only(request.headers.values(name)),
            Place::Query(name) => match Found::only(parameters(request.query.unwrap_or_default(), name)) {
                Found::Credential(value) => decoded(value),
                other => other,
            },
            Place::Cookie(name) => {
                let lines = request.headers.values(b"cookie");
                Found::only(
                    lines.flat_map(cookies).filter(|(known, _)| **known == **name).map(|(_, value)| value),
                )
            }
        }
    }
}

/// A field with another scheme is somebody else's credential.
fn of_scheme<'r, H: HeaderView>(scheme: &str, request: &'r RequestView<'_, H>) -> Found<'r> {
    let Found::Credential(Cow::Borrowed(value)) = Found::only(request.headers.values(b"authorization"))
    else {
        let any = request.headers.first(b"authorization").is_some();
        return if any { Found::Unclear } else { Found::Nothing };
    };
    let space = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (named, rest) = value.split_at(space);
    match named.eq_ignore_ascii_case(scheme.as_bytes()) {
        true => Found::Credential(Cow::Borrowed(rest.trim_ascii())),
        false => Found::Nothing,
    }
}

/// Values of a parameter.
fn parameters<'q>(query: &'q [u8], name: &[u8]) -> impl Iterator<Item = &'q [u8]> {
    query.split(|byte| *byte == b'&').filter_map(move |part| value_of(part, name))
}

fn value_of<'q>(part: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    let rest = part.strip_prefix(name)?;
    match rest.first() {
        None => Some(rest),
        Some(b'=') => Some(&rest[1..]),
        Some(_) => None,
    }
}

fn decoded(value: Cow<'_, [u8]>) -> Found<'_> {
    if !value.contains(&b'%') {
        return Found::Credential(value);
    }
    let digit =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
    let mut plain = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        if *byte == b'%' {
            let (Some(high), Some(low)) = (digit(value.get(at + 1)), digit(value.get(at + 2))) else {
                return Found::Unclear;
            };
            plain.push(high << 4 | low);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    Found::Credential(Cow::Owned(plain))
}

/// Cookies of a line (RFC 6265 section 4.2.1), as name and value.
fn cookies(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((&pair[..equals], &pair[equals + 1..]))
    })
}

/// Writes a query without a parameter. Returns whether anything is left.
pub fn without_parameter(query: &[u8], name: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for part in query.split(|byte| *byte == b'&').filter(|part| value_of(part, name).is_none()) {
        if out.len() > start {
            out.push(b'&');
        }
        out.extend_from_slice(part);
    }
    out.len() > start
}

/// Writes a line of cookies without one. Returns whether anything is left.
pub fn without_cookie(line: &[u8], name: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for pair in line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
        let is_it = cookies(pair).any(|(known, _)| known == name);
        if is_it || pair.is_empty() {
            continue;
        }
        if out.len() > start {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(pair);
    }
    out.len() > start
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(String, String)>;

    fn view<'a>(query: Option<&'a str>, headers: &'a Fields) -> RequestView<'a, &'a [(String, String)]> {
        let query = query.map(str::as_bytes);
        RequestView { method: b"GET", host: b"a", path: b"/", query, headers: headers.as_slice() }
    }

    fn fields(list: &[(&str, &str)]) -> Fields {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn credential(text: &str) -> Found<'_> {
        Found::Credential(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn a_credential_is_found_where_it_stands() {
        let headers =
            fields(&[("X-Key", "one"), ("Cookie", "a=b; key=two"), ("Authorization", "bEARER  three")]);
        let request = view(Some("a=1&key=f%6Fur&keys=x"), &headers);

        assert_eq!(Place::Header(b"x-key"[..].into()).find(&request), credential("one"));
        assert_eq!(Place::Cookie(b"key"[..].into()).find(&request), credential("two"));
        assert_eq!(Place::Scheme("bearer").find(&request), credential("three"));
        assert_eq!(Place::Query(b"key"[..].into()).find(&request), credential("four"));
        assert_eq!(Place::Scheme("basic").find(&request), Found::Nothing);
        assert_eq!(Place::Query(b"x"[..].into()).find(&request), Found::Nothing);
    }

    #[test]
    fn a_credential_that_stands_there_twice_is_none() {
        let headers = fields(&[
            ("x-key", "one"),
            ("x-key", "two"),
            ("cookie", "key=a"),
            ("cookie", "key=b"),
            ("authorization", "Bearer a"),
            ("authorization", "Basic b"),
        ]);
        let request = view(Some("key=a&key=a"), &headers);

        for place in [
            Place::Header(b"x-key"[..].into()),
            Place::Cookie(b"key"[..].into()),
            Place::Query(b"key"[..].into()),
            Place::Scheme("bearer"),
        ] {
            assert_eq!(place.find(&request), Found::Unclear, "{place:?}");
        }
        assert_eq!(Place::Query(b"key"[..].into()).find(&view(Some("key=%zz"), &headers)), Found::Unclear);
    }

    #[test]
    fn a_request_loses_its_credential_and_nothing_else() {
        let left = |write: &dyn Fn(&mut Vec<u8>) -> bool| {
            let mut out = Vec::new();
            let any = write(&mut out);
            (any, String::from_utf8(out).expect("text"))
        };

        assert_eq!(left(&|out| without_parameter(b"a=1&key=x&b", b"key", out)), (true, "a=1&b".into()));
        assert_eq!(left(&|out| without_parameter(b"key=x", b"key", out)), (false, String::new()));
        assert_eq!(left(&|out| without_parameter(b"keys=x&key", b"key", out)), (true, "keys=x".into()));
        assert_eq!(left(&|out| without_cookie(b"a=b; key=x;c=d", b"key", out)), (true, "a=b; c=d".into()));
        assert_eq!(left(&|out| without_cookie(b"key=x", b"key", out)), (false, String::new()));
    }
}
