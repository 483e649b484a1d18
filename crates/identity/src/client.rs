//! TLS towards upstreams: who must be at the other end.
//!
//! The names to verify come from the configuration, not from the caller that opens the connection, so no path
//! through the proxy can ask for fewer checks. Chain, signatures and DNS names are verified by rustls-webpki;
//! what is ours is only the choice between several names, URI names (SPIFFE) among them.

use std::sync::Arc;
use std::time::SystemTime;

use engine::config::UpstreamTls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Settings for connections to one upstream, offering these ALPN protocols. Build it once per
/// [`UpstreamTls`] and keep it: it also holds the sessions that later handshakes resume.
#[must_use]
pub fn client_config(tls: &UpstreamTls, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let provider = crate::provider();
    let verifier = NamesVerifier {
        names: AcceptedNames::new(tls),
        roots: crate::roots::store(&tls.roots),
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(crate::VERSIONS)
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    // Pairs were checked when they were read; one that were not usable after all shows nothing, and the upstream
    // that asks for a certificate refuses.
    let own = tls.client_certificate.as_deref().and_then(|pair| crate::pair::certified(pair).ok());
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Settings for servers of the open internet, whose certificates the system's roots vouch for, over HTTP/1.1.
#[must_use]
pub fn public_client_config() -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(crate::VERSIONS)
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(crate::roots::system())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The name to send as SNI and to hand to rustls when connecting.
pub fn server_name(tls: &UpstreamTls) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    ServerName::try_from(tls.hostname.to_string())
}

/// Names of which one must stand in the certificate.
#[derive(Debug)]
struct AcceptedNames {
    hosts: Vec<ServerName<'static>>,
    uris: Vec<Arc<str>>,
}

impl AcceptedNames {
    /// `subject_alt_names` replace the hostname when there are any. A name with a colon is a URI: host names
    /// have none. A name that is neither is left out, and with no name left nothing verifies.
    fn new(tls: &UpstreamTls) -> AcceptedNames {
        let names: &[Arc<str>] = match tls.subject_alt_names.as_slice() {
            [] => std::slice::from_ref(&tls.hostname),
            several => several,
        };
        let (mut hosts, mut uris) = (Vec::new(), Vec::new());
        for name in names {
            match ServerName::try_from(name.to_string()) {
                Ok(host) => hosts.push(host),
                Err(_) if name.contains(':') => uris.push(Arc::clone(name)),
                Err(_) => {}
            }
        }
        AcceptedNames { hosts, uris }
    }

    fn verify(&self, leaf: &CertificateDer<'_>, parsed: &ParsedCertificate<'_>) -> Result<(), Error> {
        let mut refused = Error::InvalidCertificate(CertificateError::NotValidForName);
        for host in &self.hosts {
            match verify_server_name(parsed, host) {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        if self.has_uri(leaf) { Ok(()) } else { Err(refused) }
    }

    /// URIs are compared byte for byte: a SPIFFE id has one spelling.
    fn has_uri(&self, leaf: &CertificateDer<'_>) -> bool {
        let Ok(certificate) = webpki::EndEntityCert::try_from(leaf) else { return false };
        certificate.valid_uri_names().any(|presented| self.uris.iter().any(|uri| **uri == *presented))
    }
}

#[derive(Debug)]
struct NamesVerifier {
    names: AcceptedNames,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for NamesVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name_of_the_caller: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        self.names.verify(leaf, &parsed)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a client that trusts the system's roots would accept this pair for `host` at `now`: lets hints for
/// people say when `-k` is needed.
#[must_use]
pub fn is_publicly_trusted(pair: &engine::config::KeyPair, host: &str, now: SystemTime) -> bool {
    let Some((leaf, intermediates)) = pair.chain.split_first() else { return false };
    let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return false };
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(leaf), ServerName::try_from(host)) else {
        return false;
    };
    let algorithms = crate::provider().signature_verification_algorithms.all;
    let (roots, now) = (crate::roots::system(), UnixTime::since_unix_epoch(now));
    verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms).is_ok()
        && verify_server_name(&parsed, &name).is_ok()
}
