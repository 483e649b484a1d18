//! Who the client is, as far as the proxies in front of us are trusted to say.

use std::net::IpAddr;

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

/// The client's address as far as trusted proxies vouch for it.
#[must_use]
pub fn client_address(exchange: &Exchange<'_>) -> IpAddr {
    let hops = exchange.settings().trusted_hops;
    let chain = exchange.view().headers.known(Known::ForwardedFor).filter(|_| hops > 0);
    chain
        .map(|chain| last_hops(chain, hops))
        .and_then(|chain| std::str::from_utf8(chain.split(|byte| *byte == b',').next()?.trim_ascii()).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(exchange.peer.address.ip())
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
