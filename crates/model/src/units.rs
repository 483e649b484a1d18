//! Quantities as people write them: durations, byte counts, moments.
//!
//! A number without a unit is a question. Durations are those of the Gateway API (GEP-2257), a small subset of
//! Go's so that every language reads them alike; byte counts are Kubernetes quantities without fractions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::violation::Problem;

/// Most digits of one part of a duration (GEP-2257).
const DURATION_DIGITS_MAX: usize = 5;
/// Most parts of a duration (GEP-2257).
const DURATION_PARTS_MAX: usize = 4;

/// A duration of the Gateway API: up to four numbers of up to five digits, each with `h`, `m`, `s` or `ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayDuration(pub Duration);

impl GatewayDuration {
    /// The duration itself; zero means "no bound" in most fields of the Gateway API.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for GatewayDuration {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse_duration(text).map(GatewayDuration).ok_or_else(|| {
            Problem::new(format!("`{text}` is not a duration"))
                .remedy("write it like `500ms`, `10s` or `1h30m`")
        })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..DURATION_PARTS_MAX {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > DURATION_DIGITS_MAX {
            return None;
        }
        let number: u64 = rest[..digits].parse().ok()?;
        let (unit, tail) = split_unit(&rest[digits..])?;
        total += unit * u32::try_from(number).ok()?;
        if tail.is_empty() {
            return Some(total);
        }
        rest = tail;
    }
    None
}

fn split_unit(text: &str) -> Option<(Duration, &str)> {
    const UNITS: [(&str, Duration); 4] = [
        ("ms", Duration::from_millis(1)), // before `m`, which it starts with
        ("h", Duration::from_secs(3600)),
        ("m", Duration::from_secs(60)),
        ("s", Duration::from_secs(1)),
    ];
    UNITS.iter().find_map(|(name, unit)| Some((*unit, text.strip_prefix(name)?)))
}

impl fmt::Display for GatewayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let parts = [
            (millis / 3_600_000, "h"),
            (millis / 60_000 % 60, "m"),
            (millis / 1000 % 60, "s"),
            (millis % 1000, "ms"),
        ];
        if millis == 0 {
            return f.write_str("0s");
        }
        parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

impl Serialize for GatewayDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GatewayDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A number of bytes: a whole number, or one with a unit (`k`, `M`, `G`, `Ki`, `Mi`, `Gi`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteQuantity(pub u64);

impl ByteQuantity {
    /// The number of bytes.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteQuantity {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse_bytes(text).map(ByteQuantity).ok_or_else(|| {
            Problem::new(format!("`{text}` is not a number of bytes"))
                .remedy("write it like `512`, `64Ki` or `10Mi`")
        })
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("", 1),
    ];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == &text[digits..])?;
    text[..digits].parse::<u64>().ok()?.checked_mul(*unit)
}

impl fmt::Display for ByteQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let unit = [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
        match unit.iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
            Some((shift, name)) => write!(f, "{}{name}", bytes >> shift),
            None => write!(f, "{bytes}"),
        }
    }
}

impl Serialize for ByteQuantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntOrText;
        impl Visitor<'_> for IntOrText {
            type Value = ByteQuantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, like 512 or `10Mi`")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteQuantity, E> {
                Ok(ByteQuantity(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteQuantity, E> {
                u64::try_from(bytes).map(ByteQuantity).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteQuantity, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(IntOrText)
    }
}

/// A moment of an object's life, in whole seconds since 1970, read from and written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl FromStr for Moment {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse_moment(text).map(Moment).ok_or_else(|| {
            Problem::new(format!("`{text}` is not a moment")).remedy("write it like `2026-01-31T12:00:00Z`")
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn parse_moment(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let marks = [(4, '-'), (7, '-'), (13, ':'), (16, ':')];
    let marked = marks.iter().all(|(at, mark)| text.get(*at..*at + 1).is_some_and(|c| c.starts_with(*mark)));
    if !marked || !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let sane = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    if !sane || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = parse_offset(skip_fraction(text.get(19..)?)?)?;
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

/// Fractions of a second do not decide who is older.
fn skip_fraction(text: &str) -> Option<&str> {
    let Some(fraction) = text.strip_prefix('.') else { return Some(text) };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| &fraction[digits..])
}

fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let part = |digits: &str| -> Option<i64> {
        let well = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        well.then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (part(hours)?, part(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, counted from years that start in March so that the leap day is last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The inverse of [`days_since_1970`]: cycles of 400 years, then years and months from March on.
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (cycle, day_of_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leap_days = day_of_cycle / 1_460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year_of_cycle + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_gep_2257() {
        let millis = |text: &str| text.parse::<GatewayDuration>().map(|d| d.get().as_millis()).ok();

        assert_eq!(millis("0s"), Some(0));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("1h1m1s1ms"), Some(3_661_001));
        assert_eq!(millis("99999h"), Some(359_996_400_000));
        for bad in ["", "1", "s", "1.5s", "-1s", "1d", "100000s", "1h1h1h1h1h", "1us", "1s ", "+1s", "1S"] {
            assert_eq!(millis(bad), None, "{bad:?} was taken for a duration");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_can_be_read() {
        for text in ["0s", "500ms", "1h30m", "1h1m1s1ms", "10s"] {
            assert_eq!(text.parse::<GatewayDuration>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn byte_quantities_have_binary_and_decimal_units_and_cannot_overflow() {
        let bytes = |text: &str| text.parse::<ByteQuantity>().map(ByteQuantity::get).ok();

        assert_eq!(bytes("0"), Some(0));
        assert_eq!(bytes("10Mi"), Some(10 << 20));
        assert_eq!(bytes("10M"), Some(10_000_000));
        assert_eq!(bytes("64Ki").map(ByteQuantity).map(|b| b.to_string()).as_deref(), Some("64Ki"));
        for bad in ["", "Mi", "1.5Mi", "-1", "1mi", "1 Mi", "18446744073709551616", "99999999Ti"] {
            assert_eq!(bytes(bad), None, "{bad:?} was taken for bytes");
        }
    }

    #[test]
    fn a_moment_is_shown_as_it_can_be_read() {
        for day in (-719_000..2_930_000).step_by(97) {
            let moment = Moment(day * 86_400 + 4_711);
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        assert_eq!(Moment(951_782_400).to_string(), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn moments_order_by_time_whatever_their_zone() {
        let moment = |text: &str| text.parse::<Moment>().map(|m| m.0).ok();

        assert_eq!(moment("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(moment("2000-03-01T00:00:00Z"), Some(951_868_800));
        assert_eq!(moment("2024-02-29T12:00:00.123+01:00"), Some(1_709_204_400));
        for bad in [
            "",
            "2024",
            "2023-02-29T00:00:00Z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-13-01T00:00:00Z",
            "ä024-01-01T00:00:00Z",
        ] {
            assert_eq!(moment(bad), None, "{bad:?} was taken for a moment");
        }
    }
}
