//! Patterns of descriptions (ECMA-262), run by an engine that takes linear time.
//!
//! A description's author writes for JavaScript. Most patterns mean the same to the `regex` crate once a few spellings
//! are changed; what looks around or refers back does not, and is told as a pattern that nothing is checked by, never
//! guessed at. A pattern is compiled when it is first asked, because a description has thousands and a mock asks three.

use std::fmt;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_MEMORY_BYTES_MAX};

/// A pattern that is looked for in a text.
pub struct Pattern {
    text: Box<str>,
    translated: Option<Box<str>>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern as it was written.
    #[must_use]
    pub fn new(text: &str) -> Pattern {
        let translated = (text.len() <= PATTERN_BYTES_MAX).then(|| translate(text));
        let understood = translated.filter(|translated| regex_syntax::parse(translated).is_ok());
        Pattern { text: text.into(), translated: understood.map(Into::into), compiled: OnceLock::new() }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In the syntax of the `regex` crate, when it is understood.
    #[must_use]
    pub fn translated(&self) -> Option<&str> {
        self.translated.as_deref()
    }

    /// Whether it is found in the text; nothing when it is not understood.
    #[must_use]
    pub fn is_match(&self, text: &str) -> Option<bool> {
        let compile = || {
            let translated = self.translated.as_deref()?;
            RegexBuilder::new(translated).size_limit(PATTERN_MEMORY_BYTES_MAX).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref().map(|regex| regex.is_match(text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

/// Spellings that mean something else, or nothing, to the other engine.
fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    let (mut in_class, mut class_start) = (false, false);
    while let Some(c) = chars.next() {
        let starts = std::mem::take(&mut class_start);
        match c {
            '\\' => escape(&mut out, &mut chars, in_class),
            '[' if !in_class => {
                (in_class, class_start) = (true, true);
                out.push('[');
            }
            '^' if in_class && starts => {
                out.push('^');
                class_start = true;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Nested classes and set operations are of the other engine only.
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            // A brace that counts nothing is itself.
            '{' if !in_class && !counts(chars.clone()) => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

fn escape(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, in_class: bool) {
    let Some(c) = chars.next() else { return out.push('\\') };
    match (c, in_class) {
        ('d', false) => out.push_str("[0-9]"),
        ('d', true) => out.push_str("0-9"),
        ('D', _) => out.push_str("[^0-9]"),
        ('w', false) => out.push_str("[A-Za-z0-9_]"),
        ('w', true) => out.push_str("A-Za-z0-9_"),
        ('W', _) => out.push_str("[^A-Za-z0-9_]"),
        ('b', true) => out.push_str("\\x08"),
        ('0', _) if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str("\\x00"),
        ('u', _) if chars.peek() != Some(&'{') => {
            let digits: String = chars.clone().take(4).collect();
            if digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                chars.by_ref().take(4).for_each(drop);
                out.push_str(&format!("\\u{{{digits}}}"));
            } else {
                out.push('u');
            }
        }
        // Letters and digits keep their meaning, or are not understood; everything else is itself.
        (c, _) if c.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(c);
        }
        (c, _) => out.push_str(&regex_syntax::escape(&c.to_string())),
    }
}

/// Whether what follows a brace is `3}`, `3,}` or `3,5}`.
fn counts(chars: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let inside: String = chars.take_while(|c| *c != '}').take(16).collect();
    let (low, high) = inside.split_once(',').unwrap_or((&inside, ""));
    let number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    !low.is_empty() && number(low) && number(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_javascript_mean_what_they_mean_there() {
        let cases = [
            ("^\\d+$", "12", true),
            ("^\\d+$", "١٢", false), // only ASCII digits are digits
            ("^[\\w.-]+$", "a_b.c-d", true),
            ("^[[\\]]$", "[", true),
            ("^[a&&b]+$", "&", true),
            ("^\\/a\\-b$", "/a-b", true),
            ("^\\u0041$", "A", true),
            ("^{a}$", "{a}", true),
            ("^a{2,3}$", "aaa", true),
            ("b", "abc", true),
            ("^(?<year>\\d{4})$", "2026", true),
            ("^[^\\s]+$", "a b", false),
        ];
        for (pattern, text, matches) in cases {
            assert_eq!(Pattern::new(pattern).is_match(text), Some(matches), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_looks_around_or_is_huge_is_not_understood() {
        for pattern in ["^(?!a)b$", "(a)\\1", "(?<=a)b", "(", "((a{1000}){1000}){1000}"] {
            assert_eq!(Pattern::new(pattern).is_match("b"), None, "{pattern}");
        }
        assert_eq!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_match("a"), None);
    }
}
