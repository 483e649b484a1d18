//! Trust anchors: who may vouch for an upstream.
//!
//! A bundle that is empty or cannot be read is refused, never read as "trust nobody in particular": falling
//! back to the system's roots because a ConfigMap was mistyped would turn a private trust into a public one.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::pem::{self, PemProblem};

/// Where the system keeps its well-known roots.
pub const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why a bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsProblem {
    /// The text cannot be read.
    #[error("the CA bundle {0}")]
    Pem(PemProblem),
    /// One of the certificates is not fit to be a trust anchor.
    #[error("the CA bundle: certificate {position} cannot be a trust anchor ({what})")]
    Anchor {
        /// Position in the bundle, counted from 1.
        position: usize,
        /// What the parser said.
        what: String,
    },
}

/// A PEM bundle as DER roots; every certificate in it must be usable as a trust anchor.
pub fn parse(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, RootsProblem> {
    let certificates = pem::certificates(bundle).map_err(RootsProblem::Pem)?;
    for (at, certificate) in certificates.iter().enumerate() {
        webpki::anchor_from_trusted_cert(certificate)
            .map_err(|error| RootsProblem::Anchor { position: at + 1, what: error.to_string() })?;
    }
    Ok(certificates)
}

/// A store of these roots, or of the system's when there are none.
#[must_use]
pub fn store(roots: &[CertificateDer<'static>]) -> Arc<RootCertStore> {
    if roots.is_empty() {
        return system();
    }
    let mut store = RootCertStore::empty();
    // What `parse` let through is accepted here; a root that were not would only be missing, which fails closed.
    store.add_parsable_certificates(roots.iter().cloned());
    Arc::new(store)
}

/// The system's roots, read once. When the bundle is missing the store is empty and every verification fails.
#[must_use]
pub fn system() -> Arc<RootCertStore> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    Arc::clone(SYSTEM.get_or_init(|| Arc::new(read_bundle(Path::new(SYSTEM_BUNDLE)))))
}

/// A public bundle may hold oddities that are none of our business, so what cannot be parsed is passed over.
fn read_bundle(path: &Path) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let text = std::fs::read(path).unwrap_or_default();
    store.add_parsable_certificates(pem::certificates(&text).unwrap_or_default());
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_broken_bundle_is_refused() {
        assert_eq!(parse(b""), Err(RootsProblem::Pem(PemProblem::Empty)));
        assert_eq!(parse(b"hello"), Err(RootsProblem::Pem(PemProblem::NotPem)));

        let garbage = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let refused = parse(garbage).expect_err("garbage").to_string();
        assert!(refused.starts_with("the CA bundle: certificate 1 cannot be a trust anchor"), "{refused}");
    }

    #[test]
    fn a_missing_system_bundle_trusts_nobody() {
        assert!(read_bundle(Path::new("/nonexistent/bundle.crt")).is_empty());
    }

    #[test]
    fn custom_roots_replace_the_systems() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        let roots = parse(made.cert.pem().as_bytes()).expect("a root");

        assert_eq!(store(&roots).len(), 1);
    }
}
