//! `APIRevision`: one description of a version, kept byte for byte.
//!
//! Because it never changes, going back to the one before is naming it again, and what was tested is what is served.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An APIRevision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRevision {
    /// What it is; for good.
    pub spec: ApiRevisionSpec,
}

/// `APIRevision.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRevisionSpec {
    /// Name of the API.
    pub api: Arc<str>,
    /// Name of the APIVersion it describes.
    pub version: Arc<str>,
    /// The description, as it was uploaded; the first document is where reading begins.
    pub documents: Vec<Document>,
    /// Changes that are laid over it (OpenAPI Overlay), in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<Document>,
}

/// A document of a description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// By which the others refer to it.
    pub name: Arc<str>,
    /// Its text.
    pub content: Arc<str>,
}
