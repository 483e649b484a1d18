//! `Backend`: addresses or DNS names, with the connection settings beside them.
//!
//! The short form for people without a cluster: no Service, no EndpointSlice, no policy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::authentication_policy::SecretRef;
use super::backend_tls_policy::SubjectAltName;
use super::references::LocalObjectRef;
use crate::names::Hostname;
use crate::units::GatewayDuration;
use crate::violation::Problem;

/// A Backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// What is wanted.
    pub spec: BackendSpec,
}

/// `Backend.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendSpec {
    /// Where it is, at least one.
    pub endpoints: Vec<HostPort>,
    /// What is spoken; by default HTTP/1.1, over TLS whatever ALPN settles on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<BackendProtocol>,
    /// TLS; cleartext when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,
    /// Longest time to connect, TLS handshake included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<GatewayDuration>,
    /// What requests to it show; what clients send, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<BackendCredential>,
}

/// A credential of ours that requests to a Backend show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendCredential {
    /// How it is shown.
    pub scheme: CredentialScheme,
    /// Name of the field, for [`CredentialScheme::Header`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Arc<str>>,
    /// Where it is kept: a Secret of type [`crate::kinds::secret::TYPE_UPSTREAM_CREDENTIAL`], in the namespace of the
    /// Backend.
    pub secret_ref: SecretRef,
    /// Whether it may be shown to a Backend without TLS.
    pub over_cleartext: bool,
}

/// How a credential is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialScheme {
    /// `Authorization: Bearer` with the Secret's `token` (RFC 6750).
    Bearer,
    /// `Authorization: Basic` with the Secret's `username` and `password` (RFC 7617).
    Basic,
    /// A field of its own with the Secret's `value`.
    Header,
}

/// What is spoken to a Backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendProtocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
}

/// TLS towards a Backend; the fields mean what they mean in a BackendTLSPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTls {
    /// Sent as SNI, and verified unless `subjectAltNames` are given.
    pub hostname: Arc<str>,
    /// Trust anchors, in the namespace of the Backend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectRef>,
    /// Names of which one must be in the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
    /// `System` for the system's roots.
    #[serde(rename = "wellKnownCACertificates", default, skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<Arc<str>>,
}

/// `host:port`, with brackets around an IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "String")]
pub struct HostPort {
    /// Address or DNS name.
    pub host: Host,
    /// Port.
    pub port: u16,
}

/// An address or a DNS name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A DNS name to resolve.
    Dns(Arc<str>),
}

impl FromStr for HostPort {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse_host_port(text).ok_or_else(|| {
            Problem::new(format!("`{text}` is not an endpoint"))
                .remedy("write `host:port`, such as `10.0.0.1:8080`, `[::1]:8080` or `api.example.com:443`")
        })
    }
}

fn parse_host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    if port.starts_with('+') {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port > 0)?;
    if let Some(inner) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(HostPort { host: Host::Ip(address.into()), port });
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Some(HostPort { host: Host::Ip(address.into()), port });
    }
    let name: Hostname = host.to_ascii_lowercase().parse().ok()?;
    // `127.1` and `0x7f.1` are addresses to some resolvers; a name ends in a label that is not a number.
    let last = name.as_str().rsplit('.').next()?;
    let numeric = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    (name.wildcard_suffix().is_none() && !numeric).then(|| HostPort { host: Host::Dns(name.to_arc()), port })
}

impl TryFrom<Arc<str>> for HostPort {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(endpoint: HostPort) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Ip(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Dns(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_name_with_a_port() {
        for good in ["10.0.0.1:8080", "[::1]:8080", "api.example.com:443", "localhost:1"] {
            assert_eq!(good.parse::<HostPort>().expect(good).to_string(), good);
        }
        for bad in [
            "",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:65536",
            "::1:80",
            "[::1]",
            "*.a.com:80",
            "127.1:80",
            "0x7f.0x1:80",
            "a b:80",
            "host:+1",
            "http://a:80",
        ] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad:?} was taken for an endpoint");
        }
    }
}
