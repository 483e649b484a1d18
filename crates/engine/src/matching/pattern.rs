//! Regular expressions as routes may use them: over bytes, anchored at both ends, in linear time.
//!
//! Bytes, because a header value need not be text and a matcher that gives up on such a value has failed
//! open elsewhere before (CVE-2026-73552). So `.` is any byte, classes such as `\w` are ASCII, and a pattern
//! that needs Unicode tables (`\p{Greek}`, `[é]`) is an error like any other broken pattern.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

/// Largest compiled program of one pattern, in bytes. Past it the pattern is refused.
pub const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern with the text it came from.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

/// Why a pattern was refused, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When the text is not a regular expression, needs Unicode tables, or compiles to too large a program.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        // On its own first: `a)|(b` is broken, yet would be accepted between our parentheses.
        build(text)?;
        let regex = build(&format!(r"\A(?:{text})\z"))?;
        Ok(Pattern { text: text.into(), regex })
    }

    /// Whether the whole of `bytes` matches.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.regex.is_match(bytes)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

fn build(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .nest_limit(64)
        .build()
        .map_err(|error| PatternError(one_line(&error)))
}

/// The library draws the pattern and a caret over several lines; conditions need one sentence.
fn one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("compiles to more than {PATTERN_BYTES_MAX} bytes"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_value_and_any_bytes() {
        let pattern = Pattern::new("a.*|b").unwrap();

        assert!(pattern.matches(b"a\xff\n\x00"));
        assert!(pattern.matches(b"b"));
        assert!(!pattern.matches(b"xa"));
        assert!(!pattern.matches(b"bb"));
    }

    #[test]
    fn a_broken_pattern_is_refused_in_one_line() {
        for text in ["(", "a)|(b", r"\p{Greek}", "(?x)a # swallows the end", "((a{1000}){1000}){1000}"] {
            let error = Pattern::new(text).unwrap_err().to_string();
            assert!(!error.contains('\n') && !error.is_empty(), "{text}: {error}");
        }
    }
}
