//! What proxies on one way tell each other of a request: how much time is left, and that somebody already retries it.
//!
//! Time: `selvedge-timeout-ms` (and `grpc-timeout`, as the gRPC protocol defines it) says how long the caller will
//! wait; every hop takes off what it has used, so no hop works on what nobody waits for any more. Attempts:
//! `selvedge-attempt` says that a proxy before us retries. Then we retry only what has certainly not reached an
//! application, because retries at every hop multiply. The fields of our own are believed only of proxies that are
//! trusted and of members of the mesh; a client that sends them is not heard, and `grpc-timeout` may only shorten
//! what a rule allows.

use std::time::{Duration, Instant};

use crate::buffer::Text;
use crate::emit::write_decimal;
use crate::exchange::Exchange;
use crate::limits::HOP_DIGITS_MAX;
use crate::message::Known;

const TIMEOUT: &[u8] = b"selvedge-timeout-ms";
const ATTEMPT: &[u8] = b"selvedge-attempt";
const GRPC_TIMEOUT: &[u8] = b"grpc-timeout";

/// What is known of the hops of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hop {
    /// When nobody waits for its answer any more.
    pub deadline: Option<Instant>,
    /// Whether a proxy before us retries.
    pub caller_retries: bool,
    /// What the next hop is told: the number of the attempt, 1 for the first; 0 when nobody retries.
    pub attempt: u32,
}

/// What the caller has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// How long it will wait.
    pub timeout: Option<Duration>,
    /// The number of its attempt; 0 when it does not retry.
    pub attempt: u32,
}

/// Reads what the caller has said, as far as it is believed.
#[inline]
#[must_use]
pub fn said(exchange: &Exchange<'_>) -> Said {
    let trusted = exchange.settings().trusted_hops > 0 || exchange.peer.counterpart.is_some();
    // Whoever speaks gRPC sends `te: trailers` (so the protocol demands), and few others do.
    let grpc = exchange.request.head.te_trailers;
    if !trusted && !grpc {
        return Said::default();
    }
    read(exchange, trusted)
}

fn read(exchange: &Exchange<'_>, trusted: bool) -> Said {
    let mut said = Said::default();
    let (head, text) = (&exchange.request.head, &exchange.request.text);
    let mut bound = |timeout: Option<Duration>| {
        said.timeout = match (said.timeout, timeout) {
            (Some(known), Some(other)) => Some(known.min(other)),
            (known, other) => known.or(other),
        };
    };
    let mut attempt = 0;
    for field in head.fields.iter() {
        let value = field.value.of(text);
        match field.known {
            Known::GrpcTimeout if exchange.is_grpc() => bound(grpc_timeout(value)),
            Known::Hop if trusted && field.name.of(text) == TIMEOUT => {
                bound(number(value).map(Duration::from_millis));
            }
            Known::Hop if trusted => attempt = number(value).unwrap_or(0),
            _ => {}
        }
    }
    said.attempt = attempt as u32;
    said
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > HOP_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// `Timeout` of the gRPC protocol over HTTP/2.
fn grpc_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let number = number(digits)?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Tells the next hop.
#[inline]
pub fn emit(exchange: &Exchange<'_>, emit: &mut impl FnMut(&[u8], &[u8])) {
    let Hop { deadline, caller_retries: _, attempt } = exchange.hop;
    if attempt > 0 {
        emit_number(ATTEMPT, u64::from(attempt), b"", emit);
    }
    let Some(deadline) = deadline else { return };
    let left = deadline.saturating_duration_since(exchange.worker.clock.now());
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).clamp(1, 99_999_999);
    emit_number(TIMEOUT, millis, b"", emit);
    if exchange.is_grpc() {
        emit_number(GRPC_TIMEOUT, millis, b"m", emit);
    }
}

fn emit_number(name: &[u8], number: u64, unit: &[u8], emit: &mut impl FnMut(&[u8], &[u8])) {
    let mut text = Text::new();
    write_decimal(number, &mut text);
    text.extend_from_slice(unit);
    emit(name, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_grpc_is_read_in_every_unit_and_no_other() {
        let seconds = |value: &str| grpc_timeout(value.as_bytes()).map(|timeout| timeout.as_secs_f64());

        assert_eq!(seconds("2H"), Some(7200.0));
        assert_eq!(seconds("3M"), Some(180.0));
        assert_eq!(seconds("4S"), Some(4.0));
        assert_eq!(seconds("250m"), Some(0.25));
        assert_eq!(seconds("250u"), Some(0.000_25));
        assert_eq!(seconds("99999999n"), Some(0.099_999_999));
        for bad in ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1 S"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
