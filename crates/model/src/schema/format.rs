//! Named formats of text: what a pattern cannot say, or says badly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::condition::Condition;
use crate::fetch_url::FetchUrl;
use crate::glob::{HostGlob, IdentityGlob, PathGlob, TextGlob};
use crate::ip_block::IpBlock;
use crate::jwk::KeySet;
use crate::kinds::backend::HostPort;
use crate::kinds::resilience_policy::RetryCondition;
use crate::kinds::secret;
use crate::page_url::PageUrl;
use crate::units::{ByteQuantity, GatewayDuration, Moment};
use crate::violation::Problem;

/// A named format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Standard base64.
    Byte,
    /// RFC 3339.
    DateTime,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// Either.
    Ip,
    /// A duration of GEP-2257.
    GatewayDuration,
    /// A number of bytes.
    ByteQuantity,
    /// `host:port`.
    HostPort,
    /// Something upon which a request is retried.
    RetryCondition,
    /// A pattern of SPIFFE IDs.
    IdentityPattern,
    /// A pattern of paths.
    PathPattern,
    /// A pattern of hosts.
    HostPattern,
    /// A pattern of other text.
    TextPattern,
    /// Addresses in CIDR notation.
    IpBlock,
    /// An expression of a policy.
    Condition,
    /// A URL that the product itself asks.
    FetchUrl,
    /// A URL of a page that callers are sent to.
    PageUrl,
    /// A set of public keys.
    Jwks,
}

impl Format {
    /// The format with a name. The inner `None` is for those that only size an integer, which bounds do as well.
    #[must_use]
    pub fn find(name: &str) -> Option<Option<Format>> {
        Some(Some(match name {
            "byte" => Format::Byte,
            "date-time" => Format::DateTime,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "ip" => Format::Ip,
            "gateway-duration" => Format::GatewayDuration,
            "byte-quantity" => Format::ByteQuantity,
            "host-port" => Format::HostPort,
            "retry-condition" => Format::RetryCondition,
            "identity-pattern" => Format::IdentityPattern,
            "path-pattern" => Format::PathPattern,
            "host-pattern" => Format::HostPattern,
            "text-pattern" => Format::TextPattern,
            "ip-block" => Format::IpBlock,
            "condition" => Format::Condition,
            "fetch-url" => Format::FetchUrl,
            "page-url" => Format::PageUrl,
            "jwks" => Format::Jwks,
            "int32" | "int64" => return Some(None),
            _ => return None,
        }))
    }

    /// What is wrong with a text, if anything. The values of secrets are not repeated.
    pub fn problem(self, text: &str) -> Option<Problem> {
        match self {
            Format::Byte if secret::decode(text).is_some() => None,
            Format::Byte => Some(
                Problem::new("is not base64")
                    .remedy("encode the value, or write it as it is under `stringData`"),
            ),
            Format::DateTime => Moment::from_str(text).err(),
            Format::Ipv4 => address::<Ipv4Addr>(text, "IPv4"),
            Format::Ipv6 => address::<Ipv6Addr>(text, "IPv6"),
            Format::Ip => address::<IpAddr>(text, "IP"),
            Format::GatewayDuration => GatewayDuration::from_str(text).err(),
            Format::ByteQuantity => ByteQuantity::from_str(text).err(),
            Format::HostPort => HostPort::from_str(text).err(),
            Format::RetryCondition => RetryCondition::from_str(text).err(),
            Format::IdentityPattern => IdentityGlob::from_str(text).err(),
            Format::PathPattern => PathGlob::from_str(text).err(),
            Format::HostPattern => HostGlob::from_str(text).err(),
            Format::TextPattern => TextGlob::from_str(text).err(),
            Format::IpBlock => IpBlock::from_str(text).err(),
            Format::Condition => Condition::from_str(text).err(),
            Format::FetchUrl => FetchUrl::from_str(text).err(),
            Format::PageUrl => PageUrl::from_str(text).err(),
            Format::Jwks => KeySet::from_str(text).err(),
        }
    }
}

fn address<T: FromStr>(text: &str, family: &str) -> Option<Problem> {
    match text.parse::<T>() {
        Ok(_) => None,
        Err(_) => Some(Problem::new(format!("is not an {family} address"))),
    }
}
