//! TLS between proxies and their control plane.
//!
//! The control plane shows its certificate together with that of the authority that signed it, and a proxy knows the
//! digest of that one authority. So a proxy needs no trust store and no file but its token, a certificate can be
//! renewed without any proxy hearing of it, and no public authority can vouch for a control plane.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ResolvesClientCert, Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::member::Member;

/// What both ends speak.
const ALPN: &[u8] = b"h2";

/// Settings of a proxy for a control plane whose certificate comes from the authority with this SHA-256.
#[must_use]
pub fn client_config(authority: [u8; 32]) -> Arc<ClientConfig> {
    let provider = crate::provider();
    let verifier = PinnedVerifier { authority, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // A resumption would not verify again.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Arc::new(config)
}

/// The same for a proxy that shows who it is in its mesh, with the certificate that it has at the moment of each
/// handshake; without one it shows nothing.
#[must_use]
pub fn member_config(authority: [u8; 32], member: Arc<Member>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&client_config(authority));
    config.client_auth_cert_resolver = Arc::new(Shown(member));
    Arc::new(config)
}

/// Shows a member's certificate.
#[derive(Debug)]
struct Shown(Arc<Member>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.standing().svid.as_ref().map(|svid| svid.certified())
    }

    fn has_certs(&self) -> bool {
        self.0.standing().svid.is_some()
    }
}

/// Settings of a control plane. `chain` begins with its own certificate and ends with the authority's.
///
/// # Errors
/// The key does not belong to the certificate, or cannot be used.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites for TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct PinnedVerifier {
    authority: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl PinnedVerifier {
    /// The authority, if it is among what was shown.
    fn anchor(&self, shown: &[CertificateDer<'_>]) -> Result<RootCertStore, Error> {
        let is_ours =
            |der: &&CertificateDer<'_>| digest::digest(&digest::SHA256, der).as_ref() == self.authority;
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = shown.iter().find(is_ours).ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        Ok(roots)
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.anchor(intermediates)?;
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms)?;
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
