//! URLs that the product itself asks: where keys of issuers are kept.
//!
//! Narrower than RFC 3986, so that nothing can be read in two ways: a scheme, a host, perhaps a port, a path. No user
//! name (which could be taken for the host), no fragment, no address in a spelling that only some programs read.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::violation::Problem;

/// Longest URL, in bytes. Past it the URL is refused.
pub const FETCH_URL_BYTES_MAX: usize = 2048;

/// A URL with the scheme `https` or `http`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchUrl {
    text: Arc<str>,
    /// Whether it is asked over TLS.
    pub secure: bool,
    /// Name or address, in lower case; an IPv6 address without brackets.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub target: Arc<str>,
}

impl FetchUrl {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address that is written in it; `None` for a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port as they are written in a request.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for FetchUrl {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        FetchUrl::read(text).map_err(|why| {
            Problem::new(format!("is no URL that is asked: {why}"))
                .remedy("write it like `https://issuer.example/.well-known/jwks.json`")
        })
    }
}

impl FetchUrl {
    /// Reads one, or says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<FetchUrl, String> {
        if text.len() > FETCH_URL_BYTES_MAX {
            return Err("it is too long".to_owned());
        }
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it does not begin with `https://`".to_owned()),
        };
        refuse_odd(rest)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, port) = split_port(authority).ok_or("its port is no number")?;
        let host = host.to_ascii_lowercase();
        let host = read_host(&host).ok_or("its host is neither a name nor an address")?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(FetchUrl {
            text: text.into(),
            secure,
            host: host.into(),
            port: port.unwrap_or(default_port(secure)),
            target: target.into(),
        })
    }
}

/// What URLs do not hold as it is, and what could be taken for the end of one or of its host.
pub(crate) fn refuse_odd(text: &str) -> Result<(), String> {
    match text.chars().find(|each| !each.is_ascii_graphic() || "\"<>\\^`{|}#@".contains(*each)) {
        Some(odd) => Err(format!("`{}` cannot stand in it", odd.escape_default())),
        None => Ok(()),
    }
}

/// `None` in the outer place: there is a port that is none.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| bracket + at),
        None => authority.find(':'),
    };
    let Some(colon) = colon else { return Some((authority, None)) };
    let digits = &authority[colon + 1..];
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| plain && *port != 0)?;
    Some((&authority[..colon], Some(port)))
}

/// A DNS name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets. Other spellings of addresses
/// (`127.1`, `0x7f.1`, `2130706433`) end in a number, which no name does.
fn read_host(host: &str) -> Option<&str> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        return inner.parse::<std::net::Ipv6Addr>().ok().map(|_| inner);
    }
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(host);
    }
    let labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let sound = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = labels.clone().next_back()?;
    let is_name = last.bytes().any(|byte| byte.is_ascii_alphabetic()) && !last.starts_with("0x");
    (host.len() <= 253 && is_name && labels.clone().all(sound)).then_some(host)
}

impl fmt::Display for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_in_its_parts() {
        let url: FetchUrl = "https://Issuer.example:8443/keys?v=1".parse().expect("a URL");

        assert_eq!(
            (&*url.host, url.port, &*url.target, url.secure),
            ("issuer.example", 8443, "/keys?v=1", true)
        );
        assert_eq!(url.authority(), "issuer.example:8443");
        assert_eq!("http://[::1]".parse::<FetchUrl>().expect("a URL").authority(), "[::1]");
        assert_eq!("https://a.example?x".parse::<FetchUrl>().expect("a URL").target, "/?x".into());
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            "ftp://a.example/",
            "https://user@a.example/",
            "https://a.example\\@b.example/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://017700000001/",
            "https://a.example:0/",
            "https://a.example:80a/",
            "https://a.example/#b",
            "https://a b/",
            "https://-a.example/",
            "https://a..example/",
            "https://[::1/",
            "https:///",
        ] {
            assert!(text.parse::<FetchUrl>().is_err(), "{text}");
        }
    }
}
