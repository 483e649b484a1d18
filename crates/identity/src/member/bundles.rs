//! Who may vouch for members: roots by trust domain.
//!
//! The roots of one trust domain never count for another. That, and not a name constraint within a certificate, is
//! the boundary between two meshes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::roots::{self, RootsProblem};

/// A root as verification sees it: name and key. A root that was only renewed under its own key stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnchorId([u8; 32]);

impl AnchorId {
    pub(super) fn of(anchor: &TrustAnchor<'_>) -> AnchorId {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&(anchor.subject.len() as u64).to_be_bytes());
        context.update(&anchor.subject);
        context.update(&anchor.subject_public_key_info);
        let mut id = [0; 32];
        id.copy_from_slice(context.finish().as_ref());
        AnchorId(id)
    }
}

/// What is told of one trust domain: PEM bundles.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    /// For whose identities they count.
    pub trust_domain: &'t str,
    /// The roots.
    pub roots: &'t [u8],
    /// Roots that were replaced in good order; none when it is empty.
    pub retired: &'t [u8],
}

/// The roots of one trust domain.
#[derive(Debug, Default, PartialEq)]
pub struct Bundle {
    roots: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    ids: HashSet<AnchorId>,
    /// Roots that open nothing any more, and of which nothing bad is known.
    retired: HashSet<AnchorId>,
}

impl Bundle {
    /// Reads a PEM bundle. Their order says nothing.
    ///
    /// # Errors
    /// It holds no certificate, or one that cannot be a root.
    pub fn from_pem(bundle: &[u8]) -> Result<Bundle, RootsProblem> {
        let roots = roots::parse(bundle)?;
        let anchors: Vec<_> = anchors(&roots).map(|anchor| anchor.to_owned()).collect();
        let ids = anchors.iter().map(AnchorId::of).collect();
        Ok(Bundle { roots, anchors, ids, retired: HashSet::new() })
    }

    /// The same, in which these roots (PEM) vouch for what was opened while they counted, and for nothing new. What
    /// cannot be read vouches for nothing.
    #[must_use]
    pub fn retiring(mut self, roots: &[u8]) -> Bundle {
        let roots = roots::parse(roots).unwrap_or_default();
        self.retired = anchors(&roots).map(|anchor| AnchorId::of(&anchor)).collect();
        self
    }

    /// The roots as certificates.
    #[must_use]
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Whether a root is among them.
    #[must_use]
    pub fn holds(&self, anchor: AnchorId) -> bool {
        self.ids.contains(&anchor)
    }

    /// Whether a root was among them and has gone in good order.
    #[must_use]
    pub fn has_retired(&self, anchor: AnchorId) -> bool {
        self.retired.contains(&anchor)
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

/// Those that can be anchors.
fn anchors<'r>(roots: &'r [CertificateDer<'static>]) -> impl Iterator<Item = TrustAnchor<'r>> {
    roots.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok())
}

/// Everybody's roots, by trust domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundles(BTreeMap<Arc<str>, Arc<Bundle>>);

impl Bundles {
    /// Nobody is trusted.
    #[must_use]
    pub fn new() -> Bundles {
        Bundles::default()
    }

    /// The same with the bundle of one trust domain, instead of what it had before.
    #[must_use]
    pub fn with(mut self, trust_domain: &str, bundle: Bundle) -> Bundles {
        self.0.insert(trust_domain.into(), Arc::new(bundle));
        self
    }

    /// The same without a trust domain.
    #[must_use]
    pub fn without(mut self, trust_domain: &str) -> Bundles {
        self.0.remove(trust_domain);
        self
    }

    /// What is told now of each trust domain, and no other trust domain. One that cannot be read leaves
    /// what was known before; where nothing was, nobody vouches for the trust domain: it must not look as if it were
    /// not of a mesh.
    #[must_use]
    pub fn told<'t>(&self, told: impl IntoIterator<Item = Told<'t>>) -> Bundles {
        let read = told.into_iter().map(|told| match Bundle::from_pem(told.roots) {
            Ok(bundle) => (told.trust_domain.into(), Arc::new(bundle.retiring(told.retired))),
            Err(_) => (told.trust_domain.into(), self.0.get(told.trust_domain).cloned().unwrap_or_default()),
        });
        Bundles(read.collect())
    }

    /// The bundle of a trust domain, byte for byte.
    #[must_use]
    pub fn of(&self, trust_domain: &str) -> Option<&Bundle> {
        self.0.get(trust_domain).map(|bundle| &**bundle)
    }

    /// All of them, by trust domain.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bundle)> {
        self.0.iter().map(|(trust_domain, bundle)| (&**trust_domain, &**bundle))
    }
}
