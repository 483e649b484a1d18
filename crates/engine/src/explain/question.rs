//! The request somebody asks about.

use crate::authorization::Source;

/// A request to explain.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Method; case counts.
    pub method: &'a str,
    /// `http://` or `https://` URL, or `tcp://` or `tls://` with host and port only.
    pub url: &'a str,
    /// Header fields in order.
    pub headers: &'a [(String, String)],
    /// Who asks.
    pub source: Source<'a>,
}

/// Why a URL cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// It does not begin with a scheme we serve.
    #[error("`{0}` does not begin with `http://`, `https://`, `tcp://` or `tls://`")]
    Scheme(String),
    /// It names no host.
    #[error("`{0}` names no host")]
    Host(String),
    /// Its port is not a number from 1 to 65535.
    #[error("`{0}` is not a port")]
    Port(String),
}

/// The parts of a URL that routing looks at. The path is taken as the proxy would have it after its own
/// canonicalisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// Whether a connection begins with a handshake.
    pub(super) tls: bool,
    /// Whether a connection is meant, and no request.
    pub(super) bytes: bool,
    pub(super) host: String,
    pub(super) explicit_port: Option<u16>,
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, QuestionError> {
        let scheme = |name: &str| {
            text.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name)).map(|_| &text[name.len()..])
        };
        let schemes = [
            ("http://", false, false),
            ("https://", true, false),
            ("tcp://", false, true),
            ("tls://", true, true),
        ];
        let found = schemes.into_iter().find_map(|(name, tls, bytes)| Some((tls, bytes, scheme(name)?)));
        let (tls, bytes, rest) = found.ok_or_else(|| QuestionError::Scheme(text.to_owned()))?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, explicit_port) = split_port(authority)?;
        if host.is_empty() {
            return Err(QuestionError::Host(text.to_owned()));
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        Ok(Url { tls, bytes, host, explicit_port, path, query })
    }

    /// The port that would be connected to.
    pub(super) fn port(&self) -> u16 {
        self.explicit_port.unwrap_or(if self.tls { 443 } else { 80 })
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), QuestionError> {
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let Some(at) = colon else { return Ok((authority, None)) };
    let port = &authority[at + 1..];
    match port.parse() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok((&authority[..at], Some(number))),
        Ok(_) | Err(_) => Err(QuestionError::Port(port.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("HTTPS://Shop.Example.:8443/cart?a=1#top").unwrap();

        assert!(url.tls && !url.bytes);
        assert_eq!((url.host.as_str(), url.port()), ("shop.example", 8443));
        assert_eq!((url.path.as_str(), url.query.as_deref()), ("/cart", Some("a=1")));
        assert_eq!(Url::parse("http://[::1]").unwrap().host, "[::1]");
        assert_eq!(Url::parse("http://a?q").unwrap().path, "/");
        let connection = Url::parse("tls://db.example:5432").unwrap();
        assert!(connection.tls && connection.bytes && connection.port() == 5432);
    }

    #[test]
    fn what_is_no_url_is_told() {
        assert!(matches!(Url::parse("shop.example/"), Err(QuestionError::Scheme(_))));
        assert!(matches!(Url::parse("http:///x"), Err(QuestionError::Host(_))));
        assert!(matches!(Url::parse("http://a:0/"), Err(QuestionError::Port(_))));
    }
}
