//! What a plain word of YAML means.
//!
//! The core schema of YAML 1.2 decides. Words that older readers (those of Kubernetes among them) take for
//! something else, such as `yes` or `0755`, are refused: the same file must not mean two things in two places.

use serde_json::{Number, Value};

use crate::violation::Problem;

/// Words that YAML 1.1 takes for true or false, in lower case.
const OLD_BOOLEANS: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// The value of a word without quotes.
pub fn plain(text: &str) -> Result<Value, Problem> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if OLD_BOOLEANS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(Problem::new("is text to some readers of YAML and true or false to others").remedy(
            format!("put it in quotes (\"{text}\") where the word is meant, or write true or false"),
        ));
    }
    // What does not begin like a number cannot be one; most words end here.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(Value::String(text.to_owned()));
    }
    number(text)
}

/// The value of a word by the letter of YAML 1.2's core schema, for documents that others write by it: descriptions of
/// APIs. What is no number that JSON can hold stays text.
pub fn by_the_letter(text: &str) -> Result<Value, Problem> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if OLD_BOOLEANS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Ok(Value::String(text.to_owned()));
    }
    if digits.len() > 1 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let whole =
            unsigned.parse::<u64>().map(Number::from).or_else(|_| unsigned.parse::<i64>().map(Number::from));
        let near = || unsigned.parse().ok().and_then(Number::from_f64);
        return Ok(whole.ok().or_else(near).map_or_else(|| Value::String(text.to_owned()), Value::Number));
    }
    Ok(plain(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn number(text: &str) -> Result<Value, Problem> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let all = |set: fn(&u8) -> bool, digits: &str| !digits.is_empty() && digits.bytes().all(|b| set(&b));
    if matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Err(
            Problem::new("is not a number that can be used").remedy("put it in quotes if text is meant")
        );
    }
    if let Some(octal) = text.strip_prefix("0o").filter(|octal| all(|b| matches!(b, b'0'..=b'7'), octal)) {
        return integer(i64::from_str_radix(octal, 8).ok());
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|hex| all(u8::is_ascii_hexdigit, hex)) {
        return integer(i64::from_str_radix(hex, 16).ok());
    }
    if all(|b| b.is_ascii_digit() || *b == b'_', digits) {
        if digits.contains('_') || (digits.len() > 1 && digits.starts_with('0')) {
            return Err(Problem::new("is not the same number to all readers of YAML")
                .remedy("put it in quotes, or write the number without leading zeros and underscores"));
        }
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        return match unsigned.parse::<u64>() {
            Ok(number) => Ok(Value::Number(number.into())),
            Err(_) => integer(unsigned.parse().ok()),
        };
    }
    Ok(fraction(text, digits).unwrap_or_else(|| Value::String(text.to_owned())))
}

fn integer(number: Option<i64>) -> Result<Value, Problem> {
    let too_large = || Problem::new("is too large a number").remedy("put it in quotes if text is meant");
    number.map(|number| Value::Number(number.into())).ok_or_else(too_large)
}

/// A fraction of the core schema: digits with a point or an exponent. Rust reads more than that (`infinity`), so
/// the alphabet is looked at first.
fn fraction(text: &str, digits: &str) -> Option<Value> {
    let alphabet = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if !digits.bytes().all(alphabet) || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_mean_what_the_core_schema_says() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("8080", json!(8080)),
            ("-1", json!(-1)),
            ("+1", json!(1)),
            ("0", json!(0)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("10.0.0.1", json!("10.0.0.1")),
            ("1h30m", json!("1h30m")),
            ("2024-01-01", json!("2024-01-01")),
            ("10:30", json!("10:30")),
            ("-", json!("-")),
            (".", json!(".")),
            ("nano", json!("nano")),
            ("18446744073709551615", json!(u64::MAX)),
        ];
        for (word, value) in cases {
            assert_eq!(plain(word).expect(word), value, "{word}");
        }
    }

    #[test]
    fn words_that_readers_disagree_on_are_refused() {
        for word in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "0755",
            "010",
            "1_000",
            "-012",
            ".inf",
            "-.Inf",
            ".nan",
            "99999999999999999999",
        ] {
            assert!(plain(word).is_err(), "{word} was taken");
        }
    }
}
