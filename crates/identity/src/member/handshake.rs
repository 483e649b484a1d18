//! TLS between members: 1.3 only, both sides show who they are, nothing is resumed.
//!
//! A resumption would not verify again and so outlive the trust that it was given under; tickets and early data are
//! therefore off on both sides. Each handshake has a judge of its own, who remembers the verdict, so that a chain is
//! verified once and its reason is known when it is refused.

use std::sync::{Arc, OnceLock};

use model::spiffe::SpiffeId;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::bundles::Bundles;
use super::judge::{Side, Verified, judge};
use super::refusal::Refusal;
use super::svid::Svid;

/// Only the newest version.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Judges who is at the other end of one handshake.
#[derive(Debug)]
pub struct Judge {
    bundles: Arc<Bundles>,
    /// Who was called; `None` on the side that is called, where anybody may call.
    expected: Option<SpiffeId>,
    verdict: OnceLock<Result<Verified, Refusal>>,
}

impl Judge {
    fn new(bundles: &Arc<Bundles>, expected: Option<SpiffeId>) -> Arc<Judge> {
        Arc::new(Judge { bundles: Arc::clone(bundles), expected, verdict: OnceLock::new() })
    }

    /// What the other end has proven, or why it was refused; `None` when it has shown nothing (yet).
    #[must_use]
    pub fn verdict(&self) -> Option<&Result<Verified, Refusal>> {
        self.verdict.get()
    }

    fn pass(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        side: Side,
        now: UnixTime,
    ) -> Result<(), Error> {
        let verdict =
            judge(leaf, intermediates, side, &self.bundles, now).and_then(|verified| match &self.expected {
                Some(expected) if *expected != verified.identity => Err(Refusal::OtherIdentity),
                Some(_) | None => Ok(verified),
            });
        match self.verdict.get_or_init(|| verdict) {
            Ok(_) => Ok(()),
            Err(refusal) => {
                Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(*refusal)))))
            }
        }
    }
}

/// Settings to accept one connection with.
pub(super) fn server(svid: &Svid, bundles: &Arc<Bundles>, alpn: &[&[u8]]) -> (Arc<ServerConfig>, Arc<Judge>) {
    let judge = Judge::new(bundles, None);
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(VERSIONS)
        .expect("the provider has suites for TLS 1.3")
        .with_client_cert_verifier(judge.clone())
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(svid.certified())));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    (Arc::new(config), judge)
}

/// Settings to open one connection with.
pub(super) fn client(
    svid: &Svid,
    bundles: &Arc<Bundles>,
    expected: &SpiffeId,
    alpn: &[u8],
) -> (Arc<ClientConfig>, Arc<Judge>) {
    let judge = Judge::new(bundles, Some(expected.clone()));
    let mut config = ClientConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(VERSIONS)
        .expect("the provider has suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(svid.certified())));
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![alpn.to_vec()];
    (Arc::new(config), judge)
}

impl ClientCertVerifier for Judge {
    /// None: a caller must not hold its certificate back because its authority is not on a list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.pass(leaf, intermediates, Side::Caller, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &crate::provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &crate::provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crate::provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Judge {
    /// The name of the caller's wish says where to go; who must be there is the identity alone.
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.pass(leaf, intermediates, Side::Called, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ClientCertVerifier::supported_verify_schemes(self)
    }
}
