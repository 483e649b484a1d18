//! What is looked at before the parser is: text that nests deeply is refused unread.
//!
//! A parser of expressions may need memory that grows with a power of the nesting (a hundred bytes of `!!(!!(…` have
//! cost one a gigabyte), so nesting is counted here, on the text, where counting is all that happens.

use crate::violation::Problem;

/// Longest condition, in bytes. Past it the condition is refused.
pub const CONDITION_BYTES_MAX: usize = 2048;
/// Deepest nesting of brackets, and of `!`, `-` and `? :`, which nest as well. Past it the condition is refused.
pub const CONDITION_DEPTH_MAX: usize = 16;

/// Whether a text may be handed to the parser.
pub(super) fn admit(text: &str) -> Result<(), Problem> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(Problem::new(format!("is longer than {CONDITION_BYTES_MAX} bytes"))
            .remedy("split it into several rules, or use `from`, `to` and `when`"));
    }
    let mut depth = Depth::default();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' | b'\'' => skip_literal(byte, &mut bytes)?,
            b'(' | b'[' | b'{' => depth.open += 1,
            b')' | b']' | b'}' => {
                depth.open = depth.open.checked_sub(1).ok_or_else(|| unbalanced(char::from(byte)))?;
            }
            b'!' if bytes.peek() != Some(&b'=') => depth.prefixes += 1,
            b'-' | b'?' => depth.prefixes += 1,
            ..=0x1f | 0x7f if !matches!(byte, b'\n' | b'\t' | b'\r') => {
                return Err(Problem::new("holds a control character"));
            }
            _ => {}
        }
        if depth.open > CONDITION_DEPTH_MAX || depth.prefixes > CONDITION_DEPTH_MAX {
            return Err(Problem::new(format!("nests more than {CONDITION_DEPTH_MAX} deep"))
                .remedy("write it flat: `a && b && c`, or as several rules"));
        }
    }
    if depth.open > 0 {
        return Err(Problem::new("has a bracket that is not closed"));
    }
    Ok(())
}

#[derive(Default)]
struct Depth {
    open: usize,
    /// `!`, `-` and `?` in the whole text: how they nest is for the parser to say, and there are never many.
    prefixes: usize,
}

fn unbalanced(bracket: char) -> Problem {
    Problem::new(format!("has a `{bracket}` that nothing opened"))
}

/// Skips the rest of a text literal, escapes included. Triple quotes are an empty literal and another one.
fn skip_literal(quote: u8, bytes: &mut impl Iterator<Item = u8>) -> Result<(), Problem> {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            byte if byte == quote => return Ok(()),
            _ => {}
        }
    }
    Err(Problem::new("has a text that is not closed").remedy("end it with the quote it began with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_deeply_is_refused_unread() {
        for text in [
            format!("{}true{}", "!!(".repeat(9), ")".repeat(9)),
            format!("{}true{}", "(".repeat(17), ")".repeat(17)),
            "[".repeat(10_000),
            format!("{}1", "true ? 1 : ".repeat(17)),
            format!("{}1", "-".repeat(17)),
            format!("'{}' == ''", "a".repeat(3000)),
        ] {
            assert!(admit(&text).is_err(), "{text:.60}");
        }
    }

    #[test]
    fn brackets_in_a_text_do_not_count() {
        assert!(admit("request.path == '((((((((((((((((((((!!!!!!!!!!!!!!!!!!!!!!'").is_ok());
        assert!(admit(r#"request.path == "a\"(" || request.host != '\'['"#).is_ok());
        assert!(admit("request.path == 'a").is_err());
        assert!(admit("a)").is_err());
        assert!(admit("(a").is_err());
    }
}
