//! The documents of a file, told apart without reading them.
//!
//! A line that begins with `---` ends a document wherever it stands, even in the middle of a quoted text (YAML 1.2,
//! rule `c-forbidden`), and nothing of one document is known in the next. So equal pieces of two editions of a file
//! mean the same, and only the others need to be read.

use model::yaml::NODES_MAX;

/// Shortest text of a value with what parts it from the next, in bytes.
const NODE_BYTES_MIN: usize = 2;

/// One document with the line that begins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// Its first line, from 1.
    pub(crate) line: u32,
    pub(crate) text: &'t str,
}

/// The pieces of a text; joined, they are the text again.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = vec![Piece { line: 1, text }];
    if !can_be_parted(text) {
        return pieces;
    }
    let (mut start, mut at, mut first_line) = (0, 0, 1);
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        if at > start && is_marker(content) {
            pieces.insert(pieces.len() - 1, Piece { line: first_line, text: &text[start..at] });
            (start, first_line) = (at, line);
        }
        at += content.len();
    }
    if let Some(last) = pieces.last_mut() {
        *last = Piece { line: first_line, text: &text[start..] };
    }
    pieces
}

/// As many line ends as a text has: what stands behind it keeps its lines.
pub(crate) fn blank(text: &str) -> impl Iterator<Item = char> {
    text.bytes().filter(|byte| *byte == b'\n').map(char::from)
}

/// Not where a document depends on what stands before it (directives), where lines are counted in another way, or
/// where a file that is read piece by piece could hold more than one that is read at once: what was accepted must
/// be accepted after a restart.
fn can_be_parted(text: &str) -> bool {
    let bytes = text.as_bytes();
    let lone_return = || (0..bytes.len()).any(|at| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    text.len() <= NODES_MAX * NODE_BYTES_MIN
        && !bytes.contains(&b'&')
        && !text.lines().any(|line| line.starts_with('%'))
        && !lone_return()
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(u32, &str)> {
        pieces(text).into_iter().map(|piece| (piece.line, piece.text)).collect()
    }

    #[test]
    fn a_document_begins_with_its_marker_and_keeps_its_line() {
        assert_eq!(
            texts("a: 1\n---\nb: |\n  ---\n--- {c: 2}\n"),
            [(1, "a: 1\n"), (2, "---\nb: |\n  ---\n"), (5, "--- {c: 2}\n"),]
        );
        assert_eq!(texts("---\r\na: 1\r\n---"), [(1, "---\r\na: 1\r\n"), (3, "---")]);
        assert_eq!(texts("---a: 1\n"), [(1, "---a: 1\n")]);
        assert_eq!(texts(""), [(1, "")]);
    }

    #[test]
    fn what_depends_on_the_rest_of_the_file_is_read_as_a_whole() {
        for text in ["%YAML 1.2\n---\na: 1\n---\nb: 1\n", "a: &x 1\n---\nb: 1\n", "a: 1\rb: 2\n---\nc: 1\n"] {
            assert_eq!(pieces(text).len(), 1, "{text:?}");
        }
    }
}
