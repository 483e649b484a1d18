//! A leaf: one identity, one replica, never an authority, and never longer than its issuer.

use std::time::{Duration, SystemTime};

use model::spiffe::SpiffeId;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::root::{BACKDATE, Root, RootProblem, serial};
use identity::x509;

/// An authority that ends sooner than this signs nothing any more.
pub const LEFT_MIN: Duration = Duration::from_secs(1);

/// A certificate that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub leaf: CertificateDer<'static>,
    /// The certificate and what stands between it and the root, PEM.
    pub chain: String,
    /// Its last moment.
    pub not_after: SystemTime,
    /// Its serial number in hexadecimal.
    pub serial: String,
}

/// Signs for somebody who was attested. It lasts for `lifetime`, or until the authority ends.
///
/// # Errors
/// When the authority cannot sign, or ends.
pub fn sign(
    root: &Root,
    key: &impl PublicKeyData,
    identity: &SpiffeId,
    replica: &str,
    now: SystemTime,
    lifetime: Duration,
) -> Result<Issued, RootProblem> {
    let ends = root.ends().ok_or_else(|| RootProblem::Make("the authority has no end".to_owned()))?;
    if ends < now + LEFT_MIN {
        return Err(RootProblem::Make("the authority has ended".to_owned()));
    }
    let not_after = ends.min(now + lifetime);
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names =
        vec![SanType::URI(identity.as_str().try_into()?), SanType::DnsName(replica.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let number = serial()?;
    let shown = x509::hexadecimal(&number.to_bytes());
    params.serial_number = Some(number);
    params.not_before = (now - BACKDATE).into();
    params.not_after = not_after.into();
    let leaf = params.signed_by(key, &root.issuer()?)?.der().clone();
    let chain = std::iter::once(x509::pem(&leaf)).chain(root.between.iter().cloned()).collect();
    // Certificates count whole seconds.
    let not_after = x509::parse(&leaf).map_or(not_after, |parsed| x509::ends(&parsed));
    Ok(Issued { leaf, chain, not_after, serial: shown })
}

/// Signs for nobody, and looks whether a member would believe it.
///
/// # Errors
/// Why not.
pub(super) fn probe(root: &Root, now: SystemTime) -> Result<(), RootProblem> {
    let nobody: SpiffeId =
        "spiffe://probe/nobody".parse().map_err(|_| RootProblem::Make("no identity".to_owned()))?;
    let issued = sign(root, &KeyPair::generate()?, &nobody, "nobody.probe", now, Duration::from_secs(60))?;
    let unverified = |why: String| RootProblem::Unverified(why);
    let mut roots = RootCertStore::empty();
    let anchor = root.anchor_der().ok_or(RootProblem::NoRoot)?;
    roots.add(anchor).map_err(|error| unverified(error.to_string()))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), identity::provider())
        .build()
        .map_err(|error| unverified(error.to_string()))?;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let chain = identity::pem::certificates(issued.chain.as_bytes())
        .map_err(|problem| unverified(problem.to_string()))?;
    verifier
        .verify_client_cert(&chain[0], &chain[1..], UnixTime::since_unix_epoch(since))
        .map_err(|error| unverified(error.to_string()))?;
    Ok(())
}
