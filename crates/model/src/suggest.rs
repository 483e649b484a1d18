//! Guesses what was meant, for "did you mean" hints.
//!
//! A wrong guess costs more trust than no guess, so only near misses count: at most one edit in three
//! characters, and never more than three.

/// Longest word that is compared; the cost grows with the product of both lengths.
const WORD_CHARS_MAX: usize = 64;
/// Most edits that still count as a slip.
const EDITS_MAX: usize = 3;

/// The candidate nearest to `word`, if one is near enough. Case alone does not count as an edit.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, EDITS_MAX);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(word, candidate)?, candidate)))
        .filter(|(edits, candidate)| *edits <= allowed && *edits < candidate.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?` for the nearest candidate, ready to be a remedy.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|found| format!("did you mean `{found}`?"))
}

/// Optimal string alignment distance (insert, delete, replace, swap of neighbours), case folded.
fn distance(left: &str, right: &str) -> Option<usize> {
    let left: Vec<char> = left.chars().flat_map(char::to_lowercase).take(WORD_CHARS_MAX + 1).collect();
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).take(WORD_CHARS_MAX + 1).collect();
    if left.len().max(right.len()) > WORD_CHARS_MAX || left.len().abs_diff(right.len()) > EDITS_MAX {
        return None;
    }
    let mut before_last: Vec<usize> = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let replaced = last[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 4] = ["backendRefs", "matches", "filters", "timeouts"];

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        for slip in ["backendRef", "backendrefs", "backedRefs", "bakcendRefs", "backends"] {
            assert_eq!(nearest(slip, FIELDS), (slip != "backends").then_some("backendRefs"), "{slip}");
        }
        assert_eq!(nearest("match", FIELDS), None, "two edits in five letters are no slip");
        assert_eq!(nearest("mathces", FIELDS), Some("matches"));
    }

    #[test]
    fn a_guess_is_not_made_up() {
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("", FIELDS), None);
        assert_eq!(nearest(&"a".repeat(100_000), FIELDS), None);
    }
}
