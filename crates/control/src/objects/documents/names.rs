//! What people and paths call kinds, and which group versions there are.

use model::kinds::KindName;

/// A version of a group of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupVersion {
    /// Empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
}

impl GroupVersion {
    /// `gateway.networking.k8s.io/v1`, or `v1`.
    #[must_use]
    pub fn text(self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `apis/gateway.networking.k8s.io/v1`, or `api/v1`.
    #[must_use]
    pub fn path(self) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        format!("{root}/{}", self.text())
    }

    /// The kinds it has.
    pub fn kinds(self) -> impl Iterator<Item = KindName> {
        let has =
            move |kind: &KindName| kind.group() == self.group && kind.versions().contains(&self.version);
        KindName::ALL.iter().copied().filter(has)
    }
}

/// All versions of all groups: core first, then as the kinds are declared, preferred versions first.
#[must_use]
pub fn group_versions() -> Vec<GroupVersion> {
    let mut found: Vec<GroupVersion> = Vec::new();
    for group in groups() {
        for kind in KindName::ALL.iter().filter(|kind| kind.group() == group) {
            for version in kind.versions() {
                let one = GroupVersion { group, version };
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
    }
    found
}

/// The groups in the order in which kinds are declared.
pub fn groups() -> Vec<&'static str> {
    let mut found = Vec::new();
    for kind in KindName::ALL {
        if !found.contains(&kind.group()) {
            found.push(kind.group());
        }
    }
    found
}

/// The kind that a path names.
#[must_use]
pub fn find(group: &str, version: &str, plural: &str) -> Option<KindName> {
    let is_it = |kind: &KindName| {
        kind.group() == group && kind.plural() == plural && kind.versions().contains(&version)
    };
    KindName::ALL.iter().copied().find(is_it)
}

/// The kind of a list of objects.
#[must_use]
pub fn list_kind(kind: KindName) -> String {
    format!("{kind}List")
}

/// One object of a kind, as people write it.
pub fn singular(kind: KindName) -> String {
    kind.as_str().to_ascii_lowercase()
}

/// What people write when they are in a hurry; those of Kubernetes and of the Gateway API.
pub fn short_names(kind: KindName) -> &'static [&'static str] {
    match kind {
        KindName::Namespace => &["ns"],
        KindName::ConfigMap => &["cm"],
        KindName::Service => &["svc"],
        KindName::Pod => &["po"],
        KindName::GatewayClass => &["gc"],
        KindName::Gateway => &["gtw"],
        KindName::ReferenceGrant => &["refgrant"],
        KindName::BackendTlsPolicy => &["btlspolicy"],
        KindName::ResiliencePolicy => &["rp"],
        KindName::FaultPolicy => &["fp"],
        KindName::TransformPolicy => &["xfp"],
        KindName::RateLimitPolicy => &["rlp"],
        KindName::IpPolicy => &["ipp"],
        KindName::CorsPolicy => &["corsp"],
        KindName::ValidationPolicy => &["vp"],
        KindName::AuthenticationPolicy => &["authn"],
        KindName::ExternalAuthorizationPolicy => &["extauthz"],
        KindName::TelemetryPolicy => &["tp"],
        KindName::AuthorizationPolicy => &["authz"],
        KindName::Workload => &["wl"],
        KindName::Developer => &["dev"],
        KindName::Application => &["app"],
        KindName::Subscription => &["sub"],
        KindName::Credential => &["cred"],
        KindName::Secret
        | KindName::EndpointSlice
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::Backend
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::Team
        | KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan => &[],
    }
}

/// Names of several kinds at once.
pub fn categories(kind: KindName) -> &'static [&'static str] {
    match kind {
        KindName::Service | KindName::Pod => &["all"],
        KindName::GatewayClass
        | KindName::Gateway
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy => &["gateway-api"],
        KindName::Backend
        | KindName::GatewayParameters
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TelemetryPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AccessToken
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::AuthorizationPolicy
        | KindName::Mesh
        | KindName::Workload
        | KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan => &["selvedge"],
        KindName::Namespace
        | KindName::Secret
        | KindName::ConfigMap
        | KindName::EndpointSlice
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding => &[],
    }
}

/// What a kind is for.
pub fn summary(kind: KindName) -> &'static str {
    match kind {
        KindName::Namespace => "A Namespace is a room for objects: names in it are its own.",
        KindName::Secret => "A Secret holds keys and certificates, base64 under `data`.",
        KindName::ConfigMap => {
            "A ConfigMap holds text, such as the certificates of those whom a client trusts."
        }
        KindName::Service => "A Service is a name for a set of endpoints.",
        KindName::Pod => "A Pod is a workload with labels and an address.",
        KindName::EndpointSlice => "An EndpointSlice holds some of the addresses behind a Service.",
        KindName::GatewayClass => "A GatewayClass says which controller serves the Gateways that name it.",
        KindName::Gateway => {
            "A Gateway is a set of listeners: addresses, ports, protocols, hosts, certificates."
        }
        KindName::HttpRoute => {
            "An HTTPRoute says which requests of its hosts go where, and how they are changed."
        }
        KindName::TcpRoute => "A TCPRoute says where the connections of its listeners go.",
        KindName::ReferenceGrant => {
            "A ReferenceGrant lets objects of other namespaces refer to objects of its own."
        }
        KindName::BackendTlsPolicy => "A BackendTLSPolicy says how a Service is spoken to over TLS.",
        KindName::Backend => {
            "A Backend is a destination by address or DNS name, with its connection settings."
        }
        KindName::GatewayParameters => {
            "A GatewayParameters says whom a Gateway trusts, how it reads paths, its bounds and its logs."
        }
        KindName::ResiliencePolicy
        | KindName::RateLimitPolicy
        | KindName::TransformPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::FaultPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy => summary_of_policy(kind),
        KindName::Mesh => {
            "A Mesh says who trusts whom, and what holds between workloads where nobody has said otherwise."
        }
        KindName::Workload => "A Workload is one replica: where it is reached and who it is.",
        KindName::Role | KindName::ClusterRole | KindName::RoleBinding | KindName::ClusterRoleBinding => {
            summary_of_role(kind)
        }
        KindName::AuthenticationPolicy => {
            "An AuthenticationPolicy says how callers of Gateways, routes and Services prove who they are."
        }
        KindName::AuthorizationPolicy => {
            "An AuthorizationPolicy says who may do what at Gateways, routes, Services and workloads."
        }
        KindName::AccessToken => "An AccessToken says whose a bearer token is, without the token.",
        KindName::JoinToken => {
            "A JoinToken says which workload may ask for its first certificate, without the token."
        }
        KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential => summary_of_product(kind),
        KindName::TrustBundle => {
            "A TrustBundle holds the roots of a mesh; the control plane writes it, and `selvedge mesh` changes it."
        }
    }
}

/// What policies about requests are for; nothing for others.
fn summary_of_policy(kind: KindName) -> &'static str {
    match kind {
        KindName::TransformPolicy => "A TransformPolicy changes requests and answers on their way.",
        KindName::ResiliencePolicy => {
            "A ResiliencePolicy says how long to wait, when to try again, and which endpoints to leave alone."
        }
        KindName::RateLimitPolicy => "A RateLimitPolicy says how often callers of its targets may ask.",
        KindName::IpPolicy => "An IpPolicy says from which addresses its targets may be asked.",
        KindName::CorsPolicy => "A CorsPolicy says which other sites may call its targets from browsers.",
        KindName::ExternalAuthorizationPolicy => {
            "An ExternalAuthorizationPolicy names who else is asked whether a request may pass."
        }
        KindName::ValidationPolicy => {
            "A ValidationPolicy says what requests and answers must be like to pass."
        }
        KindName::FaultPolicy => "A FaultPolicy delays or fails requests on purpose.",
        KindName::TelemetryPolicy => {
            "A TelemetryPolicy says which requests are traced, and who is told of them."
        }
        _ => "",
    }
}

/// What roles and their bindings are for; nothing for others.
fn summary_of_role(kind: KindName) -> &'static str {
    match kind {
        KindName::Role => "A Role says what may be done with the objects of its namespace.",
        KindName::ClusterRole => "A ClusterRole says what may be done, wherever it is bound.",
        KindName::RoleBinding => "A RoleBinding gives a role in its namespace to people and programs.",
        KindName::ClusterRoleBinding => {
            "A ClusterRoleBinding gives a role everywhere to people and programs."
        }
        _ => "",
    }
}

/// What the kinds of products and customers are for; nothing for others.
fn summary_of_product(kind: KindName) -> &'static str {
    match kind {
        KindName::Api => "An API is the name under which everything about one interface is found.",
        KindName::ApiVersion => {
            "An APIVersion says what clients call and where, how far along its life it is, and what describes it."
        }
        KindName::ApiRevision => {
            "An APIRevision is one description of a version, kept as it was uploaded, for good."
        }
        KindName::ApiBinding => {
            "An APIBinding says what answers the operations of a version: a mock, or upstreams."
        }
        KindName::ApiProduct => "An APIProduct is a selection of operations that are had together.",
        KindName::Plan => {
            "A Plan says how much of a product a subscription is given, and how it proves whose it is."
        }
        KindName::Team => "A Team is asked, and billed, for applications.",
        KindName::Developer => "A Developer is a person who works for teams.",
        KindName::Application => "An Application calls APIs: credentials recognise it.",
        KindName::Subscription => {
            "A Subscription says what an application may call, within the limits of a plan."
        }
        KindName::Credential => {
            "A Credential recognises an application: by a key, which is shown once, an identity or a certificate."
        }
        _ => "",
    }
}

/// A kind as OpenAPI documents call it: `io.k8s.networking.gateway.v1.Gateway`.
pub fn component(kind: KindName, version: &str) -> String {
    let package = match kind.group() {
        "" => "io.k8s.api.core".to_owned(),
        "discovery.k8s.io" => "io.k8s.api.discovery".to_owned(),
        group => group.split('.').rev().collect::<Vec<_>>().join("."),
    };
    format!("{package}.{version}.{kind}")
}

/// Whether strategic merge patches are known for a kind: for those that a cluster has built in.
pub fn is_built_in(kind: KindName) -> bool {
    matches!(kind.group(), "" | "discovery.k8s.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_kind_in_each_of_its_versions() {
        const GATEWAY: &str = "gateway.networking.k8s.io";

        assert_eq!(find("", "v1", "services"), Some(KindName::Service));
        assert_eq!(find(GATEWAY, "v1beta1", "referencegrants"), Some(KindName::ReferenceGrant));
        assert_eq!(find(GATEWAY, "v1beta1", "gateways"), None);
        let texts: Vec<String> = group_versions().into_iter().map(GroupVersion::text).collect();
        assert_eq!(
            texts,
            [
                "v1",
                "discovery.k8s.io/v1",
                "gateway.networking.k8s.io/v1",
                "gateway.networking.k8s.io/v1alpha2",
                "gateway.networking.k8s.io/v1beta1",
                "mesh.selvedge.dev/v1alpha1",
                "policy.selvedge.dev/v1alpha1",
                "rbac.authorization.k8s.io/v1",
                "access.selvedge.dev/v1alpha1",
                "product.selvedge.dev/v1alpha1"
            ]
        );
    }
}
