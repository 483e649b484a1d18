//! One authority of a mesh: the root that members trust, and the key that signs for it.
//!
//! We make one, or it is supplied. A supplied one may be an authority below a root that somebody else keeps: then the
//! certificates between are handed out with every leaf. What cannot sign is refused when it is supplied, by signing
//! with it, and not by the first member.

use std::fmt;
use std::time::{Duration, SystemTime};

use model::kinds::Secret;
use model::kinds::secret::{CA_CRT, TLS_CRT, TLS_KEY};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::X509Certificate;

use identity::x509;

/// Certificates are valid from a little before they are made: members' clocks run late.
pub const BACKDATE: Duration = Duration::from_secs(300);
/// Random bytes of a serial number (RFC 5280, section 4.1.2.2 allows 20).
const SERIAL_BYTES: usize = 16;

/// Who made an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// We did.
    BuiltIn,
    /// The Mesh names it.
    Supplied,
}

/// An authority. Its key is in here: whoever has it can make identities.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Key identifier of what signs, as leaves name their issuer.
    pub id: String,
    /// Who made it.
    pub origin: Origin,
    /// The root, PEM.
    pub anchor: String,
    /// What signs and all between it and the root, PEM, in this order; empty when the root itself signs.
    pub between: Vec<String>,
    key: String,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("id", &self.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why there is no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootProblem {
    /// It could not be made.
    #[error("cannot make an authority: {0}")]
    Make(String),
    /// The pair makes no sense.
    #[error(transparent)]
    Pair(#[from] identity::pair::PairProblem),
    /// A value is missing.
    #[error("there is no `{0}` in it")]
    Missing(&'static str),
    /// It may not sign.
    #[error("the first certificate of `tls.crt` is no authority: {0}")]
    NoAuthority(&'static str),
    /// Nobody could trust it.
    #[error(
        "there is no root: neither is `tls.crt` signed by itself, nor does it end with a root, nor is there a `ca.crt`"
    )]
    NoRoot,
    /// The root cannot be used.
    #[error(transparent)]
    Roots(#[from] identity::roots::RootsProblem),
    /// What it signs is not believed.
    #[error("what it signs does not verify up to its root: {0}")]
    Unverified(String),
}

impl From<rcgen::Error> for RootProblem {
    fn from(error: rcgen::Error) -> Self {
        RootProblem::Make(error.to_string())
    }
}

impl Root {
    /// A new authority of our own: ECDSA P-256, signs leaves and nothing else.
    ///
    /// # Errors
    /// When the machine gives no key.
    pub fn make(trust_domain: &str, now: SystemTime, lasts: Duration) -> Result<Root, RootProblem> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{trust_domain}").try_into()?)];
        params.serial_number = Some(serial()?);
        params.not_before = (now - BACKDATE).into();
        params.not_after = (now + lasts).into();
        // Two roots of one mesh are told apart by their names as well: some verifiers look for issuers by name alone.
        let id = x509::hexadecimal(&params.key_identifier(&key));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "selvedge");
        params.distinguished_name.push(DnType::CommonName, format!("mesh root {}", &id[..12.min(id.len())]));
        let anchor = params.self_signed(&key)?.pem();
        Ok(Root { id, origin: Origin::BuiltIn, anchor, between: Vec::new(), key: key.serialize_pem() })
    }

    /// The authority of a Secret: `tls.crt` begins with what signs, `tls.key` is its key, and the root is the last
    /// certificate or stands in `ca.crt`.
    ///
    /// # Errors
    /// See [`RootProblem`].
    pub fn supplied(secret: &Secret, now: SystemTime) -> Result<Root, RootProblem> {
        let value = |name| secret.get(name).ok_or(RootProblem::Missing(name));
        let key = value(TLS_KEY)?;
        let (pair, _) = identity::pair::parse("authority", value(TLS_CRT)?, key)?;
        let mut chain = pair.chain;
        let signs = chain.first().and_then(x509::parse).ok_or(RootProblem::Missing(TLS_CRT))?;
        may_sign(&signs).map_err(RootProblem::NoAuthority)?;
        let id = x509::subject_key(&signs).ok_or(RootProblem::NoAuthority("it has no key identifier"))?;
        let anchor = match secret.get(CA_CRT) {
            Some(roots) => identity::roots::parse(roots)?.into_iter().next(),
            None => chain.last().filter(|last| is_root(last)).cloned(),
        };
        let anchor = anchor.ok_or(RootProblem::NoRoot)?;
        chain.retain(|certificate| *certificate != anchor);
        let key = String::from_utf8_lossy(key).into_owned();
        let between = chain.iter().map(|one| x509::pem(one)).collect();
        let root = Root { id, origin: Origin::Supplied, anchor: x509::pem(&anchor), between, key };
        super::sign::probe(&root, now)?;
        Ok(root)
    }

    /// The root itself.
    #[must_use]
    pub fn anchor_der(&self) -> Option<CertificateDer<'static>> {
        certificate(&self.anchor)
    }

    /// What signs.
    #[must_use]
    pub fn signs(&self) -> Option<CertificateDer<'static>> {
        certificate(self.between.first().unwrap_or(&self.anchor))
    }

    /// Until when what it signs can be believed: until the first certificate of its chain ends.
    #[must_use]
    pub fn ends(&self) -> Option<SystemTime> {
        let all = self.between.iter().chain([&self.anchor]);
        let ends = all.map(|text| Some(x509::ends(&x509::parse(&certificate(text)?)?)));
        ends.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// What signs, with its key.
    pub(super) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, RootProblem> {
        let signs = self.signs().ok_or(RootProblem::Missing(TLS_CRT))?;
        Ok(Issuer::from_ca_cert_der(&signs, KeyPair::from_pem(&self.key)?)?)
    }
}

/// Whether a certificate may sign others (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
fn may_sign(certificate: &X509Certificate<'_>) -> Result<(), &'static str> {
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {}
        Ok(Some(_) | None) | Err(_) => return Err("its basic constraints do not say `CA:TRUE`"),
    }
    match certificate.key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.key_cert_sign() => Ok(()),
        Ok(Some(_)) | Err(_) => Err("its key usage does not allow it to sign certificates"),
    }
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    x509::parse(certificate).is_some_and(|parsed| parsed.subject().as_raw() == parsed.issuer().as_raw())
}

fn certificate(text: &str) -> Option<CertificateDer<'static>> {
    identity::pem::certificates(text.as_bytes()).ok()?.into_iter().next()
}

/// A serial number that nobody can guess.
pub(super) fn serial() -> Result<SerialNumber, RootProblem> {
    let mut bytes = [0; SERIAL_BYTES];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| RootProblem::Make("the machine gives no random numbers".to_owned()))?;
    // Positive, not zero, and of one length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
