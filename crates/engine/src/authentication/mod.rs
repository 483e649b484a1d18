//! How the callers of a place prove who they are, compiled.
//!
//! Methods are looked for in the order written, and the first whose credential is *there* decides: whoever shows a
//! credential is judged by it and by nothing else, so that a bad one is never made good by trying the next. Verifying
//! takes keys, clocks and sometimes a network, so it is the proxy's work; what is to be verified, where it stands in a
//! request and what holds where is decided here.

mod given;
mod place;

use std::net::IpAddr;
use std::sync::Arc;

use model::fetch_url::FetchUrl;
use model::ip_block::IpBlock;
use model::jwk::KeySet;

pub use given::{GIVEN_MAX, GivenKeys, Passwords};
pub use place::{Found, Place, without_cookie, without_parameter};

/// What one place asks of its callers.
#[derive(Debug, PartialEq, Eq)]
pub struct Authentication {
    /// `namespace/name` of the policy.
    pub policy: Arc<str>,
    /// The methods in order.
    pub methods: Box<[Method]>,
    /// Whether those who show nothing go on, as nobody.
    pub anonymous: bool,
    /// Why nobody is let in, when the policy cannot do what it says.
    pub unusable: Option<Arc<str>>,
    /// Fields in which the backend is told claims, in lower case: nobody else may send them.
    pub reserved: Box<[Arc<[u8]>]>,
}

/// One method.
#[derive(Debug, PartialEq, Eq)]
pub enum Method {
    /// A key.
    ApiKey(ApiKey),
    /// Name and password.
    Basic(Basic),
    /// A signed token.
    Jwt(Jwt),
    /// A verified certificate.
    ClientCertificate,
    /// A verified SPIFFE ID.
    Spiffe,
}

impl Method {
    /// As it is written in policies, and in the names of principals.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Method::ApiKey(_) => "apiKey",
            Method::Basic(_) => "basic",
            Method::Jwt(_) => "jwt",
            Method::ClientCertificate => "clientCertificate",
            Method::Spiffe => "spiffe",
        }
    }
}

/// Keys.
#[derive(Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Where one may stand.
    pub places: Box<[Place]>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// Whose keys count; `None` for those of applications.
    pub given: Option<GivenKeys>,
}

/// Names and passwords.
#[derive(Debug, PartialEq, Eq)]
pub struct Basic {
    /// What people are told that they are asked for; no quotation marks, no backslashes.
    pub realm: Arc<str>,
    /// Whether the backend sees them.
    pub keep: bool,
    /// The hashes.
    pub passwords: Passwords,
}

/// Signed tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The `iss` that a token must have.
    pub issuer: Arc<str>,
    /// One of these must stand in `aud`, unless there are none.
    pub audiences: Box<[Arc<str>]>,
    /// The keys that may have signed it.
    pub keys: TokenKeys,
    /// Where one may stand.
    pub places: Box<[Place]>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// How far clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// Claims with the fields that tell them, in lower case.
    pub told: Box<[ToldClaim]>,
}

/// A claim, and the name of the field that tells it.
pub type ToldClaim = (Arc<str>, Arc<[u8]>);

/// Where keys of tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// They are known.
    Given(Arc<KeySet>),
    /// They are asked for.
    Remote(Arc<KeySource>),
}

/// Stable index of a place that is asked for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySlot(pub u32);

/// A place that is asked for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// Stable index.
    pub slot: KeySlot,
    /// What is asked.
    pub url: FetchUrl,
    /// Where it may lead beside public addresses.
    pub allowed: Box<[IpBlock]>,
}

impl KeySource {
    /// Whether keys may be asked for at an address. Otherwise whoever writes a policy, or answers for a name in it,
    /// could have the proxy speak to what only the proxy can reach.
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

    fn source(url: &str, allowed: &[&str]) -> KeySource {
        KeySource {
            slot: KeySlot(0),
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
