//! Every endpoint, asked by nobody, by somebody without rights, and by the administrator.
//!
//! The table below is written by hand and compared with the server's own: a new endpoint does not pass until somebody
//! has said here who may ask it.

use std::collections::BTreeSet;

use bytes::Bytes;
use control::api::routes::{Access, ROUTES};
use http::{Method, StatusCode};

use crate::server::Server;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anyone,
    Somebody,
    Allowed(&'static str),
}
use Who::{Allowed, Anyone, Somebody};

#[rustfmt::skip] // the table is the point
const EXPECTED: &[(&str, &str, Who)] = &[
    ("GET",    "healthz",                                                      Anyone),
    ("GET",    "livez",                                                        Anyone),
    ("GET",    "readyz",                                                       Anyone),
    ("GET",    "version",                                                      Anyone),
    ("GET",    "api",                                                          Somebody),
    ("GET",    "apis",                                                         Somebody),
    ("GET",    "apis/{group}",                                                 Somebody),
    ("GET",    "{root}",                                                       Somebody),
    ("GET",    "openapi/v2",                                                   Somebody),
    ("GET",    "openapi/v3",                                                   Somebody),
    ("GET",    "openapi/v3/{root}",                                            Somebody),
    ("POST",   "apis/authentication.k8s.io/v1/selfsubjectreviews",             Somebody),
    ("POST",   "apis/authorization.k8s.io/v1/selfsubjectaccessreviews",        Somebody),
    ("POST",   "apis/authorization.k8s.io/v1/selfsubjectrulesreviews",         Somebody),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/controlplanes",              Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/controlplanes/{name}",       Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/meshpictures",               Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/meshpictures/{name}",        Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/proxies",                    Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/proxies/{name}",             Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/routes",                     Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/namespaces/{namespace}/routes", Allowed("list")),
    ("GET",    "apis/status.selvedge.dev/v1alpha1/namespaces/{namespace}/routes/{name}", Allowed("list")),
    ("GET",    "api/v1/events",                                                Allowed("list")),
    ("GET",    "api/v1/namespaces/{namespace}/events",                         Allowed("list")),
    ("GET",    "{root}/{any}",                                                 Allowed("list")),
    ("POST",   "{root}/{cluster}",                                             Allowed("create")),
    ("DELETE", "{root}/{cluster}",                                             Allowed("deletecollection")),
    ("GET",    "{root}/{cluster}/{name}",                                      Allowed("get")),
    ("PUT",    "{root}/{cluster}/{name}",                                      Allowed("update")),
    ("PATCH",  "{root}/{cluster}/{name}",                                      Allowed("patch")),
    ("DELETE", "{root}/{cluster}/{name}",                                      Allowed("delete")),
    ("GET",    "{root}/{cluster}/{name}/status",                               Allowed("get")),
    ("PUT",    "{root}/{cluster}/{name}/status",                               Allowed("update")),
    ("PATCH",  "{root}/{cluster}/{name}/status",                               Allowed("patch")),
    ("GET",    "{root}/namespaces/{namespace}/{namespaced}",                   Allowed("list")),
    ("POST",   "{root}/namespaces/{namespace}/{namespaced}",                   Allowed("create")),
    ("DELETE", "{root}/namespaces/{namespace}/{namespaced}",                   Allowed("deletecollection")),
    ("GET",    "{root}/namespaces/{namespace}/{namespaced}/{name}",            Allowed("get")),
    ("PUT",    "{root}/namespaces/{namespace}/{namespaced}/{name}",            Allowed("update")),
    ("PATCH",  "{root}/namespaces/{namespace}/{namespaced}/{name}",            Allowed("patch")),
    ("DELETE", "{root}/namespaces/{namespace}/{namespaced}/{name}",            Allowed("delete")),
    ("GET",    "{root}/namespaces/{namespace}/{namespaced}/{name}/status",     Allowed("get")),
    ("PUT",    "{root}/namespaces/{namespace}/{namespaced}/{name}/status",     Allowed("update")),
    ("GET",    "{root}/namespaces/{namespace}/{namespaced}/{name}/quotas",     Allowed("get")),
    ("PATCH",  "{root}/namespaces/{namespace}/{namespaced}/{name}/status",     Allowed("patch")),
];

/// A path of the pattern, of a kind that has a status.
fn example(pattern: &str) -> String {
    let root = "apis/gateway.networking.k8s.io/v1";
    let path = pattern
        .replace("{root}", root)
        .replace("{group}", "gateway.networking.k8s.io")
        .replace("{any}", "gateways")
        .replace("{cluster}", "gatewayclasses")
        .replace("{namespaced}", "gateways")
        .replace("{namespace}", "shop")
        .replace("{name}", "edge");
    assert!(!path.contains('{'), "{pattern}: something in it has no example");
    format!("/{path}")
}

#[test]
fn every_endpoint_has_a_permission_that_somebody_has_thought_about() {
    let expected: BTreeSet<(String, &str)> =
        EXPECTED.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    let served: BTreeSet<(String, &str)> =
        ROUTES.iter().map(|route| (route.method.to_string(), route.path)).collect();

    let missing: Vec<_> = served.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&served).collect();

    assert!(missing.is_empty(), "say in this file who may ask: {missing:?}");
    assert!(gone.is_empty(), "these are no longer served: {gone:?}");
    for (method, path, who) in EXPECTED {
        let route = ROUTES.iter().find(|route| route.method == *method && route.path == *path);
        let access = route.map(|route| route.access);
        let wanted = match *who {
            Anyone => Access::Anyone,
            Somebody => Access::Authenticated,
            Allowed(verb) => Access::Verb(verb),
        };
        assert_eq!(access, Some(wanted), "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_gets_past_the_door_and_somebody_without_rights_no_further_than_the_documents() {
    let server = Server::start().await;
    let (nobody, ana) = (server.client(), server.user("ana", &["visitors"]));
    let method = |name: &str| name.parse::<Method>().expect("a method");

    for (name, pattern, who) in EXPECTED {
        let path = example(pattern);
        let ask = async |client: &crate::client::Client| {
            client.send(method(name), &path, Some("application/json"), Bytes::new()).await.code
        };

        let (of_nobody, of_ana) = (ask(&nobody).await, ask(&ana).await);

        let message = format!("{name} {path}");
        match who {
            Anyone => assert_eq!(of_nobody, StatusCode::OK, "{message}"),
            Somebody | Allowed(_) => assert_eq!(of_nobody, StatusCode::UNAUTHORIZED, "{message}"),
        }
        match who {
            Allowed(_) => assert_eq!(of_ana, StatusCode::FORBIDDEN, "{message}"),
            Anyone | Somebody => {
                assert!(![401, 403, 404, 405].contains(&of_ana.as_u16()), "{message}: {of_ana}");
            }
        }
    }
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_no_way_to_find_out_which_do() {
    let server = Server::start().await;

    let unknown = server.client().get("/apis/no.such.group/v1/things").await;

    assert_eq!(unknown.code, StatusCode::UNAUTHORIZED);
    assert_eq!(server.admin().get("/apis/no.such.group/v1/things").await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wish_that_is_denied_says_who_what_and_where_and_is_kept() {
    let server = Server::start().await;
    let ana = server.user("ana", &["visitors"]);

    let refused = ana.get("/api/v1/namespaces/shop/services/cart").await;
    let watching = ana.get("/api/v1/services?watch=true&fieldSelector=metadata.name%3Dcart").await;

    let (code, reason, message) = refused.refusal();
    assert_eq!((code, reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        message,
        "services \"cart\" is forbidden: User \"ana\" cannot get resource \"services\" in API group \"\" in the namespace \
         \"shop\""
    );
    assert_eq!(watching.code, StatusCode::FORBIDDEN);
    let store = server.world.store().clone();
    server.stop().await;
    let kept = store.audited(10).await.expect("the log");
    let lines: Vec<String> = kept
        .iter()
        .map(|entry| format!("{} {} {} {}", entry.who, entry.verb, entry.what, entry.outcome))
        .collect();
    assert!(lines.contains(&"ana get services shop/cart denied".to_owned()), "{lines:?}");
    assert!(lines.contains(&"ana watch services cart denied".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn what_is_written_and_what_fails_is_kept_with_who_did_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let map = serde_json::json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } });

    admin.post("/api/v1/namespaces/shop/configmaps", &map).await.fine();
    admin.post("/api/v1/namespaces/shop/configmaps", &map).await.refusal();

    let store = server.world.store().clone();
    server.stop().await;
    let kept = store.audited(10).await.expect("the log");
    let lines: Vec<String> = kept
        .iter()
        .map(|entry| format!("{} {} {} {}", entry.who, entry.verb, entry.what, entry.outcome))
        .collect();
    assert!(lines.contains(&"admin create configmaps shop/a allowed".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"admin create configmaps shop/ failed: 409 AlreadyExists".to_owned()),
        "{lines:?}"
    );
}
