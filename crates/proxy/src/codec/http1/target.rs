//! The request target (RFC 9112 section 3.2): origin-form, absolute-form, and `*` for `OPTIONS`.

use std::ops::Range;

use crate::codec::canonical;
use crate::failure::Failure;
use crate::message::{Method, RequestHead, Span};

use super::request::Rules;

/// The authority of an absolute-form target; `Host` must say the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedAuthority {
    /// Canonical host.
    pub host: Span,
    /// Port as written.
    pub port: Option<u16>,
    /// The port that the scheme implies.
    pub port_default: u16,
}

impl NamedAuthority {
    /// Whether a `Host` field names the same server.
    pub fn agrees(&self, host: Span, port: Option<u16>, bytes: &[u8]) -> bool {
        self.host.of(bytes) == host.of(bytes)
            && self.port.unwrap_or(self.port_default) == port.unwrap_or(self.port_default)
    }
}

/// Where a target lies in the buffer.
pub(super) struct Target {
    /// All of it.
    pub whole: Range<usize>,
    /// The first `?`, or the end.
    pub path_end: usize,
}

/// Splits a target whose bytes are known to be visible ASCII without `#`, and makes its path canonical.
#[inline]
pub(super) fn read_target(
    bytes: &mut [u8],
    target: Target,
    head: &mut RequestHead,
    rules: &Rules,
) -> Result<Option<NamedAuthority>, Failure> {
    let Target { whole, path_end } = target;
    head.query = (path_end < whole.end).then(|| Span::new(path_end + 1, whole.end));
    if bytes[whole.start] == b'/' {
        set_path(bytes, whole.start..path_end, head, rules)?;
        return Ok(None);
    }
    read_other_form(bytes, Target { whole, path_end }, head, rules)
}

fn set_path(
    bytes: &mut [u8],
    path: Range<usize>,
    head: &mut RequestHead,
    rules: &Rules,
) -> Result<(), Failure> {
    let start = path.start;
    let canonical = canonical::path(&mut bytes[path], rules.path)?;
    head.path = Span::new(start, start + canonical.length);
    head.path_changed = canonical.changed;
    Ok(())
}

#[inline(never)]
fn read_other_form(
    bytes: &mut [u8],
    target: Target,
    head: &mut RequestHead,
    rules: &Rules,
) -> Result<Option<NamedAuthority>, Failure> {
    let Target { whole, path_end } = target;
    head.path_changed = false;
    if &bytes[whole.clone()] == b"*" {
        head.path = Span::new(whole.start, whole.end);
        return if head.method == Method::Options { Ok(None) } else { Err(Failure::BadTarget) };
    }
    let (scheme, port_default) = scheme(&bytes[whole.clone()]).ok_or(Failure::BadTarget)?;
    let start = whole.start + scheme;
    let before_query = &bytes[start..path_end];
    let path = start + before_query.iter().position(|&byte| byte == b'/').unwrap_or(before_query.len());
    let authority = canonical::host(&mut bytes[start..path]).map_err(|_| Failure::BadTarget)?;
    if path < path_end {
        set_path(bytes, path..path_end, head, rules)?;
    } else {
        set_empty_path(bytes, start, path == whole.end, head);
    }
    let host = Span::new(start, start + authority.host);
    Ok(Some(NamedAuthority { host, port: authority.port, port_default }))
}

/// An absolute URL without a path means `/`, but `*` for `OPTIONS` without a query (RFC 9112 section 3.2.4).
/// The second slash of `://` lends its place, because the text itself has no byte for it.
fn set_empty_path(bytes: &mut [u8], authority: usize, nothing_follows: bool, head: &mut RequestHead) {
    if head.method == Method::Options && nothing_follows {
        bytes[authority - 1] = b'*';
    }
    head.path = Span::new(authority - 1, authority);
}

/// Length of `scheme://` and the port it implies.
fn scheme(target: &[u8]) -> Option<(usize, u16)> {
    const SCHEMES: [(&[u8], u16); 2] = [(b"http://", 80), (b"https://", 443)];
    SCHEMES
        .iter()
        .find(|(text, _)| target.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)))
        .map(|(text, port)| (text.len(), *port))
}
