//! What people call kinds: `HTTPRoute`, `httproutes`, `httproute`, `gw`.

use client::ApiKind;
use model::kinds::KindName;
use model::suggest;

use crate::exit::{Exit, Failure};

/// Group of what the control plane tells about itself.
pub const STATUS_GROUP: &str = "status.selvedge.dev";
/// Its version.
const STATUS_VERSION: &str = "v1alpha1";
/// Proxies that the control plane knows; see `docs/status-api.md`.
pub const PROXY: ApiKind = ApiKind::new(STATUS_GROUP, STATUS_VERSION, "Proxy", "proxies", false);
/// The control plane that answers; see `docs/status-api.md`.
pub const CONTROL_PLANE: ApiKind =
    ApiKind::new(STATUS_GROUP, STATUS_VERSION, "ControlPlane", "controlplanes", false);
/// The mesh as a picture; see `docs/status-api.md`.
pub const MESH_PICTURE: ApiKind =
    ApiKind::new(STATUS_GROUP, STATUS_VERSION, "MeshPicture", "meshpictures", false);
/// Live rates of routes; see `docs/status-api.md`.
pub const ROUTE_TRAFFIC: ApiKind = ApiKind::new(STATUS_GROUP, STATUS_VERSION, "RouteTraffic", "routes", true);

/// A kind with all that people call it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The kind.
    pub kind: ApiKind,
    /// Its short names.
    pub short: &'static [&'static str],
}

/// Every kind there is.
pub fn all() -> Vec<Known> {
    let known = |kind: KindName| Known { kind: kind.into(), short: short_names(kind) };
    let mut all: Vec<Known> = KindName::ALL.iter().copied().map(known).collect();
    all.push(Known { kind: PROXY, short: &[] });
    all.push(Known { kind: MESH_PICTURE, short: &[] });
    all.push(Known { kind: ROUTE_TRAFFIC, short: &[] });
    all
}

/// The kinds of the model and no others, for commands that change something.
pub fn of_model(kind: &ApiKind) -> Option<KindName> {
    KindName::find(&kind.group, &kind.kind)
}

/// The short names that `kubectl` has for the kinds of Kubernetes and of Gateway API, and ours.
fn short_names(kind: KindName) -> &'static [&'static str] {
    match kind {
        KindName::Namespace => &["ns"],
        KindName::ConfigMap => &["cm"],
        KindName::Service => &["svc"],
        KindName::Pod => &["po"],
        KindName::EndpointSlice => &["eps"],
        KindName::GatewayClass => &["gc"],
        KindName::Gateway => &["gw", "gtw"],
        KindName::HttpRoute => &["hr"],
        KindName::TcpRoute => &["tr"],
        KindName::ReferenceGrant => &["refgrant"],
        KindName::BackendTlsPolicy => &["btlspolicy"],
        KindName::AuthenticationPolicy => &["authn"],
        KindName::ExternalAuthorizationPolicy => &["extauthz"],
        KindName::AuthorizationPolicy => &["authz"],
        KindName::Backend => &["be"],
        KindName::GatewayParameters => &["gwp"],
        KindName::ResiliencePolicy => &["rp"],
        KindName::FaultPolicy => &["fp"],
        KindName::TelemetryPolicy => &["tp"],
        KindName::TransformPolicy => &["xfp"],
        KindName::RateLimitPolicy => &["rlp"],
        KindName::IpPolicy => &["ipp"],
        KindName::CorsPolicy => &["corsp"],
        KindName::ValidationPolicy => &["vp"],
        KindName::Workload => &["wl"],
        KindName::Developer => &["dev"],
        KindName::Application => &["app", "apps"],
        KindName::Subscription => &["sub", "subs"],
        KindName::Credential => &["cred", "creds"],
        KindName::Secret
        | KindName::Mesh
        | KindName::Role
        | KindName::RoleBinding
        | KindName::ClusterRole
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

impl Known {
    fn answers_to(&self, word: &str) -> bool {
        let singular = self.kind.kind.to_ascii_lowercase();
        let word = word.to_ascii_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, ""));
        let named = name == singular || name == self.kind.plural || self.short.contains(&name);
        named && (group.is_empty() || group == self.kind.group)
    }
}

/// The kind that a word means.
pub fn find(word: &str) -> Result<ApiKind, Failure> {
    let all = all();
    if let Some(known) = all.iter().find(|known| known.answers_to(word)) {
        return Ok(known.kind.clone());
    }
    let lower = word.to_ascii_lowercase();
    let singulars: Vec<String> = all.iter().map(|known| known.kind.kind.to_ascii_lowercase()).collect();
    let plurals = all.iter().map(|known| &*known.kind.plural);
    let names = singulars.iter().map(String::as_str).chain(plurals);
    let hint = suggest::did_you_mean(&lower, names).unwrap_or_else(|| {
        let kinds: Vec<&str> = all.iter().map(|known| &*known.kind.plural).collect();
        format!("there are: {}", kinds.join(", "))
    });
    Err(Failure::new(Exit::Usage, format!("there is no kind `{word}`"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_answers_to_every_name_people_have_for_it() {
        for word in ["HTTPRoute", "httproutes", "httproute", "HR", "httproutes.gateway.networking.k8s.io"] {
            assert_eq!(find(word).expect(word).kind, "HTTPRoute");
        }
        assert_eq!(find("gw").expect("a kind").kind, "Gateway");
        assert_eq!(find("svc").expect("a kind").kind, "Service");
        assert_eq!(find("proxies").expect("a kind").group, STATUS_GROUP);
    }

    #[test]
    fn no_name_means_two_kinds() {
        let all = all();
        for known in &all {
            let kind = &known.kind;
            let names = [kind.kind.to_ascii_lowercase(), kind.plural.to_string()];
            for name in names.iter().map(String::as_str).chain(known.short.iter().copied()) {
                let found: Vec<_> = all.iter().filter(|other| other.answers_to(name)).collect();
                assert_eq!(found.len(), 1, "`{name}` is {found:?}");
            }
        }
    }

    #[test]
    fn a_slip_is_guessed_and_a_stranger_is_shown_what_there_is() {
        assert!(find("htproute").expect_err("a slip").to_string().contains("did you mean `httproute`?"));
        assert!(find("deployments").expect_err("a stranger").to_string().contains("there are: namespaces"));
    }
}
