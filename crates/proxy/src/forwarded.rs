//! Who the client is, as far as the proxies in front of us are trusted to say.

use std::net::IpAddr;

use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::message::Known;

/// The part of a forwarding chain that trusted proxies wrote: its last `hops` entries. What stands before them
/// was claimed by the client.
#[must_use]
pub fn last_hops(chain: &[u8], hops: u8) -> &[u8] {
    let mut start = chain.len();
    for _ in 0..hops {
        match memchr::memrchr(b',', &chain[..start]) {
            Some(comma) => start = comma,
            None => return chain,
        }
    }
    chain[start + 1..].trim_ascii_start()
}

/// What trusted proxies wrote of the forwarding chain; `None` when nobody is trusted or nothing was written.
/// Several fields of that name are one list, in order (RFC 9110 section 5.3).
#[must_use]
pub fn trusted_chain(exchange: &Exchange<'_>) -> Option<Text> {
    let hops = exchange.settings().trusted_hops;
    if hops == 0 {
        return None;
    }
    let (fields, text) = (&exchange.request.head.fields, &exchange.request.text);
    let mut values = fields.iter().filter(|field| field.known == Known::ForwardedFor);
    let first = values.next()?;
    let mut chain = Text::new();
    chain.extend_from_slice(first.value.of(text));
    for value in values {
        chain.extend_from_slice(b", ");
        chain.extend_from_slice(value.value.of(text));
    }
    let kept = chain.len() - last_hops(&chain, hops).len();
    chain.drain(..kept);
    Some(chain)
}

/// The client's address for those who decide by it: what trusted proxies wrote when they wrote something, else where
/// the connection comes from; `None` when what they wrote is no address, because then nobody knows.
#[must_use]
pub fn vouched_address(exchange: &Exchange<'_>) -> Option<IpAddr> {
    let Some(chain) = trusted_chain(exchange) else { return Some(exchange.peer.address.ip()) };
    let first = chain.split(|byte| *byte == b',').next()?.trim_ascii();
    std::str::from_utf8(first).ok()?.parse().ok()
}

/// The client's address as far as trusted proxies vouch for it.
#[must_use]
pub fn client_address(exchange: &Exchange<'_>) -> IpAddr {
    vouched_address(exchange).unwrap_or(exchange.peer.address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_of_a_forwarding_chain_is_kept() {
        assert_eq!(last_hops(b"6.6.6.6, 10.0.0.1, 10.0.0.2", 1), b"10.0.0.2");
        assert_eq!(last_hops(b"6.6.6.6, 10.0.0.1, 10.0.0.2", 2), b"10.0.0.1, 10.0.0.2");
        assert_eq!(last_hops(b"10.0.0.1", 2), b"10.0.0.1");
    }
}
