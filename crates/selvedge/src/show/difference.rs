//! What changes between two texts, line by line, as `diff -u` shows it.

use similar::{ChangeTag, TextDiff};

use crate::output::{CYAN, GREEN, RED, styled};

/// Lines around a change that stay as they were.
const CONTEXT_LINES: usize = 3;

/// The difference under a title; `None` when there is none.
#[must_use]
pub fn unified(title: &str, before: &str, after: &str) -> Option<String> {
    if before == after {
        return None;
    }
    let mut lines = vec![styled(RED, format!("--- {title}")), styled(GREEN, format!("+++ {title}"))];
    let difference = TextDiff::from_lines(before, after);
    for hunk in difference.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        lines.push(styled(CYAN, hunk.header()));
        for change in hunk.iter_changes() {
            let text = change.value().trim_end_matches('\n');
            lines.push(match change.tag() {
                ChangeTag::Equal => format!(" {text}"),
                ChangeTag::Delete => styled(RED, format!("-{text}")),
                ChangeTag::Insert => styled(GREEN, format!("+{text}")),
            });
        }
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\n";
        let shown = unified("Service shop/cart", before, &before.replace("e\n", "E\n")).expect("a change");

        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "--- Service shop/cart\n+++ Service shop/cart\n@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+E\n f"
        );
        assert_eq!(unified("x", before, before), None);
    }
}
