//! Where in a trace a request is, as the proxies and applications on its way tell each other: W3C Trace Context, the
//! fields `traceparent` and `tracestate`.
//!
//! What is malformed is not mended: then a new trace begins here, and the state of the old one ends (section 3.2.2.3 of
//! the recommendation).

use crate::message::{Known, RequestHead};

/// Names a trace; never all zeros.
pub type TraceId = [u8; 16];
/// Names a span of a trace; never all zeros.
pub type SpanId = [u8; 8];

/// Length of a `traceparent` of version 0.
pub const TRACEPARENT_BYTES: usize = 55;
const TRACEPARENT: &[u8] = b"traceparent";
const SAMPLED: u8 = 1;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span that this one is part of.
    pub parent: SpanId,
    /// Whether those before us have recorded theirs.
    pub sampled: bool,
}

impl Context {
    /// What came with a request; `None` when nothing came, or nothing that can be understood. Of several fields none is
    /// the right one.
    #[must_use]
    pub fn of(head: &RequestHead, text: &[u8]) -> Option<Context> {
        let fields = head.fields.iter().filter(|field| field.known == Known::Trace);
        let mut parents = fields.filter(|field| is_parent(field.name.of(text)));
        let value = parents.next()?.value;
        if parents.next().is_some() {
            return None;
        }
        Context::parse(value.of(text))
    }

    /// Reads a `traceparent`. Of versions to come the part is read that is known.
    fn parse(value: &[u8]) -> Option<Context> {
        let (known, rest) = value.split_at_checked(TRACEPARENT_BYTES)?;
        let mut version = [0];
        hex(&known[..2], &mut version)?;
        let is_whole =
            if version == [0] { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
        if version == [0xff] || !is_whole || [2, 35, 52].iter().any(|at| known[*at] != b'-') {
            return None;
        }
        let (mut trace, mut parent, mut flags) = ([0; 16], [0; 8], [0]);
        hex(&known[3..35], &mut trace)?;
        hex(&known[36..52], &mut parent)?;
        hex(&known[53..], &mut flags)?;
        if trace == [0; 16] || parent == [0; 8] {
            return None;
        }
        Some(Context { trace, parent, sampled: flags[0] & SAMPLED != 0 })
    }

    /// As a `traceparent`.
    #[must_use]
    pub fn text(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut text = [b'-'; TRACEPARENT_BYTES];
        text[..2].copy_from_slice(b"00");
        write_hex(&self.trace, &mut text[3..35]);
        write_hex(&self.parent, &mut text[36..52]);
        text[53..].copy_from_slice(if self.sampled { b"01" } else { b"00" });
        text
    }
}

/// Whether a field of a trace is the `traceparent`.
#[inline]
#[must_use]
pub fn is_parent(name: &[u8]) -> bool {
    name == TRACEPARENT
}

/// Lower case only, as the recommendation has it.
fn hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (pair, out) in digits.chunks_exact(2).zip(out) {
        *out = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(())
}

/// Writes bytes in hexadecimal; `out` is twice as long.
pub fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_written_again() {
        let context = Context::parse(GOOD.as_bytes()).unwrap();

        assert!(context.sampled);
        assert_eq!(context.text(), GOOD.as_bytes());
        let unsampled = Context { sampled: false, ..context };
        assert_eq!(unsampled.text(), GOOD.replace("-01", "-00").as_bytes());
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_it_is_known() {
        for value in [GOOD.replacen("00", "01", 1), GOOD.replacen("00", "cc", 1) + "-what-comes-then"] {
            assert_eq!(Context::parse(value.as_bytes()), Context::parse(GOOD.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_not_mended() {
        for bad in [
            String::new(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-01"),
            GOOD.to_uppercase(),
            GOOD.replacen("00", "ff", 1),
            GOOD.replacen("00", "01", 1) + "x",
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            GOOD.replace('-', "_"),
            GOOD.replace("-01", "-0x"),
        ] {
            assert_eq!(Context::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
