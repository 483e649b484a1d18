//! Bodies become values, and only those that can become text again without a loss.
//!
//! Numbers are kept in 64 bits. One that was written with more digits would come out as another number, and nobody would
//! notice; so it is refused. Depth and size are bounded before anything is built.

use serde_json::Value;

use crate::check::within_bounds;

/// Digits that a number with a fraction keeps exactly.
const DIGITS_EXACT: usize = 15;
/// Largest power of ten by which such a number is still read exactly.
const POWER_EXACT: i32 = 22;

/// Reads a JSON body.
///
/// # Errors
/// Why it cannot be carried, as the end of a sentence about the body.
pub fn read(body: &[u8]) -> Result<Value, String> {
    within_bounds(body)?;
    let value = serde_json::from_slice(body).map_err(|problem| format!("is no JSON: {problem}"))?;
    match numbers(body).find(|number| !is_exact(number)) {
        Some(number) => {
            let number = crate::problem::quoted(number);
            Err(format!("has the number {number}, which cannot be carried without changing it"))
        }
        None => Ok(value),
    }
}

/// Whether a number comes out as it went in.
pub(super) fn is_exact(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let (digits, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let Ok(power) = power.parse::<i32>() else { return false };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = whole.trim_start_matches(['-', '0']).len() + fraction.len();
    let power = power.saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX));
    significant <= DIGITS_EXACT && power.abs() <= POWER_EXACT
}

/// The numbers of a text that is JSON, as they are written.
fn numbers(body: &[u8]) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = body.get(at) {
            match byte {
                b'"' => at = behind_text(body, at + 1),
                b'-' | b'0'..=b'9' => {
                    let rest = &body[at..];
                    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
                    at += length;
                    return std::str::from_utf8(&rest[..length]).ok();
                }
                _ => at += 1,
            }
        }
        None
    })
}

fn behind_text(body: &[u8], mut at: usize) -> usize {
    loop {
        match body.get(at) {
            None => return at,
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_change_is_refused_and_told() {
        for number in ["18446744073709551616", "0.1234567890123456789", "1e300", "12345678901234567.5"] {
            let body = format!("{{\"a\": [\"1e999\", {number}]}}");
            let told = read(body.as_bytes()).expect_err(number);
            assert!(told.contains(number), "{told}");
        }
        for number in
            ["18446744073709551615", "-9223372036854775808", "0.1", "1.50", "1e3", "123456789.012345"]
        {
            assert!(read(format!("[{number}]").as_bytes()).is_ok(), "{number}");
        }
    }

    #[test]
    fn what_is_too_deep_is_not_read() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));

        assert!(read(deep.as_bytes()).expect_err("too deep").contains("nested deeper"));
    }
}
