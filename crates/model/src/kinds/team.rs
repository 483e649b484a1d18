//! `Team`: who is asked, and billed, for applications.

use std::sync::Arc;

use serde::Deserialize;

use crate::customers::lives::Membership;

/// A Team. It is kept among the customers, not in the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Team {
    /// Who it is.
    #[serde(default)]
    pub spec: TeamSpec,
    /// Where it is in its life.
    #[serde(default)]
    pub status: MembershipStatus,
}

/// `Team.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TeamSpec {
    /// What people call it.
    #[serde(default)]
    pub title: Option<Arc<str>>,
    /// Names of its Developers.
    #[serde(default)]
    pub members: Vec<TeamMember>,
}

/// A Developer in a Team.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TeamMember {
    /// Name of the Developer, in the namespace of the Team.
    pub developer: Arc<str>,
    /// What they may do for it.
    #[serde(default)]
    pub role: TeamRole,
}

/// What a Developer may do for a Team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum TeamRole {
    /// Everything, billing included.
    Owner,
    /// Applications, subscriptions and credentials.
    #[default]
    Member,
}

/// Where a Team or Developer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct MembershipStatus {
    /// The state.
    pub state: Membership,
}

impl Default for MembershipStatus {
    fn default() -> Self {
        MembershipStatus { state: Membership::Active }
    }
}
