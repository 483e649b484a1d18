//! AuthorizationPolicy through a real gateway: by method, path, header and address; what is told; what is denied when it
//! cannot be read. B5, B6, B7.

use std::sync::Arc;

use crate::stage::HOST;
use discovery::messages::Content;
use discovery::{Change, Object, ObjectName, TypeName, View};
use model::yaml;
use serde_json::{Value, json};
use tests::client::{RawClient, exchange, fetch, fetch_with, get};
use tests::control::Follower;
use tests::gateway::Gateway;
use tests::newer::Newer;
use tests::scene::Scene;
use tests::upstream::Upstream;

/// A gateway with one route and these policies in its namespace.
async fn guarded(policies: &[(&str, Value)]) -> (Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    for (name, spec) in policies {
        scene.policy(name, spec.clone());
    }
    (scene.start().await, upstream)
}

fn allow(rules: Value) -> Value {
    json!({ "action": "Allow", "rules": rules })
}

fn deny(rules: Value) -> Value {
    json!({ "action": "Deny", "rules": rules })
}

async fn status(gateway: &Gateway, method: &str, target: &str, more: &str) -> u16 {
    let request = get(HOST, target, more).replacen("GET", method, 1);
    exchange(gateway.entry, request).await.expect("an answer").status
}

#[tokio::test]
async fn where_an_allow_applies_one_must_match_and_a_deny_comes_first() {
    let (gateway, upstream) = guarded(&[
        ("readers", allow(json!([{ "name": "read", "to": [{ "methods": ["GET"], "paths": ["/items", "/items/*"] }] }]))),
        ("writers", allow(json!([{ "to": [{ "methods": ["POST"] }], "when": [{ "header": "X-Role", "values": ["writer"] }] }]))),
        ("secret", deny(json!([{ "name": "hidden", "to": [{ "paths": ["/items/secret"] }] }]))),
    ])
    .await;

    assert_eq!(status(&gateway, "GET", "/items/1", "").await, 200);
    assert_eq!(status(&gateway, "POST", "/items", "X-Role: writer\r\nContent-Length: 0\r\n").await, 200);
    assert_eq!(status(&gateway, "POST", "/items", "Content-Length: 0\r\n").await, 403);
    assert_eq!(status(&gateway, "GET", "/other", "").await, 403);
    assert_eq!(status(&gateway, "get", "/items/1", "").await, 400, "no method has small letters");
    assert_eq!(status(&gateway, "GET", "/items/secret", "").await, 403);
    assert_eq!(upstream.lines(), ["GET /items/1", "POST /items"], "nothing that was denied went on");

    let answer = fetch(gateway.entry, HOST, "/items/secret").await;
    assert_eq!(answer.is_failure(403, "denied_by_policy"), Ok(()));
    let line = gateway.logged("the denial", |line| line["path"] == "/items/secret").await;
    assert_eq!(
        (&line["policy"], &line["policy_rule"]),
        (&json!("default/secret"), &json!("hidden")),
        "{line}"
    );
    let line = gateway.logged("the lack of a permission", |line| line["path"] == "/other").await;
    assert_eq!((&line["policy"], &line["policy_rule"]), (&json!("default/readers"), &Value::Null), "{line}");
    let metrics = gateway.admin("/metrics").await.text();
    let counted =
        "selvedge_policy_decisions_total{policy=\"default/secret\",action=\"Deny\",rule=\"hidden\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("selvedge_failures_total{code=\"denied_by_policy\"}"), "{metrics}");
}

#[tokio::test]
async fn an_audit_is_told_and_decides_nothing() {
    let audit =
        json!({ "action": "Audit", "rules": [{ "name": "would-deny", "to": [{ "paths": ["/legacy/*"] }] }] });
    let (gateway, _upstream) = guarded(&[("old", audit)]).await;

    assert_eq!(fetch(gateway.entry, HOST, "/legacy/x").await.status, 200);

    let line = gateway.logged("the audit", |line| line["path"] == "/legacy/x").await;
    assert_eq!(line["audit"], json!([{ "policy": "default/old", "policy_rule": "would-deny" }]));
}

#[tokio::test]
async fn who_speaks_grpc_is_refused_in_its_terms() {
    let (gateway, _upstream) = guarded(&[("nothing", allow(json!([])))]).await;

    let answer = fetch_with(gateway.entry, HOST, "/a.B/C", "Content-Type: application/grpc\r\n").await;

    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("7")));
    assert!(answer.header("grpc-message").is_some_and(|text| text.starts_with("denied_by_policy")));
}

#[tokio::test]
async fn a_value_that_is_no_text_is_not_what_it_must_be() {
    let (gateway, upstream) =
        guarded(&[("tenant", deny(json!([{ "when": [{ "header": "x-tenant", "notValues": ["good"] }] }])))])
            .await;
    let ask = |value: &'static [u8]| {
        let mut request = b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Tenant: ".to_vec();
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n\r\n");
        let entry = gateway.entry;
        async move { exchange(entry, request).await.expect("an answer").status }
    };

    assert_eq!(ask(b"good").await, 200);
    for value in [&b"\xff"[..], b"good\xff", b"\xffgood", b"", b"bad"] {
        assert_eq!(ask(value).await, 403, "{value:?}");
    }
    assert_eq!(fetch(gateway.entry, HOST, "/").await.status, 403, "without the header nobody knows");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn several_values_are_one_list_however_they_are_sent() {
    let when = |values: &str| json!([{ "when": [{ "header": "x-role", "values": [values] }] }]);
    let (may, _one) = guarded(&[("may", allow(when("user")))]).await;
    let (may_not, _two) = guarded(&[("may-not", deny(when("admin")))]).await;

    for (lines, only_users, no_admin) in [
        ("X-Role: user\r\n", 200, 200),
        ("X-Role: user\r\nX-Role: user\r\n", 200, 200),
        ("X-Role: user, user\r\n", 200, 200),
        ("X-Role: user\r\nX-Role: admin\r\n", 403, 403),
        ("X-Role: user,admin\r\n", 403, 403),
        ("X-Role: admin , user\r\n", 403, 403),
        ("X-Role:\r\nX-Role: admin\r\n", 403, 403),
        ("X-Role:\r\nX-Role: user\r\n", 403, 200),
        ("X-Role: administrator\r\n", 403, 200),
        ("", 403, 200),
    ] {
        assert_eq!(fetch_with(may.entry, HOST, "/", lines).await.status, only_users, "allow user: {lines:?}");
        assert_eq!(
            fetch_with(may_not.entry, HOST, "/", lines).await.status,
            no_admin,
            "deny admin: {lines:?}"
        );
    }
}

#[tokio::test]
async fn a_header_that_ends_here_and_a_trailer_are_not_seen() {
    let (gateway, _upstream) =
        guarded(&[("role", allow(json!([{ "when": [{ "header": "x-role", "values": ["user"] }] }])))]).await;

    let listed = fetch_with(gateway.entry, HOST, "/", "Connection: x-role\r\nX-Role: user\r\n").await;
    let mut client = RawClient::connect(gateway.entry).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTrailer: x-role\r\n\r\n0\r\nX-Role: user\r\n\r\n")
        .await;
    let trailer = client.answer_to("POST").await;

    assert_eq!((listed.status, trailer.status), (403, 403));
}

#[tokio::test]
async fn addresses_are_those_that_trusted_proxies_vouch_for() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    scene.parameters(json!({ "trustedHops": 1 }));
    scene.policy(
        "inside",
        allow(json!([{ "from": [{ "ipBlocks": ["10.0.0.0/8"], "notIpBlocks": ["10.6.6.0/24"] }] }])),
    );
    let gateway = scene.start().await;

    for (chain, status) in [
        ("10.1.2.3", 200),
        ("6.6.6.6, 10.1.2.3", 200),
        ("10.1.2.3, 6.6.6.6", 403),
        ("10.6.6.7", 403),
        ("unknown", 403),
        ("10.1.2.3:80", 403),
        ("::ffff:10.1.2.3", 200),
    ] {
        let lines = format!("X-Forwarded-For: {chain}\r\n");
        assert_eq!(fetch_with(gateway.entry, HOST, "/", &lines).await.status, status, "{chain}");
    }
    assert_eq!(fetch(gateway.entry, HOST, "/").await.status, 403, "127.0.0.1 itself is not inside");
}

#[tokio::test]
async fn a_preflight_that_the_route_answers_passes_and_the_request_behind_it_does_not() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.route("all", json!({ "rules": [{
        "filters": [{ "type": "CORS", "cors": { "allowOrigins": ["https://app.example"], "allowMethods": ["GET"] } }],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }));
    scene.policy("nobody", allow(json!([])));
    let gateway = scene.start().await;
    let preflight = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n";

    assert_eq!(status(&gateway, "OPTIONS", "/", preflight).await, 204);
    assert_eq!(status(&gateway, "OPTIONS", "/", "Access-Control-Request-Method: GET\r\n").await, 403);
    assert_eq!(status(&gateway, "GET", "/", "Origin: https://app.example\r\n").await, 403);
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn an_edit_of_a_policy_applies_to_the_next_request_of_an_open_connection() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    let gateway = scene.start().await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get(HOST, "/first", "")).await;
    assert_eq!(client.answer().await.status, 200);

    scene.policy("closed", deny(json!([{}])));
    gateway.edit(&scene.yaml()).await;
    gateway.until(HOST, "/", |answer| answer.status == 403).await;

    client.send(get(HOST, "/second", "")).await;
    assert_eq!(client.answer().await.is_failure(403, "denied_by_policy"), Ok(()));
    scene.remove("AuthorizationPolicy", "closed");
    gateway.edit(&scene.yaml()).await;
    gateway.until(HOST, "/", |answer| answer.status == 200).await;
}

fn objects(scene: &Scene) -> Vec<Change> {
    let read = yaml::read(&scene.yaml(), "spec.yaml");
    let encode = |resource| Change::Put(Arc::new(control::view::encode(resource)));
    read.resources.iter().map(encode).collect()
}

fn unreadable(name: &str, parents: &[&str]) -> Change {
    let json = br#"{ "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy", "spec": { "action": "Maybe" } }"#;
    let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
    let name = ObjectName { of: TypeName::new("AuthorizationPolicy"), name: name.into() };
    Change::Put(Arc::new(Object::new(name, &Content { json: json.to_vec().into(), parents, denies: true })))
}

#[tokio::test]
async fn a_policy_that_a_proxy_cannot_read_denies_on_its_targets_at_once_and_nowhere_else() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    scene.route("other", json!({ "hostnames": ["other.example"], "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    scene.policy(
        "may",
        json!({
            "action": "Allow", "rules": [{}],
            "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "all" }],
        }),
    );
    let newer = Newer::start(View::empty(1).next(2, objects(&scene))).await;
    let follower = Follower::start(newer.gateway("edge-1"), scene.entry()).await;
    follower.reaches(2).await;
    assert_eq!(fetch(follower.entry, HOST, "/before").await.status, 200);

    newer.push(vec![unreadable("default/may", &["HTTPRoute/default/all"])]);
    follower.reaches(3).await;

    assert_eq!(fetch(follower.entry, HOST, "/denied").await.is_failure(403, "denied_by_policy"), Ok(()));
    assert_eq!(fetch(follower.entry, "other.example", "/untouched").await.status, 200);

    newer.push(vec![unreadable("default/may", &[])]);
    follower.reaches(4).await;
    assert_eq!(
        fetch(follower.entry, "other.example", "/denied").await.status,
        403,
        "nobody knows what was meant"
    );

    newer.push(vec![Change::Removed(ObjectName {
        of: TypeName::new("AuthorizationPolicy"),
        name: "default/may".into(),
    })]);
    follower.reaches(5).await;
    assert_eq!(fetch(follower.entry, HOST, "/after").await.status, 200);
}
