//! `Application`: what calls APIs. Credentials recognise it, subscriptions say what it may call.

use std::sync::Arc;

use serde::Deserialize;

use crate::customers::lives::ApplicationState;

/// An Application. It is kept among the customers, not in the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Application {
    /// What it is.
    #[serde(default)]
    pub spec: ApplicationSpec,
    /// Where it is in its life.
    #[serde(default)]
    pub status: ApplicationStatus,
}

/// `Application.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ApplicationSpec {
    /// Name of the Team that it belongs to, in its own namespace; absent where nobody keeps teams.
    #[serde(default)]
    pub team: Option<Arc<str>>,
    /// What people call it.
    #[serde(default)]
    pub title: Option<Arc<str>>,
}

/// `Application.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ApplicationStatus {
    /// The state.
    pub state: ApplicationState,
}

impl Default for ApplicationStatus {
    fn default() -> Self {
        ApplicationStatus { state: ApplicationState::Active }
    }
}
