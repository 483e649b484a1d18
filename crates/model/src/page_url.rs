//! URLs of pages that callers are sent to, and that we never ask ourselves.
//!
//! They go into header fields and JSON as they are, so they hold nothing that would have to be escaped in either; beside
//! that they are read as strictly as those that we ask, with a fragment behind.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fetch_url::{FetchUrl, refuse_odd};
use crate::violation::Problem;

/// Longest URL of a page, in bytes. Past it the URL is refused.
pub const PAGE_URL_BYTES_MAX: usize = 1024;

/// An absolute URL with the scheme `https` or `http` (RFC 3986), perhaps with a fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct PageUrl(Arc<str>);

impl PageUrl {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Arc<str>> for PageUrl {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        match check(&text) {
            Ok(()) => Ok(PageUrl(text)),
            Err(why) => Err(Problem::new(format!("is no URL of a page: {why}"))
                .remedy("write it like `https://developer.example/plans`")),
        }
    }
}

fn check(text: &str) -> Result<(), String> {
    if text.len() > PAGE_URL_BYTES_MAX {
        return Err(format!("it is longer than {PAGE_URL_BYTES_MAX} bytes"));
    }
    let (page, fragment) = text.split_once('#').unwrap_or((text, ""));
    FetchUrl::read(page)?;
    refuse_odd(fragment)
}

impl FromStr for PageUrl {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        PageUrl::try_from(Arc::<str>::from(text))
    }
}

impl From<PageUrl> for Arc<str> {
    fn from(url: PageUrl) -> Self {
        url.0
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_absolute_and_stays_as_it_was_written() {
        for text in [
            "https://developer.example/plans",
            "http://127.0.0.1:8080/docs?product=pets#plans",
            "https://[2001:db8::1]/%E5%A5%97%E9%A4%90",
        ] {
            assert_eq!(text.parse::<PageUrl>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_no_page_or_would_end_a_field_or_a_text_is_refused() {
        let long = format!("https://a.example/{}", "a".repeat(PAGE_URL_BYTES_MAX));
        for text in [
            "",
            "/plans",
            "//a.example/plans",
            "javascript:alert(1)",
            "https://a.example/>; rel=\"next\"",
            "https://a.example/\"",
            "https://a.example/a\r\nset-cookie: a=b",
            "https://a.example/#a>b",
            "https://a.example/#a#b",
            "https://user@a.example/",
            "https://a.example\\b",
            "https://\u{e4}.example/",
            &long,
        ] {
            let why = text.parse::<PageUrl>().expect_err(text).to_string();
            assert!(why.starts_with("is no URL of a page: "), "{text}: {why}");
        }
    }
}
