//! Exact arithmetic on the numbers of JSON.
//!
//! `0.3` is a multiple of `0.1`, although floating point says otherwise; and `9007199254740993` is not `…992`. Numbers
//! are taken as the decimals that were written, as long as they fit into 128 bits; past that the nearest is good enough.

use std::cmp::Ordering;

use serde_json::Number;

/// `mantissa × 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    fn read(number: &Number) -> Option<Decimal> {
        if let Some(whole) = number.as_i64() {
            return Some(Decimal { mantissa: whole.into(), exponent: 0 });
        }
        if let Some(whole) = number.as_u64() {
            return Some(Decimal { mantissa: whole.into(), exponent: 0 });
        }
        let text = number.to_string();
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        Some(Decimal { mantissa: format!("{whole}{fraction}").parse().ok()?, exponent })
    }

    /// Both with the exponent of the finer one.
    fn aligned(self, other: Decimal) -> Option<(i128, i128)> {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |decimal: Decimal| {
            let power = u32::try_from(decimal.exponent - exponent).ok()?;
            decimal.mantissa.checked_mul(10_i128.checked_pow(power)?)
        };
        Some((scaled(self)?, scaled(other)?))
    }
}

/// Which of two numbers is larger.
pub(crate) fn compare(left: &Number, right: &Number) -> Ordering {
    let exact = || {
        let (left, right) = Decimal::read(left)?.aligned(Decimal::read(right)?)?;
        Some(left.cmp(&right))
    };
    let near = || left.as_f64().unwrap_or(0.0).total_cmp(&right.as_f64().unwrap_or(0.0));
    exact().unwrap_or_else(near)
}

/// Whether a number is a multiple of another, which is above zero.
pub(crate) fn is_multiple(number: &Number, of: &Number) -> bool {
    let exact = || {
        let (number, of) = Decimal::read(number)?.aligned(Decimal::read(of)?)?;
        (of != 0).then(|| number % of == 0)
    };
    let near = || {
        let ratio = number.as_f64().unwrap_or(0.0) / of.as_f64().unwrap_or(1.0);
        (ratio - ratio.round()).abs() < 1e-9 * ratio.abs().max(1.0)
    };
    exact().unwrap_or_else(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn multiples_are_those_of_the_written_decimals() {
        for (one, of, is) in [
            ("0.3", "0.1", true),
            ("1.1", "0.1", true),
            ("4.5", "1.5", true),
            ("1e3", "10", true),
            ("7", "2", false),
            ("0.35", "0.1", false),
        ] {
            assert_eq!(is_multiple(&number(one), &number(of)), is, "{one} {of}");
        }
    }

    #[test]
    fn large_numbers_are_told_apart() {
        assert!(compare(&number("9007199254740993"), &number("9007199254740992")).is_gt());
        assert!(compare(&number("18446744073709551615"), &number("-1")).is_gt());
        assert!(compare(&number("1.0"), &number("1")).is_eq());
        assert!(compare(&number("1e300"), &number("1e-300")).is_gt());
    }
}
