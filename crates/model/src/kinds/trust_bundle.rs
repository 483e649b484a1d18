//! `TrustBundle`: whose word counts in a mesh. Written by the control plane, carried to every proxy, and never by hand.

use std::sync::Arc;

use serde::Deserialize;

/// A TrustBundle; it is called like its Mesh.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TrustBundle {
    /// The roots.
    pub spec: TrustBundleSpec,
}

/// `TrustBundle.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustBundleSpec {
    /// For whose identities the roots count, and for no others.
    pub trust_domain: Arc<str>,
    /// Certificates of the authorities, PEM, one each. Their order means nothing.
    pub roots: Vec<Arc<str>>,
    /// Roots that were replaced in good order: what was opened under them lives on until its certificate ends, and
    /// nothing new is opened.
    #[serde(default)]
    pub retired: Vec<Arc<str>>,
    /// Key identifier of the authority that signs now. A member with a certificate of another one renews it soon.
    #[serde(default)]
    pub signing: Option<Arc<str>>,
}
