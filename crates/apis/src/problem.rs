//! What is wrong with a description: where it stands, what it is, and what helps.

use std::fmt;
use std::sync::Arc;

/// One mistake in an upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Name of the document.
    pub file: Arc<str>,
    /// Line of the document, from 1; 0 when the document as a whole is meant.
    pub line: u32,
    /// JSON Pointer (RFC 6901) from the root of the document; empty means the whole document.
    pub pointer: String,
    /// What is wrong, as the end of a sentence about the value.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    /// A problem of a document as a whole.
    #[must_use]
    pub fn of_file(file: &Arc<str>, what: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { file: file.clone(), line: 0, pointer: String::new(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    /// The form that `selvedge validate` has: place, what, hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}", one_line(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.pointer.is_empty() {
            write!(f, "  {}", one_line(&self.pointer))?;
        }
        write!(f, "\n    {}", one_line(&self.what))?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n    hint: {}", one_line(&self.fix)) }
    }
}

impl std::error::Error for Problem {}

/// Messages quote what strangers wrote; control characters in it must not forge lines or colours of a terminal.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Text of a stranger in a message: quoted, and cut where it gets long.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text, 80))
}

/// Text of a stranger, cut behind so many characters.
pub(crate) fn shown(text: &str, chars_max: usize) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_reason_and_hint_and_forges_no_line() {
        let problem = Problem {
            file: "pets.yaml".into(),
            line: 3,
            pointer: "/paths/~1pets".to_owned(),
            what: "is wrong\nreally".to_owned(),
            fix: "mend it".to_owned(),
        };

        assert_eq!(
            problem.to_string(),
            "  pets.yaml:3  /paths/~1pets\n    is wrong\\nreally\n    hint: mend it"
        );
    }
}
