//! Text with stars, as policies write identities, paths, hosts and values.
//!
//! No regular expression stands behind it: names hold dots and brackets, and whoever forgets to escape one has let
//! somebody in. A star at the beginning or at the end stands for anything; elsewhere it stands for one whole segment,
//! so that a match needs one walk over the text and no going back.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::violation::Problem;

/// Longest pattern, in bytes. Past it the pattern is refused.
pub const GLOB_BYTES_MAX: usize = 1024;

/// A pattern whose segments end at `SEPARATOR`; 0 for text without segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Glob<const SEPARATOR: u8>(Arc<str>);

/// Values of fields: no segments.
pub type TextGlob = Glob<0>;
/// Host and server names.
pub type HostGlob = Glob<b'.'>;

/// A pattern of SPIFFE IDs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct IdentityGlob(Glob<b'/'>);

/// A pattern of paths in their canonical spelling, without query.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct PathGlob(Glob<b'/'>);

/// A pattern in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Anything may stand before.
    pub any_before: bool,
    /// Text, with exactly one segment between two pieces. Never empty.
    pub pieces: Vec<&'a str>,
    /// Anything may stand behind.
    pub any_after: bool,
}

impl<const SEPARATOR: u8> Glob<SEPARATOR> {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        let text = &*self.0;
        if text == "*" {
            return Parts { any_before: true, pieces: vec![""], any_after: true };
        }
        let rest = text.strip_prefix('*').unwrap_or(text);
        let middle = rest.strip_suffix('*').unwrap_or(rest);
        Parts {
            any_before: text.starts_with('*'),
            pieces: middle.split('*').collect(),
            any_after: text.ends_with('*'),
        }
    }
}

impl TextGlob {
    /// A name in a namespace: `web-*` becomes `shop/web-*`. What names its namespace itself, or begins with a star,
    /// stays as it is.
    #[must_use]
    pub fn within(&self, namespace: &str) -> TextGlob {
        let text = self.as_str();
        if text.contains('/') || text.starts_with('*') {
            return self.clone();
        }
        Glob(format!("{namespace}/{text}").into())
    }
}

impl<const SEPARATOR: u8> TryFrom<Arc<str>> for Glob<SEPARATOR> {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::new("must not be empty").remedy("use `*` for anything"));
        }
        if text.len() > GLOB_BYTES_MAX {
            return Err(Problem::new(format!("is longer than {GLOB_BYTES_MAX} bytes")));
        }
        if text.contains("**") {
            return Err(
                Problem::new("holds `**`").remedy("one `*` at the end stands for everything below already")
            );
        }
        let glob = Glob(text);
        let Parts { any_before, pieces, .. } = glob.parts();
        if pieces.len() > 1 {
            stars_between::<SEPARATOR>(any_before, &pieces)?;
        }
        Ok(glob)
    }
}

/// Whether the stars between pieces stand for whole segments.
fn stars_between<const SEPARATOR: u8>(any_before: bool, pieces: &[&str]) -> Result<(), Problem> {
    if SEPARATOR == 0 {
        return Err(
            Problem::new("has a `*` in the middle").remedy("put `*` at the beginning, the end, or both")
        );
    }
    let separator = char::from(SEPARATOR);
    if any_before {
        return Err(Problem::new("begins with `*` and has another one in the middle")
            .remedy("write the beginning out, or leave the star in the middle away"));
    }
    let whole = pieces.windows(2).all(|two| two[0].ends_with(separator) && two[1].starts_with(separator));
    if whole {
        return Ok(());
    }
    Err(Problem::new("has a `*` inside a segment").remedy(format!(
        "in the middle, `*` stands for one whole segment between two `{separator}`; at the beginning or the end for anything"
    )))
}

impl<const SEPARATOR: u8> FromStr for Glob<SEPARATOR> {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::try_from(Arc::<str>::from(text))
    }
}

impl<const SEPARATOR: u8> From<Glob<SEPARATOR>> for Arc<str> {
    fn from(glob: Glob<SEPARATOR>) -> Self {
        glob.0
    }
}

impl<const SEPARATOR: u8> fmt::Display for Glob<SEPARATOR> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Gives the two patterns that ask for more what all of them share.
macro_rules! wrapped {
    ($type:ident, $check:ident) => {
        impl $type {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The pattern itself.
            #[must_use]
            pub fn glob(&self) -> &Glob<b'/'> {
                &self.0
            }
        }

        impl TryFrom<Arc<str>> for $type {
            type Error = Problem;

            fn try_from(text: Arc<str>) -> Result<Self, Problem> {
                $check(&text)?;
                Glob::try_from(text).map($type)
            }
        }

        impl FromStr for $type {
            type Err = Problem;

            fn from_str(text: &str) -> Result<Self, Problem> {
                Self::try_from(Arc::<str>::from(text))
            }
        }

        impl From<$type> for Arc<str> {
            fn from(glob: $type) -> Self {
                glob.0.into()
            }
        }
    };
}

wrapped!(IdentityGlob, check_identity);
wrapped!(PathGlob, check_path);

fn check_identity(text: &str) -> Result<(), Problem> {
    if text.starts_with("spiffe://") || text.starts_with('*') || text.is_empty() {
        return Ok(());
    }
    Err(Problem::new(format!("`{text}` can be no SPIFFE ID")).remedy(format!(
        "write it whole, like `spiffe://example.org/ns/shop/sa/cart`, or begin with a star: `*/{}`",
        text.trim_start_matches('/')
    )))
}

/// A pattern that no canonical path can match would allow nobody, or, worse, deny nobody.
fn check_path(text: &str) -> Result<(), Problem> {
    let wrong = |problem: &str, remedy: &str| Err(Problem::new(problem).remedy(remedy));
    if !text.starts_with(['/', '*']) && !text.is_empty() {
        return wrong("does not begin with `/`", "write the whole path, or begin with `*`");
    }
    if text.contains(['?', '#']) {
        return wrong("is more than a path", "leave the query out; it can be asked for in `condition`");
    }
    if !text.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) || text.contains('\\') {
        return wrong("holds a character that no path holds", "write it as an escape like `%20`");
    }
    let has_dots = text.split('/').any(|segment| matches!(segment, "." | ".."));
    if has_dots || text.contains("//") {
        return wrong("is not how a path arrives", "paths are compared without `.`, `..` and `//`");
    }
    match odd_escape(text) {
        Some(escape) => Err(Problem::new(format!("`{escape}` is not how an escape arrives")).remedy(
            "digits of escapes are in upper case; letters, digits, `-`, `.`, `_` and `~` are not escaped",
        )),
        None => Ok(()),
    }
}

/// The first escape that the canonical spelling does not have.
fn odd_escape(text: &str) -> Option<&str> {
    text.match_indices('%').find_map(|(at, _)| {
        let digits = text.get(at + 1..at + 3);
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let fits = digits
            .is_some_and(|digits| !digits.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'+'))
            && value.is_some_and(|value| {
                !value.is_ascii_alphanumeric() && !matches!(value, b'-' | b'.' | b'_' | b'~')
            });
        (!fits).then(|| text.get(at..at + 3).unwrap_or(&text[at..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_at_an_end_or_for_a_whole_segment() {
        for text in ["/", "/a", "/a/*", "/a*", "*/a", "*a*", "*", "/a/*/b", "/a/*/b/*/c", "/a/*/*"] {
            assert!(text.parse::<PathGlob>().is_ok(), "{text}");
        }
        for text in ["", "/a/**", "/a*b", "/a/*b/c", "*/a/*/b", "/a/b*/c"] {
            assert!(text.parse::<PathGlob>().is_err(), "{text}");
        }
        assert!("a*b".parse::<TextGlob>().is_err());
        assert!("*.example.com".parse::<HostGlob>().is_ok());
    }

    #[test]
    fn a_path_that_cannot_arrive_is_refused() {
        for text in [
            "a", "/a?b", "/a#b", "/a b", "/ä", "/a//b", "/a/../b", "/.", "/a%2f", "/%41", "/%", "/%2", "/\\a",
        ] {
            assert!(text.parse::<PathGlob>().is_err(), "{text}");
        }
        assert!("/a%2Fb%20".parse::<PathGlob>().is_ok());
    }

    #[test]
    fn an_identity_is_written_whole_or_begins_with_a_star() {
        assert!("spiffe://a/ns/b/sa/c".parse::<IdentityGlob>().is_ok());
        assert!("spiffe://*/ns/b/sa/*".parse::<IdentityGlob>().is_ok());
        let problem = "cluster.local/ns/b/sa/c".parse::<IdentityGlob>().unwrap_err();
        assert!(problem.remedy.unwrap().contains("`*/cluster.local/ns/b/sa/c`"));
    }
}
