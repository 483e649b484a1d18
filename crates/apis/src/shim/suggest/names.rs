//! How alike two names are, the way people rename things: another notation, a word more or less, another word.

/// Names that are alike enough to be taken for one another, out of 100.
pub const ALIKE: u32 = 60;
/// The same name but for its notation.
pub const SAME: u32 = 100;
/// What names can have in common when they share letters and no words.
const LETTERS_MAX: usize = 50;

/// A name without what notations change: `page-size`, `page_size` and `pageSize` are one.
pub fn plain(name: &str) -> String {
    words(name).concat()
}

/// From 0, nothing in common, to 100, the same but for notation.
pub fn likeness(left: &str, right: &str) -> u32 {
    let (left, right) = (words(left), words(right));
    if left.is_empty() || right.is_empty() {
        return 0;
    }
    if left.concat() == right.concat() {
        return SAME;
    }
    let (short, long) = if left.len() < right.len() { (&left, &right) } else { (&right, &left) };
    if long.starts_with(short) || long.ends_with(short) {
        return ALIKE;
    }
    letters(&left.concat(), &right.concat())
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut after_lower = false;
    let mut open = false;
    for c in name.chars() {
        let is_part = c.is_alphanumeric();
        if is_part && (!open || (after_lower && c.is_uppercase())) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (is_part, words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        open = is_part;
        after_lower = c.is_lowercase();
    }
    words
}

/// How many pairs of neighbouring letters are in both.
fn letters(left: &str, right: &str) -> u32 {
    let pairs = |text: &str| -> Vec<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
    let (left, mut right) = (pairs(left), pairs(right));
    let all = left.len() + right.len();
    let common = left.iter().filter(|pair| {
        let found = right.iter().position(|other| other == *pair);
        found.map(|at| right.swap_remove(at)).is_some()
    });
    let shared = 2 * common.count() * LETTERS_MAX;
    u32::try_from(shared.checked_div(all).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_notation_is_the_same_name_and_another_word_is_none() {
        for (left, right, least, most) in [
            ("page-size", "pageSize", 100, 100),
            ("created_at", "CreatedAt", 100, 100),
            ("id", "petId", 60, 60),
            ("name", "fullName", 60, 60),
            ("id", "width", 0, 40),
            ("state", "status", 25, 50),
            ("name", "title", 0, 10),
            ("", "a", 0, 0),
        ] {
            let found = likeness(left, right);
            assert!((least..=most).contains(&found), "{left} {right}: {found}");
            assert_eq!(found, likeness(right, left));
        }
    }
}
