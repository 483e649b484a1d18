//! A deferred idea is an issue, not a note in the code: such a note needs the issue's number.

use super::Finding;
use super::source;
use std::path::Path;

const ENDINGS: &[&str] = &["rs", "py", "sh", "toml", "yaml", "yml"];

/// The words, taken apart so that this file does not find itself.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("HA", "CK"), concat!("XX", "X")];

/// Checks every file that people write code in.
pub fn check_all(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in source::files(root, ENDINGS)? {
        findings.extend(check(&path, &source::read(root, &path)?));
    }
    Ok(findings)
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for note in NOTES {
            if has_note(line, note) {
                let problem = format!("{note} without an issue number; write `{note}(#12)` or file an issue");
                findings.push(Finding::new("note", path, index + 1, problem));
            }
        }
    }
    findings
}

/// Whether the note stands there as a word of its own, without `(#number)` behind it.
fn has_note(line: &str, note: &str) -> bool {
    line.match_indices(note).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + note.len()..]);
        let is_word = |text: char| text.is_ascii_alphanumeric() || text == '_';
        let alone = !before.ends_with(is_word) && !after.starts_with(is_word);
        let numbered =
            after.strip_prefix("(#").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        alone && !numbered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_needs_an_issue_number() {
        let note = NOTES[0];

        assert_eq!(check("a.rs", &format!("// {note}: later")).len(), 1);
        assert_eq!(check("a.py", &format!("x = 1  # {note}(#) later")).len(), 1);
        assert!(check("a.rs", &format!("// {note}(#12): later")).is_empty());
    }

    #[test]
    fn a_longer_word_is_not_a_note() {
        assert!(check("a.rs", &format!("const {}_LIST: u8 = 0;", NOTES[0])).is_empty());
    }
}
