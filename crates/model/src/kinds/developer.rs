//! `Developer`: a person who works for teams. What is personal stands here and nowhere else, so that erasing
//! it erases all of it.

use std::sync::Arc;

use serde::Deserialize;

use super::team::MembershipStatus;

/// A Developer. It is kept among the customers, not in the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Developer {
    /// Who they are.
    #[serde(default)]
    pub spec: DeveloperSpec,
    /// Where they are in their life here.
    #[serde(default)]
    pub status: MembershipStatus,
}

/// `Developer.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct DeveloperSpec {
    /// What they are called.
    #[serde(default)]
    pub title: Option<Arc<str>>,
    /// Where mail reaches them.
    #[serde(default)]
    pub email: Option<Arc<str>>,
    /// The language they read (BCP 47).
    #[serde(default)]
    pub locale: Option<Arc<str>>,
}
