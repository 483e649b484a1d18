//! Who asks: tokens, certificates, and questions about oneself.

use control::api::tls::ClientName;
use serde_json::{Value, json};

use crate::server::Server;

const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const MAY_I: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[tokio::test]
async fn a_certificate_of_the_authority_names_its_holder() {
    let server = Server::start().await;
    let name = ClientName { user: "ben".into(), groups: vec!["editors".into()] };
    let pair = server.home.authority.client(&name, server.clock.now()).expect("a certificate");

    let review = server.client().showing(pair).post(REVIEW, &json!({})).await.fine();

    let user = &review["status"]["userInfo"];
    assert_eq!(user["username"], "ben");
    assert_eq!(user["groups"], json!(["editors", "system:authenticated"]));
}

#[tokio::test]
async fn a_wrong_token_is_refused_whatever_certificate_comes_with_it() {
    let server = Server::start().await;
    let name = ClientName { user: "ben".into(), groups: vec!["system:masters".into()] };
    let pair = server.home.authority.client(&name, server.clock.now()).expect("a certificate");

    let refused = server.client().bearing("wrong").showing(pair).get("/api").await;

    assert_eq!(refused.refusal(), (401, "Unauthorized".to_owned(), "Unauthorized".to_owned()));
}

#[tokio::test]
async fn people_may_ask_what_they_may() {
    let server = Server::start().await;
    let question = json!({ "spec": { "resourceAttributes": { "verb": "delete", "resource": "secrets", "namespace": "shop" } } });

    let of_admin = server.admin().post(MAY_I, &question).await.fine();
    let of_ana = server.user("ana", &[]).post(MAY_I, &question).await.fine();

    assert_eq!(of_admin["status"]["allowed"], true);
    assert_eq!(of_ana["status"]["allowed"], false);
    assert_eq!(of_admin["kind"], "SelfSubjectAccessReview");
    assert_eq!(of_admin["apiVersion"], "authorization.k8s.io/v1");
}

const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";

fn binding(role: &str, user: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    })
}

#[tokio::test]
async fn a_binding_gives_its_role_in_its_namespace_for_as_long_as_it_is_there() {
    let server = Server::start().await;
    let (admin, ana) = (server.admin(), server.user("ana", &[]));
    let code = async |path: &str| ana.get(path).await.code.as_u16();
    admin.post(BINDINGS, &binding("view", "ana")).await.fine();

    let here = code("/api/v1/namespaces/shop/configmaps").await;
    let elsewhere = code("/api/v1/namespaces/other/configmaps").await;
    let written = ana.post("/api/v1/namespaces/shop/configmaps", &json!({})).await.code.as_u16();
    admin.delete(&format!("{BINDINGS}/view")).await.fine();

    assert_eq!((here, elsewhere, written), (200, 403, 403));
    assert_eq!(code("/api/v1/namespaces/shop/configmaps").await, 403);
}

#[tokio::test]
async fn nobody_gives_away_what_they_do_not_have() {
    let server = Server::start().await;
    let (admin, ana) = (server.admin(), server.user("ana", &[]));
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "binder" },
        "rules": [{ "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create"] }],
    });
    admin.post("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles", &role).await.fine();
    let mut mine = binding("binder", "ana");
    mine["roleRef"]["kind"] = "Role".into();
    admin.post(BINDINGS, &mine).await.fine();

    let (code, reason, _) = ana.post(BINDINGS, &binding("edit", "ana")).await.refusal();

    assert_eq!((code, reason.as_str()), (403, "Forbidden"));
    assert_eq!(admin.get(&format!("{BINDINGS}/edit")).await.code.as_u16(), 404);
}

#[tokio::test]
async fn a_watch_ends_when_the_permission_is_taken_away() {
    let limits = control::api::Limits {
        bookmark_every: std::time::Duration::from_millis(20),
        ..control::api::Limits::default()
    };
    let server = Server::with(limits).await;
    let (admin, ana) = (server.admin(), server.user("ana", &[]));
    admin.post(BINDINGS, &binding("view", "ana")).await.fine();
    let mut events = ana.watch("/api/v1/namespaces/shop/configmaps?watch=true").await;

    admin.delete(&format!("{BINDINGS}/view")).await.fine();

    let last = events.next().await.expect("word of it");
    assert_eq!((&last["type"], &last["object"]["code"]), (&json!("ERROR"), &json!(403)));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn acting_as_somebody_else_is_refused_in_so_many_words() {
    let server = Server::start().await;
    let name = http::HeaderName::from_static("impersonate-user");

    let (code, _, message) = server.admin().with(name, "ana").get("/api").await.refusal();

    assert_eq!(code, 400);
    assert!(message.contains("impersonation is not supported"), "{message}");
}
