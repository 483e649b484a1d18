//! Formats of text and numbers (`format` of JSON Schema and of OpenAPI).
//!
//! A format that is not known says nothing. Those that are known are checked by the grammar of their standard, as far as
//! mistakes of people go; whether a host exists or an address takes mail is nobody's business here.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use serde_json::Number;

/// Whether values are checked by a format.
#[must_use]
pub fn is_known(name: &str) -> bool {
    matches!(
        name,
        "date-time"
            | "date"
            | "time"
            | "email"
            | "hostname"
            | "ipv4"
            | "ipv6"
            | "uri"
            | "uri-reference"
            | "uuid"
            | "byte"
            | "json-pointer"
            | "int32"
            | "int64"
            | "float"
            | "double"
            | "regex"
            | "duration"
    )
}

/// Whether a number is of a format.
pub fn number(name: &str, number: &Number) -> bool {
    let fits = |least: f64, most: f64| number.as_f64().is_some_and(|number| (least..=most).contains(&number));
    match name {
        "int32" => fits(i32::MIN.into(), i32::MAX.into()),
        "int64" => number.as_i64().is_some() || (number.is_f64() && fits(-9.3e18, 9.2e18)),
        "float" => fits(f32::MIN.into(), f32::MAX.into()),
        _ => true,
    }
}

/// Whether text is of a format.
pub fn text(name: &str, text: &str) -> bool {
    match name {
        "date-time" => text.split_once(['T', 't', ' ']).is_some_and(|(day, rest)| date(day) && time(rest)),
        "date" => date(text),
        "time" => time(text),
        "duration" => duration(text),
        "email" => email(text),
        "hostname" => hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "uri" => has_scheme(text) && uri_characters(text),
        "uri-reference" => uri_characters(text),
        "uuid" => uuid(text),
        "byte" => base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).is_ok(),
        "json-pointer" => json_pointer(text),
        "regex" => crate::schema::Pattern::new(text).translated().is_some(),
        _ => true,
    }
}

fn digits(text: &str, most: u32) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| all && *number <= most)
}

/// RFC 3339 `full-date`.
fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (digits(year, 9999), digits(month, 12), digits(day, 31))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    month >= 1 && (1..=days).contains(&day)
}

/// RFC 3339 `full-time`; a leap second only at the end of a day in UTC.
fn time(text: &str) -> bool {
    let Some(zone) = text.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, zone) = text.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let Some((hours, minutes, seconds)) = clock_of(clock) else { return false };
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => Some(0),
        [sign, ..] => zone[1..].split_once(':').and_then(|(hours, minutes)| {
            let both = (hours.len(), minutes.len()) == (2, 2);
            let offset = i64::from(digits(hours, 23)?) * 60 + i64::from(digits(minutes, 59)?);
            both.then_some(if *sign == b'+' { offset } else { -offset })
        }),
        [] => None,
    };
    let Some(offset) = offset else { return false };
    let at = (i64::from(hours) * 60 + i64::from(minutes) - offset).rem_euclid(24 * 60);
    !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && (seconds < 60 || at == 23 * 60 + 59)
}

fn clock_of(text: &str) -> Option<(u32, u32, u32)> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else { return None };
    let two = parts.iter().all(|part| part.len() == 2);
    two.then_some((digits(hours, 23)?, digits(minutes, 59)?, digits(seconds, 60)?))
}

/// ISO 8601 as RFC 3339 appendix A has it.
fn duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, clock) = rest.split_once('T').map_or((rest, None), |(days, clock)| (days, Some(clock)));
    let in_order = |text: &str, units: &str| {
        let mut left = units;
        let mut number = 0;
        for c in text.chars() {
            if c.is_ascii_digit() {
                number += 1;
            } else {
                let Some(at) = left.find(c).filter(|_| number > 0) else { return false };
                left = &left[at + 1..];
                number = 0;
            }
        }
        number == 0
    };
    let weeks = in_order(days, "W") && !days.is_empty() && clock.is_none();
    let both = in_order(days, "YMD") && clock.is_none_or(|clock| !clock.is_empty() && in_order(clock, "HMS"));
    weeks || (both && !rest.is_empty())
}

fn email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    local.len() <= 64 && local.split('.').all(atom) && hostname(domain)
}

/// RFC 1123.
fn hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// RFC 3986: the characters of a URI, with percent signs that encode something.
fn uri_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => allowed(*byte),
    })
}

fn uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn json_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_their_standard_takes() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "date-time",
                &["2024-02-29T23:59:60Z", "2026-01-01t00:00:00.5+02:00", "2026-01-01 00:00:00Z"],
                &[
                    "2026-01-01",
                    "2026-02-30T00:00:00Z",
                    "2026-01-01T00:00:00",
                    "2026-01-01T24:00:00Z",
                    "2026-01-01T12:00:60Z",
                ],
            ),
            ("date", &["2000-02-29"], &["1900-02-29", "2026-1-1", "2026-13-01", "２026-01-01"]),
            ("time", &["12:00:00Z", "23:59:60Z"], &["12:00", "12:00:00", "12:00:00.Z"]),
            (
                "duration",
                &["P1D", "PT1H30M", "P3W", "P1Y2M3DT4H"],
                &["P", "PT", "1D", "P1H", "PT1D", "P1D2Y"],
            ),
            ("email", &["a.b+c@example.com"], &["a", "a@", "@b", "a b@c.d", "a..b@c.d"]),
            ("hostname", &["a.b-c.d"], &["-a.b", "a..b", "a_b", ""]),
            ("ipv4", &["127.0.0.1"], &["256.0.0.1", "1.2.3", "01.2.3.4"]),
            ("ipv6", &["::1", "fe80::a:b"], &["1::2::3", "::g"]),
            ("uri", &["https://a.example/b?c#d", "urn:a:b"], &["/a", "a b:c", "http://a/%zz"]),
            ("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567e89b12d3a456426614174000"]),
            ("byte", &["aGk=", ""], &["a", "a_b-"]),
            ("json-pointer", &["", "/a~0b"], &["a", "/a~2"]),
        ];
        for (name, good, bad) in cases {
            assert!(is_known(name), "{name}");
            good.iter().for_each(|good| assert!(text(name, good), "{name} {good}"));
            bad.iter().for_each(|bad| assert!(!text(name, bad), "{name} {bad}"));
        }
    }

    #[test]
    fn numbers_keep_to_the_range_of_their_format() {
        assert!(
            number("int32", &Number::from(i32::MAX))
                && !number("int32", &Number::from(i64::from(i32::MAX) + 1))
        );
        assert!(number("int64", &Number::from(i64::MIN)) && !number("int64", &Number::from(u64::MAX)));
        assert!(number("unheard-of", &Number::from(1)));
    }
}
