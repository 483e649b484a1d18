//! `APIProduct`: operations of one or more APIs that are had together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::page_url::PageUrl;

/// An APIProduct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiProduct {
    /// What is wanted.
    pub spec: ApiProductSpec,
}

/// `APIProduct.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiProductSpec {
    /// What people call it; its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// How far along its life it is.
    pub state: ProductState,
    /// The page where a plan of it is chosen; callers who have reached a limit are told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageUrl>,
    /// What belongs to it.
    pub apis: Vec<ProductApi>,
}

/// How far along its life a product is; the steps stand in [`crate::life`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProductState {
    /// Nobody sees it.
    Draft,
    /// It can be subscribed to.
    Published,
    /// Those who have it keep it; nobody else gets it.
    Deprecated,
    /// It has ended.
    Archived,
}

/// What belongs to a product of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductApi {
    /// Name of the APIVersion.
    pub version: Arc<str>,
    /// Which of its operations, each as `GET /pets/{}`; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Arc<str>>,
}

impl ProductApi {
    /// Whether an operation of the version belongs to it.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|listed| **listed == *operation)
    }
}
