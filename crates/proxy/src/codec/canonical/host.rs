//! Hosts: one spelling of a name or address, with or without a port.
//!
//! Certificates, listeners and routes are chosen by the host, so two spellings of one host must be one host, and
//! what is a name to us must not be an address to somebody behind us.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::failure::Failure;

/// `host[:port]`, as `Host`, `:authority` and absolute targets have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Bytes of the canonical host, at the start of the same slice; an IPv6 address keeps its brackets.
    pub host: usize,
    /// The port, if one is named.
    pub port: Option<u16>,
    /// Bytes of the canonical `host[:port]`.
    pub length: usize,
}

/// Longest host name (RFC 1035 section 2.3.4, in text form).
const NAME_BYTES_MAX: usize = 253;
/// Longest part between dots.
const LABEL_BYTES_MAX: usize = 63;

static HOST_LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_') {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Brings `host[:port]` into its canonical spelling, in place: lower case, no trailing dot, IPv6 as RFC 5952
/// writes it. Names are letters, digits, `-` and `_` between dots; a name that ends in a number must be an
/// IPv4 address in four decimal parts, because other spellings (`127.1`, `0x7f.1`) are addresses to some.
///
/// # Errors
/// [`Failure::BadHost`] when it is anything else; an empty port (`name:`) is refused too.
#[inline]
pub fn host(bytes: &mut [u8]) -> Result<Authority, Failure> {
    let read = if bytes.first() == Some(&b'[') { ipv6_end(bytes) } else { name_end(bytes) };
    let (kept, end) = read.ok_or(Failure::BadHost)?;
    if end == bytes.len() {
        return Ok(Authority { host: kept, port: None, length: kept });
    }
    let port = match bytes[end] {
        b':' => port(&bytes[end + 1..]),
        _ => None,
    };
    let port = port.ok_or(Failure::BadHost)?;
    let length = kept + bytes.len() - end;
    if kept < end {
        bytes.copy_within(end.., kept);
    }
    Ok(Authority { host: kept, port: Some(port), length })
}

/// Lowers a name; its canonical length, and where it ends in the text.
#[inline]
fn name_end(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let mut label = 0;
    let mut end = 0;
    for byte in bytes.iter_mut() {
        let lower = HOST_LOWER[*byte as usize];
        if lower == 0 {
            break;
        }
        if lower == b'.' {
            if end == label || end - label > LABEL_BYTES_MAX {
                return None;
            }
            label = end + 1;
        }
        *byte = lower;
        end += 1;
    }
    let kept = if end > 0 && label == end { end - 1 } else { end };
    if kept == 0 || kept > NAME_BYTES_MAX || end - label > LABEL_BYTES_MAX {
        return None;
    }
    // Most names end in a letter that no number ends in, and need no second look.
    if matches!(bytes[kept - 1], b'0'..=b'9' | b'a'..=b'f' | b'x')
        && ends_in_number(&bytes[..kept])
        && !is_ipv4(&bytes[..kept])
    {
        return None;
    }
    Some((kept, end))
}

/// Whether the last label is a number to an address parser: decimal, or `0x` and hexadecimal digits.
fn ends_in_number(name: &[u8]) -> bool {
    let last = name.rsplit(|&byte| byte == b'.').next().unwrap_or(name);
    match last {
        [b'0', b'x', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

fn is_ipv4(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Rewrites `[address]`; its canonical length, and where it ends in the text.
fn ipv6_end(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let close = bytes.iter().position(|&byte| byte == b']')?;
    let address: Ipv6Addr = std::str::from_utf8(&bytes[1..close]).ok()?.parse().ok()?;
    let mut text = ShortText { bytes: [0; 48], length: 0 };
    write!(text, "{address}").ok()?;
    let kept = text.length + 2;
    if kept > close + 1 {
        return None; // an IPv4-mapped address in hexadecimal: nobody is known by that
    }
    bytes[1..=text.length].copy_from_slice(&text.bytes[..text.length]);
    bytes[kept - 1] = b']';
    Some((kept, close + 1))
}

/// Room for an address as text, without allocating.
struct ShortText {
    bytes: [u8; 48],
    length: usize,
}

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A port: 1 to 65535, decimal, no leading zero.
fn port(digits: &[u8]) -> Option<u16> {
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = digits.iter().fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).ok()
}

#[cfg(test)]
mod tests;
