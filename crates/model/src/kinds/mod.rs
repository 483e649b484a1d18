//! The kinds: one file each, with the field names of Kubernetes.
//!
//! A kind is declared once, in the table below: its group, the versions that are accepted, its scope, its schema
//! and its Rust type. What the rest of the program knows of kinds (reading, lookup, API paths) follows from it.

pub mod access_token;
pub mod api;
pub mod api_binding;
pub mod api_product;
pub mod api_revision;
pub mod api_version;
pub mod application;
pub mod authentication_policy;
pub mod authorization_policy;
pub mod backend;
pub mod backend_tls_policy;
pub mod config_map;
pub mod cors_policy;
pub mod credential;
pub mod developer;
pub mod endpoint_slice;
pub mod external_authorization_policy;
pub mod fault_policy;
pub mod gateway;
pub mod gateway_class;
pub mod gateway_parameters;
pub mod http_filter;
pub mod http_route;
pub mod ip_policy;
pub mod join_token;
pub mod mesh;
pub mod namespace;
pub mod plan;
pub mod pod;
pub mod rate_limit_policy;
pub mod reference_grant;
pub mod references;
mod rejection;
pub mod resilience_policy;
pub mod role;
pub mod role_binding;
pub mod secret;
pub mod service;
pub mod shim;
pub mod subscription;
pub mod tcp_route;
pub mod team;
pub mod telemetry_policy;
pub mod transform;
pub mod transform_policy;
pub mod trust_bundle;
pub mod validation_policy;
pub mod workload;

use std::fmt;

pub use access_token::AccessToken;
pub use api::Api;
pub use api_binding::ApiBinding;
pub use api_product::ApiProduct;
pub use api_revision::ApiRevision;
pub use api_version::ApiVersion;
pub use application::Application;
pub use authentication_policy::AuthenticationPolicy;
pub use authorization_policy::AuthorizationPolicy;
pub use backend::Backend;
pub use backend_tls_policy::BackendTlsPolicy;
pub use config_map::ConfigMap;
pub use cors_policy::CorsPolicy;
pub use credential::Credential;
pub use developer::Developer;
pub use endpoint_slice::EndpointSlice;
pub use external_authorization_policy::ExternalAuthorizationPolicy;
pub use fault_policy::FaultPolicy;
pub use gateway::Gateway;
pub use gateway_class::GatewayClass;
pub use gateway_parameters::GatewayParameters;
pub use http_filter::HttpFilter;
pub use http_route::HttpRoute;
pub use ip_policy::IpPolicy;
pub use join_token::JoinToken;
pub use mesh::Mesh;
pub use namespace::Namespace;
pub use plan::Plan;
pub use pod::Pod;
pub use rate_limit_policy::RateLimitPolicy;
pub use reference_grant::ReferenceGrant;
pub use rejection::OnRejection;
pub use resilience_policy::ResiliencePolicy;
pub use role::{ClusterRole, Role};
pub use role_binding::{ClusterRoleBinding, RoleBinding};
pub use secret::Secret;
pub use service::Service;
pub use subscription::Subscription;
pub use tcp_route::TcpRoute;
pub use team::Team;
pub use telemetry_policy::TelemetryPolicy;
pub use transform_policy::TransformPolicy;
pub use trust_bundle::TrustBundle;
pub use validation_policy::ValidationPolicy;
pub use workload::Workload;

/// Group of the Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// Group of our own mesh and gateway kinds.
pub const MESH_GROUP: &str = "mesh.selvedge.dev";
/// Group of our own kinds about what traffic may do and how it fares.
pub const POLICY_GROUP: &str = "policy.selvedge.dev";
/// Group of our own kinds about APIs as products.
pub const PRODUCT_GROUP: &str = "product.selvedge.dev";
/// Group of roles and of who has them.
pub const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
/// Group of our own kinds about who somebody is. A group of its own, so that no role that is about gateways or the mesh
/// reaches it by chance.
pub const ACCESS_GROUP: &str = "access.selvedge.dev";
/// Group of the core kinds of Kubernetes.
pub const CORE_GROUP: &str = "";

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// How the name of an object must be made; Kubernetes asks for more where names become DNS labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// A DNS subdomain (RFC 1123).
    Subdomain,
    /// One DNS label (RFC 1123).
    Label,
    /// One DNS label that starts with a letter (RFC 1035).
    LetterLabel,
}

/// A type that is one of the kinds.
pub trait KindType: Sized + 'static {
    /// Which one.
    const NAME: KindName;

    /// The typed content of a resource of this kind.
    fn of(kind: &Kind) -> Option<&Self>;
}

/// Declares the enums over all kinds from one table.
macro_rules! kinds {
    ($($type:ident, $text:literal, $plural:literal, $group:expr, [$($version:literal),+], $scope:ident, $rule:ident, $doc:literal;)+) => {
        /// A kind, without any content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum KindName {
            $(#[doc = $doc] $type,)+
        }

        /// The typed content of a resource. Boxed: an object takes the room of its own kind, not that of the largest.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $doc] $type(Box<$type>),)+
        }

        impl KindName {
            /// Every kind.
            pub const ALL: &'static [KindName] = &[$(KindName::$type,)+];

            /// The kind as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(KindName::$type => $text,)+ }
            }

            /// The kind in API paths.
            #[must_use]
            pub const fn plural(self) -> &'static str {
                match self { $(KindName::$type => $plural,)+ }
            }

            /// The API group.
            #[must_use]
            pub const fn group(self) -> &'static str {
                match self { $(KindName::$type => $group,)+ }
            }

            /// Accepted versions, the preferred one first.
            #[must_use]
            pub const fn versions(self) -> &'static [&'static str] {
                match self { $(KindName::$type => &[$($version,)+],)+ }
            }

            /// Whether its objects live in namespaces.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(KindName::$type => Scope::$scope,)+ }
            }

            /// How its objects are named.
            #[must_use]
            pub const fn name_rule(self) -> NameRule {
                match self { $(KindName::$type => NameRule::$rule,)+ }
            }

            /// Reads the content of an object whose defaults are filled in.
            ///
            /// # Errors
            /// When the object does not have the shape its schema promises.
            pub fn decode(self, object: &serde_json::Value) -> Result<Kind, serde_json::Error> {
                use serde::Deserialize as _;
                match self { $(KindName::$type => $type::deserialize(object).map(|content| Kind::$type(Box::new(content))),)+ }
            }
        }

        impl Kind {
            /// Which kind it is.
            #[must_use]
            pub const fn name(&self) -> KindName {
                match self { $(Kind::$type(_) => KindName::$type,)+ }
            }
        }

        $(
            impl KindType for $type {
                const NAME: KindName = KindName::$type;

                fn of(kind: &Kind) -> Option<&Self> {
                    if let Kind::$type(content) = kind { Some(content) } else { None }
                }
            }
        )+
    };
}

#[rustfmt::skip] // the table is the point
kinds! {
    //type             as written           in paths               group           versions          scope       names        doc
    Namespace,         "Namespace",         "namespaces",          CORE_GROUP,     ["v1"],            Cluster,    Label,       "A namespace.";
    Secret,            "Secret",            "secrets",             CORE_GROUP,     ["v1"],            Namespaced, Subdomain,   "Certificates and keys.";
    ConfigMap,         "ConfigMap",         "configmaps",          CORE_GROUP,     ["v1"],            Namespaced, Subdomain,   "Trust anchors and other text.";
    Service,           "Service",           "services",            CORE_GROUP,     ["v1"],            Namespaced, LetterLabel, "A name for a set of endpoints.";
    Pod,               "Pod",               "pods",                CORE_GROUP,     ["v1"],            Namespaced, Subdomain,   "Labels and address of a workload.";
    EndpointSlice,     "EndpointSlice",     "endpointslices",      "discovery.k8s.io", ["v1"],        Namespaced, Subdomain,   "Some addresses behind a Service.";
    GatewayClass,      "GatewayClass",      "gatewayclasses",      GATEWAY_GROUP,  ["v1"],            Cluster,    Subdomain,   "Which controller serves which Gateways.";
    Gateway,           "Gateway",           "gateways",            GATEWAY_GROUP,  ["v1"],            Namespaced, Subdomain,   "Addresses and listeners.";
    HttpRoute,         "HTTPRoute",         "httproutes",          GATEWAY_GROUP,  ["v1"],            Namespaced, Subdomain,   "Which requests go where.";
    TcpRoute,          "TCPRoute",          "tcproutes",           GATEWAY_GROUP,  ["v1", "v1alpha2"], Namespaced, Subdomain,  "Where connections go.";
    ReferenceGrant,    "ReferenceGrant",    "referencegrants",     GATEWAY_GROUP,  ["v1", "v1beta1"], Namespaced, Subdomain,   "Allows references from other namespaces.";
    BackendTlsPolicy,  "BackendTLSPolicy",  "backendtlspolicies",  GATEWAY_GROUP,  ["v1"],            Namespaced, Subdomain,   "TLS towards a Service.";
    Backend,           "Backend",           "backends",            MESH_GROUP,     ["v1alpha1"],      Namespaced, Subdomain,   "Addresses or DNS names with connection settings.";
    GatewayParameters, "GatewayParameters", "gatewayparameters",   MESH_GROUP,     ["v1alpha1"],      Namespaced, Subdomain,   "Trust, path policy, limits and logs of a Gateway.";
    ResiliencePolicy,  "ResiliencePolicy",  "resiliencepolicies",  POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "Timeouts, retries, limits and health of a destination.";
    FaultPolicy,       "FaultPolicy",       "faultpolicies",       POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "Delays and failures made on purpose.";
    TransformPolicy,   "TransformPolicy",   "transformpolicies",   POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "What is changed about messages on their way.";
    RateLimitPolicy,   "RateLimitPolicy",   "ratelimitpolicies",   POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "How often somebody may ask.";
    IpPolicy,          "IpPolicy",          "ippolicies",          POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "From which addresses somebody may ask.";
    CorsPolicy,        "CorsPolicy",        "corspolicies",        POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "Which other sites may call.";
    ValidationPolicy,  "ValidationPolicy",  "validationpolicies",  POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "What requests and answers must be like.";
    AuthenticationPolicy, "AuthenticationPolicy", "authenticationpolicies", POLICY_GROUP, ["v1alpha1"], Namespaced, Subdomain, "How callers prove who they are.";
    ExternalAuthorizationPolicy, "ExternalAuthorizationPolicy", "externalauthorizationpolicies", POLICY_GROUP, ["v1alpha1"], Namespaced, Subdomain, "Who else is asked whether a request may pass.";
    TelemetryPolicy,   "TelemetryPolicy",   "telemetrypolicies",   POLICY_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "Which requests are traced, and who is told.";
    AuthorizationPolicy, "AuthorizationPolicy", "authorizationpolicies", POLICY_GROUP, ["v1alpha1"], Namespaced, Subdomain,   "Who may do what.";
    Mesh,              "Mesh",              "meshes",              MESH_GROUP,     ["v1alpha1"],      Cluster,    Label,       "Who trusts whom, and what holds where nobody said otherwise.";
    Workload,          "Workload",          "workloads",           MESH_GROUP,     ["v1alpha1"],      Namespaced, Label,       "One replica: where it is and who it is.";
    Role,              "Role",              "roles",               RBAC_GROUP,     ["v1"],            Namespaced, Subdomain,   "What may be done in a namespace.";
    RoleBinding,       "RoleBinding",       "rolebindings",        RBAC_GROUP,     ["v1"],            Namespaced, Subdomain,   "Who has a role in a namespace.";
    ClusterRole,       "ClusterRole",       "clusterroles",        RBAC_GROUP,     ["v1"],            Cluster,    Subdomain,   "What may be done, where a binding says.";
    ClusterRoleBinding, "ClusterRoleBinding", "clusterrolebindings", RBAC_GROUP,   ["v1"],            Cluster,    Subdomain,   "Who has a role everywhere.";
    AccessToken,       "AccessToken",       "accesstokens",        ACCESS_GROUP,   ["v1alpha1"],      Cluster,    Subdomain,   "Whom a bearer token stands for.";
    JoinToken,         "JoinToken",         "jointokens",          ACCESS_GROUP,   ["v1alpha1"],      Namespaced, Subdomain,   "Which workload may ask for its first certificate.";
    TrustBundle,       "TrustBundle",       "trustbundles",        MESH_GROUP,     ["v1alpha1"],      Cluster,    Subdomain,   "Whose word counts in a mesh.";
    Api,               "API",               "apis",                PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Label,       "The name of an interface.";
    ApiVersion,        "APIVersion",        "apiversions",         PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "What clients call, and how long still.";
    ApiRevision,       "APIRevision",       "apirevisions",        PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "One description of a version, for good.";
    ApiBinding,        "APIBinding",        "apibindings",         PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "What answers the operations of a version.";
    ApiProduct,        "APIProduct",        "apiproducts",         PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "Operations that are had together.";
    Plan,              "Plan",              "plans",               PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "How much of a product a subscription is given.";
    Team,              "Team",              "teams",               PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "Who is asked, and billed, for applications.";
    Developer,         "Developer",         "developers",          PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "A person who works for teams.";
    Application,       "Application",       "applications",        PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "What calls APIs.";
    Subscription,      "Subscription",      "subscriptions",       PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "What an application may call, within the limits of a plan.";
    Credential,        "Credential",        "credentials",         PRODUCT_GROUP,  ["v1alpha1"],      Namespaced, Subdomain,   "By what an application is recognised.";
}

impl Kind {
    /// What a route attaches to; empty for everything that is no route.
    #[must_use]
    pub fn parent_refs(&self) -> &[references::ParentRef] {
        let of_requests = HttpRoute::of(self).map(|route| &route.spec.parent_refs);
        of_requests
            .or_else(|| ApiVersion::of(self).map(|version| &version.spec.parent_refs))
            .or_else(|| TcpRoute::of(self).map(|route| &route.spec.parent_refs))
            .map_or(&[], Vec::as_slice)
    }
}

impl KindName {
    /// The kind of a group with a name, if there is one.
    #[must_use]
    pub fn find(group: &str, kind: &str) -> Option<KindName> {
        KindName::ALL.iter().copied().find(|known| known.group() == group && known.as_str() == kind)
    }

    /// Whether its objects grow with customers. There may be millions of them, so they are kept as rows beside the
    /// snapshot, which never holds one, and reach proxies on a way of their own.
    #[must_use]
    pub const fn is_customer(self) -> bool {
        matches!(
            self,
            KindName::Team
                | KindName::Developer
                | KindName::Application
                | KindName::Subscription
                | KindName::Credential
        )
    }

    /// `apiVersion` of its preferred version.
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.versions()[0].to_owned(),
            group => format!("{group}/{}", self.versions()[0]),
        }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
