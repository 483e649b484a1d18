//! What a proxy does with an object that it cannot read: the rule of each kind, in one table.
//!
//! A proxy may be older than its control plane. What says where traffic goes keeps its last good version, because half
//! a configuration is worse than yesterday's. What says who may do what cannot be kept: the edit that is not understood
//! may be the one that shuts somebody out, so its targets refuse traffic until it is.

use super::KindName;

/// What becomes of an object whose newest version is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRejection {
    /// The last good version stays in use; an object that never had one is left out.
    KeepLastGood,
    /// Its targets refuse traffic at once.
    DenyTargets,
}

impl KindName {
    /// The rule of a kind.
    #[must_use]
    pub const fn on_rejection(self) -> OnRejection {
        match self {
            KindName::Namespace
            | KindName::Secret
            | KindName::ConfigMap
            | KindName::Service
            | KindName::Pod
            | KindName::EndpointSlice
            | KindName::GatewayClass
            | KindName::Gateway
            | KindName::HttpRoute
            | KindName::TcpRoute
            | KindName::ReferenceGrant
            | KindName::Backend
            | KindName::GatewayParameters
            | KindName::ResiliencePolicy
            | KindName::FaultPolicy
            | KindName::TelemetryPolicy
            // Roots that were trusted stay trusted; whom a newer bundle would let in is not let in.
            | KindName::TrustBundle
            | KindName::Workload
            | KindName::Api
            | KindName::ApiVersion
            | KindName::ApiRevision
            | KindName::ApiBinding
            | KindName::ApiProduct
            | KindName::Plan => OnRejection::KeepLastGood,
            // No proxy is shown these; should one come to a proxy all the same, nothing it says may open anything.
            KindName::Role
            | KindName::ClusterRole
            | KindName::RoleBinding
            | KindName::ClusterRoleBinding
            | KindName::AccessToken
            | KindName::Team
            | KindName::Developer
            | KindName::Application
            | KindName::Subscription
            | KindName::Credential
            | KindName::JoinToken => OnRejection::DenyTargets,
            // Who may do what: the edit that is not understood may be the one that shuts somebody out.
            KindName::AuthorizationPolicy
            | KindName::AuthenticationPolicy
            | KindName::ExternalAuthorizationPolicy => OnRejection::DenyTargets,
            // It may take out what callers must not see; half a change is worse than none.
            KindName::TransformPolicy => OnRejection::DenyTargets,
            // Without it nothing holds callers back, and the edit may be the one that was to.
            KindName::RateLimitPolicy => OnRejection::DenyTargets,
            // An edit that is not understood may name whom to keep out; what other sites may do is theirs to lose.
            KindName::IpPolicy | KindName::CorsPolicy => OnRejection::DenyTargets,
            // Without it everything passes, and the edit may be the one that keeps an attack out.
            KindName::ValidationPolicy => OnRejection::DenyTargets,
            // It says by which certificates a backend is known: authentication, in the other direction.
            KindName::BackendTlsPolicy => OnRejection::DenyTargets,
            // It says whether cleartext is let in, and calls that no policy speaks of.
            KindName::Mesh => OnRejection::DenyTargets,
        }
    }
}
