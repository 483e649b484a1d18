//! A request as its receiver sees it, borrowed for as long as it is looked at.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A request to one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The path below the base path of the API, as it came: percent-encoded, without query.
    pub path: &'a str,
    /// The query without its question mark, as it came; empty for none.
    pub query: &'a str,
    /// Fields of the head; names in any case, a name may stand several times.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; empty for none.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The value of a field, several joined by commas (RFC 9110, 5.3).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, first) = values.next()?;
        let mut joined = Cow::Borrowed(*first);
        for (_, next) in values {
            let joined = joined.to_mut();
            joined.push_str(", ");
            joined.push_str(next);
        }
        Some(joined)
    }

    /// Names and values of the query, decoded; `+` is a space.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> + use<'a> {
        pairs(self.query)
    }

    /// Names and values of the cookies (RFC 6265, 5.4), values decoded.
    pub fn cookies(&self) -> impl Iterator<Item = (&'a str, String)> + use<'a> {
        let fields = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        fields.flat_map(|(_, text)| text.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            Some((name, percent_decode_str(value).decode_utf8_lossy().into_owned()))
        })
    }
}

/// Names and values of a form or a query.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}
