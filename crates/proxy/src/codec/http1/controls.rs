//! What the fields that steer a connection say: length, coding, connection options, upgrade.
//!
//! They are gathered line by line and judged together at the end of the head, because smuggling lives in
//! combinations: each field alone looks innocent. Requests and responses share this file, so that both sides
//! of the proxy find the same end of the same message.

use crate::limits::CONNECTION_OPTIONS_MAX;
use crate::message::{Field, Known, Span};

use super::alphabet::is_token;

/// Why a control field is refused; requests and responses name the failure differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The end of the body cannot be known.
    Framing,
    /// The field is malformed in itself.
    Field,
    /// The upgrade is malformed.
    Upgrade,
}

/// Gathered control data of one head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Controls {
    /// `content-length`, when there was one.
    pub content_length: Option<u64>,
    /// `transfer-encoding: chunked` was there.
    pub chunked: bool,
    /// `connection: close`
    pub close: bool,
    /// `connection: keep-alive`
    pub keep_alive: bool,
    /// `connection: upgrade`
    pub connection_upgrade: bool,
    /// `connection` names other fields.
    pub lists_fields: bool,
    /// The protocol of the only `upgrade` field.
    pub upgrade: Option<Span>,
    /// How many connection options were named.
    options: usize,
}

impl Controls {
    /// Takes note of a field that is not [`Known::Other`]; the ones that steer nothing are left alone.
    pub fn note(&mut self, known: Known, span: Span, bytes: &[u8]) -> Result<(), Mistake> {
        let value = span.of(bytes);
        match known {
            Known::ContentLength => self.note_content_length(value),
            Known::TransferEncoding => self.note_transfer_encoding(value),
            Known::Connection => self.note_connection(value),
            Known::Upgrade => self.note_upgrade(span, value),
            Known::Other
            | Known::Host
            | Known::Te
            | Known::Trailer
            | Known::HopByHop
            | Known::Listed
            | Known::Expect
            | Known::ForwardedFor
            | Known::ForwardedProto
            | Known::ForwardedHost
            | Known::Vouched
            | Known::RequestId
            | Known::Trace
            | Known::Hop
            | Known::GrpcTimeout
            | Known::ContentType
            | Known::UserAgent
            | Known::Origin
            | Known::Http2Settings => Ok(()),
        }
    }

    fn note_content_length(&mut self, value: &[u8]) -> Result<(), Mistake> {
        // A second one is refused even if it says the same: whoever wrote it twice may not be who we think.
        let length = content_length(value).ok_or(Mistake::Framing)?;
        match self.content_length.replace(length) {
            None if !self.chunked => Ok(()),
            _ => Err(Mistake::Framing),
        }
    }

    fn note_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Mistake> {
        // No list, no other coding, no second field: CVE-2026-2835 and its family.
        let first = !std::mem::replace(&mut self.chunked, true);
        let alone = first && self.content_length.is_none() && value.eq_ignore_ascii_case(b"chunked");
        if alone { Ok(()) } else { Err(Mistake::Framing) }
    }

    fn note_connection(&mut self, value: &[u8]) -> Result<(), Mistake> {
        if value == b"keep-alive" {
            self.keep_alive = true; // what nearly all of them say
            return Ok(());
        }
        for option in list(value) {
            self.options += 1;
            if self.options > CONNECTION_OPTIONS_MAX {
                return Err(Mistake::Field);
            }
            match ConnectionOption::of(option) {
                ConnectionOption::Close => self.close = true,
                ConnectionOption::KeepAlive => self.keep_alive = true,
                ConnectionOption::Upgrade => self.connection_upgrade = true,
                ConnectionOption::Te => {}
                ConnectionOption::Field if is_token(option) => self.lists_fields = true,
                ConnectionOption::Field => return Err(Mistake::Field),
            }
        }
        Ok(())
    }

    fn note_upgrade(&mut self, span: Span, value: &[u8]) -> Result<(), Mistake> {
        match self.upgrade.replace(span) {
            None if is_protocol(value) => Ok(()),
            _ => Err(Mistake::Upgrade),
        }
    }

    /// Marks the fields that `connection` names, so that they end here (RFC 9110 section 7.6.1).
    ///
    /// Only fields without a meaning of their own can be taken out in this way. Everything by which a message
    /// is framed, routed or vouched for, and the end-to-end fields of [`is_end_to_end`], stays what it is:
    /// otherwise a client could make us drop what we or a proxy before us have set (CVE-2024-45410).
    pub fn mark_listed(&self, fields: &mut [Field], bytes: &[u8]) {
        for index in 0..fields.len() {
            if fields[index].known != Known::Connection {
                continue;
            }
            for option in list(fields[index].value.of(bytes)) {
                if ConnectionOption::of(option) == ConnectionOption::Field && !is_end_to_end(option) {
                    mark(fields, option, bytes);
                }
            }
        }
    }
}

fn mark(fields: &mut [Field], name: &[u8], bytes: &[u8]) {
    for field in fields {
        if field.known == Known::Other && field.name.of(bytes).eq_ignore_ascii_case(name) {
            field.known = Known::Listed;
        }
    }
}

/// End-to-end fields without a [`Known`] of their own whose loss would change who asks, or what is asked for.
fn is_end_to_end(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"cookie",
        b"if-match",
        b"range",
        b"set-cookie",
        b"via",
    ];
    NAMES.iter().any(|end_to_end| end_to_end.eq_ignore_ascii_case(name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ConnectionOption {
    Close,
    KeepAlive,
    Upgrade,
    Te,
    Field,
}

impl ConnectionOption {
    fn of(option: &[u8]) -> ConnectionOption {
        match option.len() {
            5 if option.eq_ignore_ascii_case(b"close") => ConnectionOption::Close,
            10 if option.eq_ignore_ascii_case(b"keep-alive") => ConnectionOption::KeepAlive,
            7 if option.eq_ignore_ascii_case(b"upgrade") => ConnectionOption::Upgrade,
            2 if option.eq_ignore_ascii_case(b"te") => ConnectionOption::Te,
            _ => ConnectionOption::Field,
        }
    }
}

/// The members of a comma-separated list; empty ones are skipped (RFC 9110 section 5.6.1.2).
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// The value of a `content-length`: digits only, no sign, no leading zero, at most 2^63 - 1.
fn content_length(value: &[u8]) -> Option<u64> {
    match value {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] if value.len() <= 19 => {}
        _ => return None,
    }
    let mut length: u64 = 0;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        length = length * 10 + u64::from(digit); // 19 digits stay below 2^64
    }
    (length <= i64::MAX as u64).then_some(length)
}

/// One `protocol-name["/"protocol-version]`; a list of several has no one meaning for both sides.
fn is_protocol(value: &[u8]) -> bool {
    match value.iter().position(|&byte| byte == b'/') {
        None => is_token(value),
        Some(slash) => is_token(&value[..slash]) && is_token(&value[slash + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_length_is_plain_digits_below_two_to_the_63() {
        for (text, expected) in [
            ("0", Some(0)),
            ("5", Some(5)),
            ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("00", None),
            ("05", None),
            ("+5", None),
            ("-5", None),
            ("5 ", None),
            ("5,5", None),
            ("0x5", None),
            ("5\t", None),
            ("1e3", None),
            ("٥", None),
        ] {
            assert_eq!(content_length(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_protocol_is_one_name_with_at_most_one_version() {
        for good in ["websocket", "h2c", "TLS/1.0", "foo/bar"] {
            assert!(is_protocol(good.as_bytes()), "{good}");
        }
        for bad in ["", "a,b", "a b", "/1", "a/", "a/b/c", "web\tsocket"] {
            assert!(!is_protocol(bad.as_bytes()), "{bad}");
        }
    }
}
