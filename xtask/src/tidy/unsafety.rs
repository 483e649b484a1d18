//! `unsafe` stands in crate `os` and nowhere else, and each use gives its reason.
//!
//! The workspace lint says the same, but a lint can be allowed in one line; this cannot.

use super::Finding;
use super::source::Source;

/// The only folder that may contain the word.
const HOME: &str = "crates/os/";
/// How far above the word its reason may start.
const REASON_LINES: usize = 6;

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let words = source.tokens.iter().filter(|token| matches!(token.text.as_str(), "unsafe" | "unsafe_code"));
    if !source.path.starts_with(HOME) {
        let problem = "only crate `os` may be unsafe, or allow it";
        return words.map(|token| Finding::new("unsafe", &source.path, token.line, problem)).collect();
    }
    words
        .filter(|token| token.text == "unsafe" && !has_reason(source, token.line))
        .map(|token| Finding::new("unsafe", &source.path, token.line, "no `// SAFETY:` comment above it"))
        .collect()
}

fn has_reason(source: &Source, line: usize) -> bool {
    let above = source.text.lines().take(line).skip(line.saturating_sub(REASON_LINES));
    above.into_iter().any(|text| text.contains("SAFETY:") || text.contains("# Safety"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text).unwrap()).len()
    }

    #[test]
    fn an_unsafe_block_outside_os_is_found_even_in_a_macro() {
        assert_eq!(problems("crates/proxy/src/a.rs", "fn a() { unsafe { b() } }"), 1);
        assert_eq!(problems("crates/proxy/src/a.rs", "macro_rules! a { () => { unsafe { b() } } }"), 1);
    }

    #[test]
    fn allowing_the_lint_outside_os_is_found() {
        assert_eq!(problems("crates/proxy/src/a.rs", "#![allow(unsafe_code)]"), 1);
    }

    #[test]
    fn the_word_in_a_string_or_comment_is_only_a_word() {
        assert_eq!(problems("crates/proxy/src/a.rs", "// unsafe\nconst A: &str = \"unsafe\";"), 0);
    }

    #[test]
    fn in_os_every_use_gives_its_reason() {
        assert_eq!(problems("crates/os/src/a.rs", "fn a() { unsafe { b() } }"), 1);
        assert_eq!(
            problems("crates/os/src/a.rs", "fn a() {\n// SAFETY: b has no conditions.\nunsafe { b() } }"),
            0
        );
    }
}
