//! Whether a chain that was shown is believed, and what it proves.
//!
//! Signatures, validity and usage are verified by rustls-webpki; ours are the choice of the roots, which are those of
//! the trust domain that the certificate names and no others, and the identity. Name constraints are never relied
//! upon.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use model::spiffe::SpiffeId;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::bundles::{AnchorId, Bundles};
use super::leaf::Leaf;
use super::refusal::Refusal;
use super::{CHAIN_CERTIFICATES_MAX, CLOCK_LEEWAY_SECONDS};

/// Which part of a connection shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that called.
    Caller,
    /// The one that was called.
    Called,
}

/// Who vouches now for what was proven before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// The root that it ends at.
    Root,
    /// That root too, but it has given way to another since, and opens nothing any more.
    Retired,
    /// Nobody.
    Nobody,
}

/// What a chain has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who its holder is.
    pub identity: SpiffeId,
    /// Which replica, `namespace/workload`.
    pub replica: Option<Arc<str>>,
    /// The root that it ends at.
    pub anchor: AnchorId,
    /// Until when the leaf is valid, in seconds since the Unix epoch.
    pub not_after: u64,
    /// SHA-256 of the leaf.
    pub digest: [u8; 32],
}

impl Verified {
    /// What the bundles of now say of the root that it ends at.
    #[must_use]
    pub fn backing(&self, bundles: &Bundles) -> Backing {
        match bundles.of(self.identity.trust_domain()) {
            Some(bundle) if bundle.holds(self.anchor) => Backing::Root,
            Some(bundle) if bundle.has_retired(self.anchor) => Backing::Retired,
            Some(_) | None => Backing::Nobody,
        }
    }

    /// Whether a new connection could still be opened with it at a time, counted since the Unix epoch.
    #[must_use]
    pub fn is_valid_at(&self, unix: Duration) -> bool {
        unix < self.expires()
    }

    /// From when on no new connection could be opened with it, counted since the Unix epoch.
    #[must_use]
    pub fn expires(&self) -> Duration {
        Duration::from_secs(self.not_after.saturating_add(CLOCK_LEEWAY_SECONDS).saturating_add(1))
    }
}

/// Judges a chain, leaf first.
///
/// # Errors
/// The first reason not to believe it.
pub fn judge(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    side: Side,
    bundles: &Bundles,
    now: UnixTime,
) -> Result<Verified, Refusal> {
    if intermediates.len() >= CHAIN_CERTIFICATES_MAX {
        return Err(Refusal::ChainTooLong);
    }
    let read = Leaf::read(leaf)?;
    let bundle = bundles.of(read.identity.trust_domain()).ok_or(Refusal::TrustDomainUnknown)?;
    let parsed = EndEntityCert::try_from(leaf).map_err(|_| Refusal::NotX509)?;
    let usage = match side {
        Side::Caller => KeyUsage::client_auth(),
        Side::Called => KeyUsage::server_auth(),
    };
    let algorithms = crate::provider().signature_verification_algorithms.all;
    let when = forgiving(now, &read);
    let path = parsed
        .verify_for_usage(algorithms, bundle.anchors(), intermediates, when, usage, None, Some(&may_sign))
        .map_err(|error| reason(&error))?;
    let mut shown = [0; 32];
    shown.copy_from_slice(digest::digest(&digest::SHA256, leaf).as_ref());
    let anchor = AnchorId::of(path.anchor());
    let Leaf { identity, replica, not_after, .. } = read;
    Ok(Verified { identity, replica, anchor, not_after, digest: shown })
}

/// Each authority on the way may sign certificates, by its key usage if it has one (RFC 5280, section 6.1.4 (n)). The
/// library goes by basic constraints alone.
fn may_sign(path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
    let signs = |der: CertificateDer<'_>| {
        let (_, authority) = X509Certificate::from_der(&der).ok()?;
        let usage = authority.key_usage().ok()?;
        Some(usage.is_none_or(|usage| usage.value.key_cert_sign()))
    };
    let all = path.intermediate_certificates().all(|authority| signs(authority.der()) == Some(true));
    if all { Ok(()) } else { Err(webpki::Error::EndEntityUsedAsCa) }
}

/// The time to judge by: clocks of two hosts differ a little, so a leaf that is valid within the leeway is judged at
/// the nearest second at which it is.
fn forgiving(now: UnixTime, leaf: &Leaf) -> UnixTime {
    let seconds = now.as_secs();
    let nearest = seconds.max(leaf.not_before).min(leaf.not_after);
    let within = nearest.abs_diff(seconds) <= CLOCK_LEEWAY_SECONDS;
    UnixTime::since_unix_epoch(Duration::from_secs(if within { nearest } else { seconds }))
}

fn reason(error: &webpki::Error) -> Refusal {
    match error {
        webpki::Error::CertExpired { .. } => Refusal::Expired,
        webpki::Error::CertNotValidYet { .. } => Refusal::NotYetValid,
        webpki::Error::CaUsedAsEndEntity => Refusal::IsAuthority,
        webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => {
            Refusal::WrongUsage
        }
        // The library names dozens more; to us they are all one: there is no path.
        _ => Refusal::Untrusted,
    }
}
