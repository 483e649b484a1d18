//! Our own certificate and key.

use std::sync::Arc;
use std::time::Duration;

use engine::config::KeyPair;
use model::spiffe::SpiffeId;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::leaf::Leaf;
use super::refusal::Refusal;
use crate::pair::{self, PairProblem};

/// An X.509-SVID with its key, known to belong together and to say who we are.
#[derive(Debug)]
pub struct Svid {
    leaf: Leaf,
    pair: KeyPair,
    certified: Arc<CertifiedKey>,
}

/// Why a chain and a key are not an SVID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SvidProblem {
    /// The texts are not a pair.
    #[error(transparent)]
    Pair(#[from] PairProblem),
    /// The certificate is not a member's.
    #[error("the certificate is not one of a member of a mesh: {0}")]
    Refused(#[from] Refusal),
}

impl Svid {
    /// Reads a chain, leaf first, and its key. Whether it is valid now is not asked: see [`Svid::is_valid_at`].
    ///
    /// # Errors
    /// They do not belong together, or the leaf is not a member's certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Svid, SvidProblem> {
        let (pair, _validity) = pair::parse("svid", chain, key)?;
        let certified = Arc::new(pair::certified(&pair)?);
        let leaf = Leaf::read(pair.chain.first().ok_or(Refusal::NotX509)?)?;
        Ok(Svid { leaf, pair, certified })
    }

    /// Who we are.
    #[must_use]
    pub fn identity(&self) -> &SpiffeId {
        &self.leaf.identity
    }

    /// What the certificate says.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.pair.chain
    }

    /// The private key. Never logged, never sent.
    #[must_use]
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.pair.key
    }

    /// Whether it can be shown at a time, counted since the Unix epoch. Others judge by their own clocks, so there is
    /// no leeway here.
    #[must_use]
    pub fn is_valid_at(&self, unix: Duration) -> bool {
        unix.as_secs() < self.leaf.not_after
    }

    /// As rustls wants it.
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}
