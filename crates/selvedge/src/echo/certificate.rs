//! An authority and a certificate made at start, for upstreams that speak TLS in examples and specs.
//!
//! Nothing is written to disk here and nothing outlives the process.

use std::io;
use std::sync::Arc;

use engine::config::{TlsHost, TlsPort};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;

/// What was made.
pub struct Made {
    /// Settings for the listener: TLS 1.2 and 1.3, ALPN `h2` and `http/1.1`.
    pub server: Arc<ServerConfig>,
    /// The authority that clients must trust.
    pub authority_pem: String,
}

/// Makes an authority, and a certificate of it for these DNS names and addresses.
pub fn make(names: &[String]) -> io::Result<Made> {
    let authority_key = KeyPair::generate().map_err(io::Error::other)?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name = named("selvedge echo authority");
    let authority_pem = authority.self_signed(&authority_key).map_err(io::Error::other)?.pem();

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut leaf = CertificateParams::new(names).map_err(io::Error::other)?;
    leaf.distinguished_name = named("selvedge echo");
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).map_err(io::Error::other)?;

    let (pair, _) = identity::pair::parse("echo", leaf.pem().as_bytes(), key.serialize_pem().as_bytes())
        .map_err(io::Error::other)?;
    let any = TlsHost {
        hostname: None,
        listener: Arc::from("echo"),
        certificates: vec![Arc::new(pair)],
        carries: None,
    };
    Ok(Made {
        server: identity::server_config(&TlsPort { hosts: vec![any], client_validation: None }),
        authority_pem,
    })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
