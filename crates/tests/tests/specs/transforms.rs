//! Messages changed on their way through a real gateway: what policies make of them, what shims make of the requests
//! of old clients, and what becomes of messages with which it cannot be done.

use apis::cases::{self, Answered, Expected};
use apis::{Description, Document};
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{RawClient, exchange, fetch, fetch_with};
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, request};
use tests::scene::Scene;
use tests::script;
use tests::upstream::Upstream;

const HOST: &str = "a.example";
const OLD: &str = include_str!("../../../../examples/shim/pets-1.yaml");
const NEW: &str = include_str!("../../../../examples/shim/pets-2.yaml");
const BINDING: &str = include_str!("../../../../examples/shim/binding.yaml");

fn product(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

fn policy(name: &str, kind: &str, target: &str, mut spec: Value) -> Value {
    let group = if kind == "APIVersion" { "product.selvedge.dev" } else { "gateway.networking.k8s.io" };
    spec["targetRefs"] = json!([{ "group": group, "kind": kind, "name": target }]);
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "TransformPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

/// Version 1 at `/v1`, version 2 at `/v2`.
fn version(scene: &mut Scene, label: &str, description: &str, binding: Value) {
    let name = format!("pets-{label}");
    let revision = format!("{name}-1");
    let documents = json!([{ "name": "pets.yaml", "content": description }]);
    scene.remove("API", "pets");
    scene.document(product("API", "pets", json!({ "protocol": "REST" })));
    scene.document(product(
        "APIVersion",
        &name,
        json!({
            "api": "pets", "label": label, "state": "Published", "revision": revision,
            "parentRefs": [{ "name": "edge" }], "basePath": format!("/{label}"),
        }),
    ));
    scene.document(product(
        "APIRevision",
        &revision,
        json!({ "api": "pets", "version": name, "documents": documents }),
    ));
    scene.document(binding);
}

/// Clients of version 1, the example's binding, and what speaks version 2.
fn shimmed(scene: &mut Scene, animals: std::net::SocketAddr) {
    scene.service("animals", &[animals]);
    let binding = model::yaml::read_plain(BINDING).expect("a binding");
    version(scene, "v1", OLD, binding);
}

async fn send(gateway: &Gateway, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(gateway.entry, text).await.expect("an answer")
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn every_call_of_an_old_client_is_served_by_an_upstream_of_the_new_version() {
    let mut scene = Scene::new();
    let entry = scene.http();
    // What speaks version 2 is a mock that refuses whatever does not keep to it, behind a socket like any upstream.
    let mock = json!({ "version": "pets-v2", "default": { "mock": { "dynamic": true } } });
    version(&mut scene, "v2", NEW, product("APIBinding", "pets-v2", mock));
    shimmed(&mut scene, entry);
    let gateway = scene.start().await;
    let old = Description::read(&[Document::new("pets-1.yaml", OLD)]).expect("a description");

    let mut served = 0;
    for case in cases::of(&old, &[], 7).into_iter().filter(|case| case.expected == Expected::Taken) {
        let lines: String = case.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let body = String::from_utf8(case.body.clone()).expect("text");
        let answer = send(&gateway, &case.method, &format!("/v1{}", case.target), &lines, &body).await;

        let headers: Vec<(&str, &str)> =
            answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let operation = old.operation(case.operation.as_str()).expect("its operation");
        let answered = Answered { status: answer.status, headers: &headers, body: &answer.body };
        assert_eq!(case.verdict(operation, answered), [], "{case:?}: {}", answer.text());
        assert_eq!(answer.status, 200, "{case:?}: {}", answer.text());
        served += 1;
    }
    assert!(served >= 9, "{served} calls");

    let mut client = RawClient::connect(gateway.entry).await;
    client.send(format!("HEAD /v1/pets/7 HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert_eq!(client.answer_to("HEAD").await.status, 200);
    let raw = send(&gateway, "POST", "/v2/animals", JSON, r#"{"id":1}"#).await;
    assert_eq!(raw.status, 405, "version 2 itself is as it was");
}

#[tokio::test]
async fn an_upstream_sees_the_new_version_and_the_log_the_old_one() {
    let animal = br#"{"id":"7","title":"Rex","status":"SOLD","species":"dog"}"#;
    let fields = [("content-type", "application/json"), ("etag", "\"1\""), ("content-md5", "x")];
    let upstream = Upstream::scripted(move |_| script::answer("201 Created", &fields, animal)).await;
    let mut scene = Scene::new();
    scene.http();
    shimmed(&mut scene, upstream.address);
    let gateway = scene.start().await;

    let answer =
        send(&gateway, "POST", "/v1/pets?x=1", JSON, r#"{"id":7,"name":"Rex","state":"sold"}"#).await;

    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"id":7,"name":"Rex","state":"sold"}"#));
    assert_eq!((answer.header("etag"), answer.header("content-md5")), (Some("\"1\""), None));
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/v2/animals?x=1"));
    let sent: Value = serde_json::from_slice(&seen.body).expect("JSON");
    assert_eq!(sent, json!({ "id": "7", "title": "Rex", "status": "SOLD", "species": "cat" }));
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    let logged = gateway.logged("the call", |line| line["status"] == 200).await;
    assert_eq!((&logged["method"], &logged["path"]), (&json!("POST"), &json!("/v1/pets")));

    let lost = send(&gateway, "POST", "/v1/pets", JSON, r#"{"id":7,"name":"Rex","state":"lost"}"#).await;
    assert_eq!(lost.is_failure(422, "transform_impossible"), Ok(()));
    let logged = gateway.logged("a refusal", |line| line["failure"] == "transform_impossible").await;
    assert_eq!(logged["transform"], "shim of default/pets-v1");
    assert!(logged["untransformed"].as_str().is_some_and(|text| text.contains("/status")), "{logged}");
    assert_eq!(upstream.requests().len(), 1, "what cannot be changed goes nowhere");
}

#[tokio::test]
async fn policies_of_gateway_and_route_change_requests_one_after_the_other_and_answers_backwards() {
    let fields = [("content-type", "application/json"), ("x-internal", "1")];
    let body = br#"{"items":[{"id":1,"cost":2},{"id":2}]}"#;
    let upstream = Upstream::scripted(move |_| script::answer("200 OK", &fields, body)).await;
    let mut scene = Scene::forwarding(&upstream);
    let seen = json!({ "add": [{ "name": "x-seen", "value": "gateway" }] });
    let wrap = json!([{ "body": [{ "wrap": { "at": "", "key": "outer" } }], "headers": seen }]);
    scene.document(policy(
        "all",
        "Gateway",
        "edge",
        json!({ "request": { "headers": { "set": [{ "name": "x-first", "value": "gateway" }] } }, "responses": wrap }),
    ));
    scene.document(policy(
        "one",
        "HTTPRoute",
        "all",
        json!({
            "request": {
                "path": { "from": "/orders/{id}", "to": "/v2/{id}/order" },
                "moves": [{ "from": { "query": "tenant" }, "to": { "header": "X-Tenant" } }],
                "query": { "default": [{ "name": "size", "value": "50" }] },
                "headers": { "rename": [{ "from": "x-first", "to": "x-second" }], "remove": ["x-debug"] },
                "body": [{ "rename": { "at": "/customer", "to": "buyer" } }],
            },
            "responses": [{
                "headers": { "remove": ["x-internal"] },
                "body": [{ "remove": { "at": "/items/*/cost" } }],
            }],
        }),
    ));
    let gateway = scene.start().await;
    let lines = "Content-Type: application/json\r\nX-Debug: 1\r\nX-Tenant: forged\r\nRange: bytes=0-1\r\n";

    let answer =
        send(&gateway, "POST", "/orders/a%20b?tenant=t1", lines, r#"{"customer":"c","n":1.50}"#).await;

    let seen = upstream.last();
    assert_eq!(seen.target, "/v2/a%20b/order?size=50");
    assert_eq!((seen.header_all("x-tenant"), seen.header("x-second")), (vec!["t1"], Some("gateway")));
    assert_eq!((seen.header("x-first"), seen.header("x-debug"), seen.header("range")), (None, None, None));
    assert_eq!(seen.body, br#"{"n":1.5,"buyer":"c"}"#);
    assert_eq!(answer.text(), r#"{"outer":{"items":[{"id":1},{"id":2}]}}"#);
    assert_eq!((answer.header("x-internal"), answer.header("x-seen")), (None, Some("gateway")));

    let mut client = H2Client::connect(gateway.entry).await;
    let mut head = request("POST", HOST, "/orders/7");
    head.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
    let answer = client.exchange(head, br#"{"customer":"h2"}"#, None).await.expect("an answer");
    assert_eq!((answer.status, upstream.last().body), (200, br#"{"buyer":"h2"}"#.to_vec()));
    assert!(answer.text().starts_with(r#"{"outer":"#), "{}", answer.text());
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_by_name() {
    let upstream = Upstream::scripted(|request| match request.target.as_str() {
        "/text" => script::answer("200 OK", &[("content-type", "text/plain")], b"text"),
        "/broken" => script::answer("200 OK", &[("content-type", "application/json")], b"{"),
        "/list" => script::answer("200 OK", &[("content-type", "application/json")], br#"{"id":[]}"#),
        "/large" => script::answer("200 OK", &[("content-type", "application/json")], &[b' '; 2000]),
        "/missing" => script::answer("404 Not Found", &[("content-type", "text/html")], b"<p>"),
        _ => script::honest(request),
    })
    .await;
    let mut scene = Scene::forwarding(&upstream);
    let steps = json!([{ "type": { "at": "/id", "to": "Integer" } }]);
    let spec =
        json!({ "bodyBytesMax": 1000, "request": { "body": steps }, "responses": [{ "body": steps }] });
    scene.document(policy("all", "Gateway", "edge", spec.clone()));
    let gateway = scene.start().await;

    for (lines, body, status, code) in [
        (JSON, "{", 400, "body_not_json"),
        (JSON, "{\"id\":0.1234567890123456789}", 400, "body_not_json"),
        (JSON, "{\"id\":\"x\"}", 422, "transform_impossible"),
        ("Content-Type: text/plain\r\n", "x", 415, "body_unreadable"),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "x", 415, "body_unreadable"),
        (JSON, &" ".repeat(1001), 413, "body_too_large"),
    ] {
        let answer = send(&gateway, "POST", "/", lines, body).await;
        assert_eq!(answer.is_failure(status, code), Ok(()), "{lines}{body}");
    }
    assert_eq!(upstream.requests().len(), 0);
    for (target, code) in [
        ("/text", "answer_unreadable"),
        ("/broken", "answer_unreadable"),
        ("/list", "answer_untransformable"),
        ("/large", "answer_too_large"),
    ] {
        let answer = fetch(gateway.entry, HOST, target).await;
        assert_eq!(answer.is_failure(502, code), Ok(()), "{target}");
    }
    let missing = fetch(gateway.entry, HOST, "/missing").await;
    assert_eq!((missing.status, missing.text().as_str()), (404, "<p>"), "only success is changed");

    let mut loose = spec;
    loose["otherBodies"] = json!("Pass");
    scene.remove("TransformPolicy", "all");
    scene.document(policy("all", "Gateway", "edge", loose));
    gateway.edit(&scene.yaml()).await;
    let passed = gateway.until(HOST, "/text", |answer| answer.status == 200).await;
    assert_eq!(passed.text(), "text");
    let sent = send(&gateway, "POST", "/", "Content-Type: text/plain\r\n", "as it is").await;
    assert_eq!((sent.status, upstream.last().body), (200, b"as it is".to_vec()));

    let crossing = json!({ "request": { "body": [{ "move": { "from": "/items/*/a", "to": "/b" } }] } });
    scene.remove("TransformPolicy", "all");
    scene.document(policy("all", "Gateway", "edge", crossing));
    gateway.edit(&scene.yaml()).await;
    let denied = gateway.until(HOST, "/", |answer| answer.status == 500).await;
    assert_eq!(denied.is_failure(500, "route_refused"), Ok(()), "what is not understood denies");
}

#[tokio::test]
async fn a_head_is_changed_without_holding_the_body_up() {
    let upstream = Upstream::scripted(|request| match request.target.as_str() {
        "/new" => {
            script::answer("202 Accepted", &[("x-old", "1"), ("content-type", "image/png")], &[7; 100_000])
        }
        _ => script::honest(request),
    })
    .await;
    let mut scene = Scene::forwarding(&upstream);
    let responses = json!([{ "status": 200, "headers": { "rename": [{ "from": "X-Old", "to": "x-new" }] } }]);
    scene.document(policy(
        "all",
        "Gateway",
        "edge",
        json!({ "request": { "path": { "from": "/old", "to": "/new" } }, "responses": responses }),
    ));
    let gateway = scene.start().await;

    let answer = fetch_with(gateway.entry, HOST, "/old", "Accept-Encoding: gzip\r\n").await;

    assert_eq!((answer.status, answer.body.len()), (200, 100_000));
    assert_eq!((answer.header("x-old"), answer.header("x-new")), (None, Some("1")));
    assert_eq!(upstream.last().header("accept-encoding"), Some("gzip"), "nobody has to read the body");
}
