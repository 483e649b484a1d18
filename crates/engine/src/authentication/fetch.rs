//! Places that the product itself asks, because a policy says so.
//!
//! Whoever writes a policy, or answers for a name in it, could otherwise have the proxy speak to what only the proxy
//! can reach: so the address is judged and not the name.

use std::net::IpAddr;

use model::fetch_url::FetchUrl;
use model::ip_block::IpBlock;

/// A place that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What is asked.
    pub url: FetchUrl,
    /// Where it may lead beside public addresses.
    pub allowed: Box<[IpBlock]>,
}

impl Fetch {
    /// Whether an address may be asked: public ones over TLS, and those that the policy names.
    #[must_use]
    pub fn may_ask(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let named = self.allowed.iter().any(|block| {
            let (first, last) = block.ends();
            first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
        });
        named || (self.url.secure && is_public(address))
    }
}

/// Whether an address is one of the open internet (RFC 6890 and the registries that it began).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            !(four.is_unspecified()
                || four.is_loopback()
                || four.is_private()
                || four.is_link_local()
                || four.is_broadcast()
                || four.is_documentation()
                || four.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19)))
        }
        // 2000::/3 is all of it that is given out; of that, those that hide an IPv4 address or lead nowhere are not.
        IpAddr::V6(six) => {
            let [first, second, ..] = six.segments();
            let special = first == 0x2002 || (first == 0x2001 && (second < 0x0200 || second == 0x0db8));
            (first & 0xe000) == 0x2000 && !special
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(url: &str, allowed: &[&str]) -> Fetch {
        Fetch {
            url: url.parse().expect("a URL"),
            allowed: allowed.iter().map(|block| block.parse().expect("a block")).collect(),
        }
    }

    #[test]
    fn only_public_addresses_are_asked_and_those_that_the_policy_names() {
        let public = source("https://issuer.example/", &[]);
        for refused in [
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "::1",
            "0.0.0.0",
            "10.1.2.3",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "fd00::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::",
            "ff02::1",
        ] {
            assert!(!public.may_ask(refused.parse().expect("an address")), "{refused}");
        }
        for asked in ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(public.may_ask(asked.parse().expect("an address")), "{asked}");
        }
        let inside = source("http://issuer.example/", &["10.0.0.0/8"]);
        assert!(inside.may_ask("10.1.2.3".parse().expect("an address")));
        assert!(!inside.may_ask("8.8.8.8".parse().expect("an address")));
    }
}
