//! Every path that is answered, as data.
//!
//! One table says which method on which path is which endpoint and who may ask. Serving reads it, and so does the test
//! that fails on an endpoint without a permission test: there is no second way in.

use http::Method;
use model::kinds::{KindName, Scope};
use percent_encoding::percent_decode_str;

use crate::told;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of Kubernetes' documents and verbs")]
pub enum Endpoint {
    Health,
    Version,
    CoreVersions,
    Groups,
    Group,
    Resources,
    OpenApiV2,
    OpenApiV3,
    OpenApiV3Document,
    SelfSubjectReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    ControlPlanes,
    MeshPictures,
    Proxies,
    RouteTraffic,
    Events,
    List,
    Create,
    DeleteCollection,
    Get,
    Replace,
    Patch,
    Delete,
    GetStatus,
    ReplaceStatus,
    PatchStatus,
    GetQuotas,
}

impl Endpoint {
    /// Whether it tells about the control plane and its proxies, and not about objects that are kept.
    #[must_use]
    pub fn tells_about_us(self) -> bool {
        matches!(
            self,
            Endpoint::ControlPlanes | Endpoint::MeshPictures | Endpoint::Proxies | Endpoint::RouteTraffic
        )
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without credentials too: it tells nothing but that we are here.
    Anyone,
    /// Everybody who is somebody: how to speak to us, and what is asked about oneself.
    Authenticated,
    /// Whoever may do this with the resource.
    Verb(&'static str),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, see [`ROUTES`].
    pub path: &'static str,
    /// What is done.
    pub endpoint: Endpoint,
    /// Who may ask.
    pub access: Access,
}

const fn route(method: Method, path: &'static str, endpoint: Endpoint, access: Access) -> Route {
    Route { method, path, endpoint, access }
}

/// The table. `{root}` stands for `api/v1` or `apis/{group}/{version}`; `{any}`, `{cluster}` and `{namespaced}` for the
/// plural of a kind there, by its scope; `{group}` and `{version}` for some that we have.
#[rustfmt::skip] // the table is the point
pub static ROUTES: &[Route] = &[
    route(Method::GET,    "healthz",                                                         Endpoint::Health,                 Access::Anyone),
    route(Method::GET,    "livez",                                                           Endpoint::Health,                 Access::Anyone),
    route(Method::GET,    "readyz",                                                          Endpoint::Health,                 Access::Anyone),
    route(Method::GET,    "version",                                                         Endpoint::Version,                Access::Anyone),
    route(Method::GET,    "api",                                                             Endpoint::CoreVersions,           Access::Authenticated),
    route(Method::GET,    "apis",                                                            Endpoint::Groups,                 Access::Authenticated),
    route(Method::GET,    "apis/{group}",                                                    Endpoint::Group,                  Access::Authenticated),
    route(Method::GET,    "{root}",                                                          Endpoint::Resources,              Access::Authenticated),
    route(Method::GET,    "openapi/v2",                                                      Endpoint::OpenApiV2,              Access::Authenticated),
    route(Method::GET,    "openapi/v3",                                                      Endpoint::OpenApiV3,              Access::Authenticated),
    route(Method::GET,    "openapi/v3/{root}",                                               Endpoint::OpenApiV3Document,      Access::Authenticated),
    route(Method::POST,   "apis/authentication.k8s.io/v1/selfsubjectreviews",                Endpoint::SelfSubjectReview,       Access::Authenticated),
    route(Method::POST,   "apis/authorization.k8s.io/v1/selfsubjectaccessreviews",           Endpoint::SelfSubjectAccessReview, Access::Authenticated),
    route(Method::POST,   "apis/authorization.k8s.io/v1/selfsubjectrulesreviews",            Endpoint::SelfSubjectRulesReview,  Access::Authenticated),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/controlplanes",                 Endpoint::ControlPlanes,          Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/controlplanes/{name}",          Endpoint::ControlPlanes,          Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/meshpictures",                  Endpoint::MeshPictures,           Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/meshpictures/{name}",           Endpoint::MeshPictures,           Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/proxies",                       Endpoint::Proxies,                Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/proxies/{name}",                Endpoint::Proxies,                Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/routes",                        Endpoint::RouteTraffic,           Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/namespaces/{namespace}/routes", Endpoint::RouteTraffic,           Access::Verb("list")),
    route(Method::GET,    "apis/status.selvedge.dev/v1alpha1/namespaces/{namespace}/routes/{name}", Endpoint::RouteTraffic,    Access::Verb("list")),
    route(Method::GET,    "api/v1/events",                                                   Endpoint::Events,                 Access::Verb("list")),
    route(Method::GET,    "api/v1/namespaces/{namespace}/events",                            Endpoint::Events,                 Access::Verb("list")),
    route(Method::GET,    "{root}/{any}",                                                    Endpoint::List,                   Access::Verb("list")),
    route(Method::POST,   "{root}/{cluster}",                                                Endpoint::Create,                 Access::Verb("create")),
    route(Method::DELETE, "{root}/{cluster}",                                                Endpoint::DeleteCollection,       Access::Verb("deletecollection")),
    route(Method::GET,    "{root}/{cluster}/{name}",                                         Endpoint::Get,                    Access::Verb("get")),
    route(Method::PUT,    "{root}/{cluster}/{name}",                                         Endpoint::Replace,                Access::Verb("update")),
    route(Method::PATCH,  "{root}/{cluster}/{name}",                                         Endpoint::Patch,                  Access::Verb("patch")),
    route(Method::DELETE, "{root}/{cluster}/{name}",                                         Endpoint::Delete,                 Access::Verb("delete")),
    route(Method::GET,    "{root}/{cluster}/{name}/status",                                  Endpoint::GetStatus,              Access::Verb("get")),
    route(Method::PUT,    "{root}/{cluster}/{name}/status",                                  Endpoint::ReplaceStatus,          Access::Verb("update")),
    route(Method::PATCH,  "{root}/{cluster}/{name}/status",                                  Endpoint::PatchStatus,            Access::Verb("patch")),
    route(Method::GET,    "{root}/namespaces/{namespace}/{namespaced}",                      Endpoint::List,                   Access::Verb("list")),
    route(Method::POST,   "{root}/namespaces/{namespace}/{namespaced}",                      Endpoint::Create,                 Access::Verb("create")),
    route(Method::DELETE, "{root}/namespaces/{namespace}/{namespaced}",                      Endpoint::DeleteCollection,       Access::Verb("deletecollection")),
    route(Method::GET,    "{root}/namespaces/{namespace}/{namespaced}/{name}",               Endpoint::Get,                    Access::Verb("get")),
    route(Method::PUT,    "{root}/namespaces/{namespace}/{namespaced}/{name}",               Endpoint::Replace,                Access::Verb("update")),
    route(Method::PATCH,  "{root}/namespaces/{namespace}/{namespaced}/{name}",               Endpoint::Patch,                  Access::Verb("patch")),
    route(Method::DELETE, "{root}/namespaces/{namespace}/{namespaced}/{name}",               Endpoint::Delete,                 Access::Verb("delete")),
    route(Method::GET,    "{root}/namespaces/{namespace}/{namespaced}/{name}/quotas",        Endpoint::GetQuotas,              Access::Verb("get")),
    route(Method::GET,    "{root}/namespaces/{namespace}/{namespaced}/{name}/status",        Endpoint::GetStatus,              Access::Verb("get")),
    route(Method::PUT,    "{root}/namespaces/{namespace}/{namespaced}/{name}/status",        Endpoint::ReplaceStatus,          Access::Verb("update")),
    route(Method::PATCH,  "{root}/namespaces/{namespace}/{namespaced}/{name}/status",        Endpoint::PatchStatus,            Access::Verb("patch")),
];

/// What a path speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// API group; `None` where the path names none, empty for the core group.
    pub group: Option<&'static str>,
    /// API version.
    pub version: Option<&'static str>,
    /// Kind.
    pub kind: Option<KindName>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// What a method and a path lead to.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// This.
    Found(&'static Route, Place),
    /// The path exists, the method does not; these do.
    OtherMethods(Vec<Method>),
    /// Nothing.
    Nothing,
}

/// Looks a path up; it begins with a slash and has no query. What can be asked for with GET can be asked for with HEAD
/// (RFC 9110, section 9.3.2).
#[must_use]
pub fn find(method: &Method, path: &str) -> Lookup {
    let Some(segments) = segments(path) else { return Lookup::Nothing };
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(place) = route.matches(&segments) else { continue };
        if route.method == *method {
            return Lookup::Found(route, place);
        }
        others.extend((route.method == Method::GET).then_some(Method::HEAD));
        others.push(route.method.clone());
    }
    if others.is_empty() { Lookup::Nothing } else { Lookup::OtherMethods(others) }
}

/// The decoded segments of a path; one slash at its end is passed over.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let decode = |segment: &str| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
    path.split('/').map(decode).collect()
}

impl Route {
    fn matches(&self, segments: &[String]) -> Option<Place> {
        let mut place = Place::default();
        let mut rest = segments;
        for expected in self.path.split('/') {
            rest = place.take(expected, rest)?;
        }
        rest.is_empty().then_some(place)
    }
}

impl Place {
    /// Takes what a part of a pattern stands for from the beginning of `segments`.
    fn take<'s>(&mut self, expected: &str, segments: &'s [String]) -> Option<&'s [String]> {
        if expected == "{root}" {
            return self.take_root(segments);
        }
        let (first, rest) = segments.split_first()?;
        match expected {
            "{group}" => self.group = Some(group(first)?),
            "{any}" => self.kind = Some(self.kind_called(first, None)?),
            "{cluster}" => self.kind = Some(self.kind_called(first, Some(Scope::Cluster))?),
            "{namespaced}" => self.kind = Some(self.kind_called(first, Some(Scope::Namespaced))?),
            "{namespace}" => self.namespace = Some(first.clone()),
            "{name}" => self.name = Some(first.clone()),
            literal => return (literal == first).then_some(rest),
        }
        Some(rest)
    }

    fn take_root<'s>(&mut self, segments: &'s [String]) -> Option<&'s [String]> {
        let (group_name, version, rest) = match segments {
            [api, version, rest @ ..] if api == "api" => ("", version, rest),
            [apis, group, version, rest @ ..] if apis == "apis" && !group.is_empty() => {
                (group.as_str(), version, rest)
            }
            _ => return None,
        };
        let group = group(group_name)?;
        let of_group = KindName::ALL.iter().filter(|kind| kind.group() == group);
        let ours = (group == told::GROUP).then_some(told::VERSION);
        let known =
            of_group.flat_map(|kind| kind.versions()).copied().chain(ours).find(|known| known == version)?;
        (self.group, self.version) = (Some(group), Some(known));
        Some(rest)
    }

    fn kind_called(&self, plural: &str, scope: Option<Scope>) -> Option<KindName> {
        let (group, version) = (self.group?, self.version?);
        KindName::ALL.iter().copied().find(|kind| {
            kind.plural() == plural
                && kind.group() == group
                && kind.versions().contains(&version)
                && scope.is_none_or(|scope| kind.scope() == scope)
        })
    }
}

fn group(name: &str) -> Option<&'static str> {
    KindName::ALL.iter().map(|kind| kind.group()).chain([told::GROUP]).find(|group| *group == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Option<(Endpoint, Place)> {
        match find(method, path) {
            Lookup::Found(route, place) => Some((route.endpoint, place)),
            Lookup::OtherMethods(_) | Lookup::Nothing => None,
        }
    }

    #[test]
    fn a_path_names_kind_namespace_and_object() {
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/checkout/status";

        let (endpoint, place) = found(&Method::PATCH, path).expect("a route");

        assert_eq!(endpoint, Endpoint::PatchStatus);
        assert_eq!(place.kind, Some(KindName::HttpRoute));
        assert_eq!(place.version, Some("v1"));
        assert_eq!((place.namespace.as_deref(), place.name.as_deref()), (Some("shop"), Some("checkout")));
    }

    #[test]
    fn namespaces_are_objects_and_places_of_objects() {
        let (endpoint, place) = found(&Method::GET, "/api/v1/namespaces/shop").expect("a route");
        assert_eq!((endpoint, place.kind), (Endpoint::Get, Some(KindName::Namespace)));
        assert_eq!(place.namespace, None);

        let (endpoint, place) = found(&Method::GET, "/api/v1/namespaces/shop/services/").expect("a route");
        assert_eq!((endpoint, place.kind), (Endpoint::List, Some(KindName::Service)));
        assert_eq!(place.namespace.as_deref(), Some("shop"));

        let (endpoint, _) = found(&Method::GET, "/api/v1/namespaces/shop/status").expect("a route");
        assert_eq!(endpoint, Endpoint::GetStatus);
    }

    #[test]
    fn a_kind_is_served_in_its_versions_only() {
        let root = "/apis/gateway.networking.k8s.io";

        assert!(found(&Method::GET, &format!("{root}/v1beta1/referencegrants")).is_some());
        assert!(found(&Method::GET, &format!("{root}/v1beta1/gateways")).is_none());
        assert!(found(&Method::GET, &format!("{root}/v9")).is_none());
        assert!(found(&Method::GET, "/apis//v1/services").is_none(), "the core group has a root of its own");
    }

    #[test]
    fn a_method_that_a_path_does_not_have_is_told_from_a_path_that_does_not_exist() {
        // Objects of namespaces are not made across all of them.
        assert!(
            matches!(find(&Method::POST, "/api/v1/services"), Lookup::OtherMethods(others) if others == [Method::HEAD, Method::GET])
        );
        assert!(matches!(find(&Method::GET, "/api/v1/nodes"), Lookup::Nothing));
        assert!(matches!(find(&Method::GET, "/"), Lookup::Nothing));
        assert!(matches!(find(&Method::GET, "/api/v1/services/%ff"), Lookup::Nothing));
    }
}
