//! Which client certificates are let in: those of our own authority, and those of members of our meshes.
//!
//! Which of the two judges a certificate is decided by the certificate's own claim ([`super::peer::is_of_member`]),
//! so an authority that somebody supplied for a mesh cannot make an administrator.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::peer::{Members, is_of_member};

/// Judges clients.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) own: Arc<dyn ClientCertVerifier>,
    pub(super) members: Arc<dyn Members>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client must not hold its certificate back because its authority is not on a list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !is_of_member(leaf) {
            return self.own.verify_client_cert(leaf, between, now);
        }
        let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf).chain(between).cloned().collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        self.members.member(&chain, now).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own.supported_verify_schemes()
    }
}
