//! `ReferenceGrant`: allows objects of other namespaces to refer to objects of its own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A ReferenceGrant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrant {
    /// What is allowed.
    pub spec: ReferenceGrantSpec,
}

/// `ReferenceGrant.spec`: any of `from` may refer to any of `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    pub from: Vec<GrantFrom>,
    /// To what.
    pub to: Vec<GrantTo>,
}

/// Who may refer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantFrom {
    /// API group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
}

/// To what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTo {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// One object, or all of the kind when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

impl GrantTo {
    /// Whether an object of the grant's namespace is meant.
    #[must_use]
    pub fn covers(&self, group: &str, kind: &str, name: &str) -> bool {
        let named = self.name.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == name);
        *self.group == *group && *self.kind == *kind && named
    }
}

impl GrantFrom {
    /// Whether a referrer is meant.
    #[must_use]
    pub fn covers(&self, group: &str, kind: &str, namespace: &str) -> bool {
        *self.group == *group && *self.kind == *kind && *self.namespace == *namespace
    }
}
