//! Who may open a connection to a port that verifies its clients.
//!
//! Chain, validity, key usage and possession of the key are verified by rustls-webpki against the port's own
//! anchors; the system's roots never count here. The insecure mode forgives a certificate that does not verify
//! or is missing, but not a signature that is false: whoever shows a certificate must hold its key.

use std::sync::Arc;

use engine::config::{ClientValidation, ClientValidationMode};
use model::spiffe::SpiffeId;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Verifies clients as a port asks for it. A port without a usable anchor lets no client in.
pub(crate) fn verifier(validation: &ClientValidation) -> Arc<dyn ClientCertVerifier> {
    let provider = crate::provider();
    match validation.mode {
        ClientValidationMode::InsecureFallback => Arc::new(WithoutAnchors { lets_in: true, provider }),
        ClientValidationMode::ValidOnly => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(validation.roots.iter().cloned());
            match WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build() {
                Ok(verifier) => verifier,
                Err(_) => Arc::new(WithoutAnchors { lets_in: false, provider }),
            }
        }
    }
}

/// Whether a chain that was shown in an earlier handshake, where possession of its key was proven, would be let in
/// at `now`: a connection that is older than what a port asks for today must not be worth more than a new one.
#[must_use]
pub fn lets_in(validation: &ClientValidation, chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
    let verifier = verifier(validation);
    match chain.split_first() {
        None => !verifier.client_auth_mandatory(),
        Some((leaf, intermediates)) => verifier.verify_client_cert(leaf, intermediates, now).is_ok(),
    }
}

/// Whether a chain leads to an anchor of a port's, whatever the port makes of those that do not.
#[must_use]
pub fn verifies(validation: &ClientValidation, chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
    let strict = ClientValidation { roots: validation.roots.clone(), mode: ClientValidationMode::ValidOnly };
    !chain.is_empty() && lets_in(&strict, chain, now)
}

/// What a certificate is called where callers are named: `cert:` and its SHA-256 in hexadecimal.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    format!("cert:{}", crate::x509::hexadecimal(digest.as_ref()))
}

/// The SPIFFE ID of a certificate: its only URI, if that is one (X.509-SVID section 2).
#[must_use]
pub fn spiffe_id(certificate: &CertificateDer<'_>) -> Option<SpiffeId> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let only = uris.next().filter(|_| uris.next().is_none())?;
    only.parse().ok()
}

/// Judges all clients alike, whoever vouches for them.
#[derive(Debug)]
struct WithoutAnchors {
    lets_in: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for WithoutAnchors {
    fn client_auth_mandatory(&self) -> bool {
        !self.lets_in
    }

    /// None: a client must not hold its certificate back because its authority is not on a list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.lets_in {
            return Ok(ClientCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
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
