//! ValidationPolicy at a real gateway: what is refused and how callers are told, and bodies that are taken in whole.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{RawClient, exchange, fetch};
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, request};
use tests::h2_upstream::H2Upstream;
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::upstream::Upstream;

const HOST: &str = "a.example";

const PETS: &str = r##"
openapi: 3.1.0
info: {title: Pets, version: "1"}
paths:
  /pets:
    post:
      parameters:
      - {name: dry, in: query, schema: {type: boolean}}
      - {name: x-tenant, in: header, required: true, schema: {type: string, pattern: "^t-"}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              additionalProperties: false
              properties: {name: {type: string, maxLength: 10}, age: {type: integer, minimum: 0}}
          application/octet-stream: {}
      responses:
        "201": {description: made}
  /pets/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: a pet
          content:
            application/json:
              schema: {type: object, required: [id], properties: {id: {type: integer}}}
"##;

/// A gateway with version v1 of an API at `/pets-api`, and beside it a route at `/other`.
fn scene(upstream: std::net::SocketAddr, speaking: Option<&str>) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.service_in("default", "shop", speaking, &[upstream]);
    let product = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": "default" }, "spec": spec,
        })
    };
    scene.document(product("API", "pets", json!({ "protocol": "REST" })));
    scene.document(product(
        "APIVersion",
        "pets-v1",
        json!({
            "api": "pets", "label": "v1", "state": "Published", "revision": "pets-v1-1",
            "parentRefs": [{ "name": "edge" }], "basePath": "/pets-api",
        }),
    ));
    scene.document(product(
        "APIRevision",
        "pets-v1-1",
        json!({ "api": "pets", "version": "pets-v1", "documents": [{ "name": "pets.yaml", "content": PETS }] }),
    ));
    let to_shop = json!([{ "kind": "Service", "name": "shop", "port": 80 }]);
    scene.document(product(
        "APIBinding",
        "pets-v1",
        json!({ "version": "pets-v1", "default": { "backendRefs": to_shop } }),
    ));
    let other = json!([{ "path": { "type": "PathPrefix", "value": "/other" } }]);
    scene.route("other", json!({ "rules": [{ "matches": other, "backendRefs": to_shop }] }));
    scene
}

fn target(kind: &str, name: &str) -> Value {
    let group = if kind == "APIVersion" { "product.selvedge.dev" } else { "gateway.networking.k8s.io" };
    json!({ "group": group, "kind": kind, "name": name })
}

fn policy(scene: &mut Scene, name: &str, spec: Value) {
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "ValidationPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    }));
}

async fn of_version(upstream: &Upstream, spec: Value) -> Gateway {
    let mut scene = scene(upstream.address, None);
    let mut whole = json!({ "targetRefs": [target("APIVersion", "pets-v1")] });
    for (key, value) in spec.as_object().expect("a spec is an object") {
        whole[key] = value.clone();
    }
    policy(&mut scene, "judge", whole);
    scene.start().await
}

async fn post(gateway: &Gateway, path: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let text =
        format!("POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}Content-Length: {length}\r\n\r\n{body}");
    exchange(gateway.entry, text).await.expect("an answer")
}

/// A POST of JSON to the operation, by a tenant.
async fn pet(gateway: &Gateway, body: &str) -> Answer {
    post(gateway, "/pets-api/pets", "X-Tenant: t-1\r\nContent-Type: application/json\r\n", body).await
}

fn violations(answer: &Answer) -> Vec<String> {
    let problem: Value = serde_json::from_str(&answer.text()).expect("a problem document");
    let all = problem["violations"].as_array().cloned().unwrap_or_default();
    let one = |violation: &Value| {
        let word = |key: &str| violation[key].as_str().unwrap_or_default().to_owned();
        let place = [word("name"), word("pointer")].concat();
        [word("in"), place, word("rule")].join(" ").replace("  ", " ")
    };
    all.iter().map(one).collect()
}

#[tokio::test]
async fn callers_are_told_everything_in_which_a_request_does_not_keep_to_its_description() {
    let upstream = Upstream::recording().await;
    let gateway = of_version(&upstream, json!({ "requests": {} })).await;

    let good = pet(&gateway, r#"{"name": "Rex", "age": 3}"#).await;
    assert_eq!(good.status, 200, "{}", good.text());
    assert_eq!(upstream.last().body, br#"{"name": "Rex", "age": 3}"#);
    assert_eq!(upstream.last().header("content-length"), Some("25"));

    let json = "Content-Type: application/json\r\n";
    let bad = post(&gateway, "/pets-api/pets?dry=perhaps", json, r#"{"age": -1, "colour": "red"}"#).await;
    assert_eq!(bad.is_failure(400, "request_malformed"), Ok(()));
    assert_eq!(
        violations(&bad),
        [
            "query dry type",
            "header x-tenant required",
            "body required",
            "body /age minimum",
            "body additionalProperties"
        ]
    );

    let body = pet(&gateway, r#"{"name": "much longer than it may"}"#).await;
    assert_eq!(body.is_failure(422, "request_invalid"), Ok(()));
    assert_eq!(violations(&body), ["body /name maxLength"]);

    let kind = post(&gateway, "/pets-api/pets", "X-Tenant: t-1\r\nContent-Type: text/csv\r\n", "name").await;
    assert_eq!(kind.is_failure(415, "media_type_unsupported"), Ok(()));
    let lines = "X-Tenant: t-1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let packed = post(&gateway, "/pets-api/pets", lines, "\u{1f}").await;
    assert_eq!(packed.is_failure(415, "media_type_unsupported"), Ok(()));
    let text = fetch(gateway.entry, HOST, "/pets-api/pets/seven").await;
    assert_eq!((text.status, violations(&text)), (400, vec!["path id type".to_owned()]));

    assert_eq!(upstream.requests().len(), 1, "what is refused reaches nobody");
    let logged = gateway.logged("a refused body", |line| line["failure"] == "request_invalid").await;
    assert_eq!((&logged["validation"], &logged["violations"]), (&json!("default/judge"), &json!(1)));
    assert!(logged["violation"].as_str().unwrap_or_default().starts_with("body at /name"), "{logged}");
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("selvedge_validation_requests_refused_total 5"), "{metrics}");
}

#[tokio::test]
async fn what_harms_parsers_is_refused_described_or_not() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(upstream.address, None);
    let limits =
        json!({ "bodyBytesMax": 1000, "depthMax": 4, "keysMax": 5, "itemsMax": 6, "textBytesMax": 20 });
    policy(&mut scene, "all", json!({ "targetRefs": [target("Gateway", "edge")], "limits": limits }));
    let loose = json!({ "targetRefs": [target("HTTPRoute", "other")], "limits": { "depthMax": 60 } });
    policy(&mut scene, "loose", loose);
    let gateway = scene.start().await;
    let json = "Content-Type: application/problem+json\r\n";

    for (body, violation) in [
        ("[[[[[1]]]]]", "body /0/0/0/0 limit"),
        (r#"{"a":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1}}"#, "body /a limit"),
        ("[1,2,3,4,5,6,7]", "body limit"),
        (r#"{"a":"123456789012345678901"}"#, "body /a limit"),
        (r#"{"role":"user","role":"admin"}"#, "body /role unique"),
        ("{'a':1}", "body content"),
    ] {
        let refused = post(&gateway, "/other", json, body).await;
        assert_eq!(refused.is_failure(400, "request_malformed"), Ok(()), "{body}");
        assert_eq!(violations(&refused), [violation], "{body}");
    }
    let many = "9".repeat(1001);
    assert_eq!(post(&gateway, "/other", json, &many).await.is_failure(413, "body_too_large"), Ok(()));
    let plain = "Content-Type: application/octet-stream\r\n";
    assert_eq!(post(&gateway, "/other", plain, &many).await.is_failure(413, "body_too_large"), Ok(()));
    assert_eq!(upstream.requests().len(), 0);

    assert_eq!(post(&gateway, "/other", json, "[[[[1]]]]").await.status, 200);
    assert_eq!(post(&gateway, "/other", plain, "{'a':1}").await.status, 200, "nobody reads it as JSON");
}

#[tokio::test]
async fn a_body_that_is_taken_in_whole_goes_on_as_it_came() {
    let (http1, http2) = (Upstream::recording().await, H2Upstream::recording().await);
    for (name, address, speaking) in
        [("HTTP/1", http1.address, None), ("HTTP/2", http2.address, Some("kubernetes.io/h2c"))]
    {
        let mut scene = scene(address, speaking);
        policy(
            &mut scene,
            "judge",
            json!({ "targetRefs": [target("APIVersion", "pets-v1")], "requests": {} }),
        );
        let gateway = scene.start().await;
        let last = || if speaking.is_none() { http1.last() } else { http2.requests().pop().expect("one") };

        let mut client = RawClient::connect(gateway.entry).await;
        client
            .send_pieces([
                "POST /pets-api/pets HTTP/1.1\r\nHost: a.example\r\nX-Tenant: t-1\r\nContent-Type: application/json\r\n",
                "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"name\":\r\n",
                "6;x=y\r\n\"Rex\"}\r\n0\r\ncontent-digest: 7\r\n\r\n",
            ])
            .await;
        assert_eq!(client.answer_to("POST").await.status, 200, "{name}");
        assert_eq!(last().body, br#"{"name":"Rex"}"#, "{name}");
        assert_eq!(last().trailers, [("content-digest".to_owned(), "7".to_owned())], "{name}");

        let mut client = H2Client::connect(gateway.entry).await;
        let mut head = request("POST", HOST, "/pets-api/pets");
        head.headers_mut().insert("x-tenant", "t-1".parse().expect("a value"));
        head.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
        let long = format!("{{\"name\":{}\"Rex\"}}", " ".repeat(100_000));
        let answer = client.exchange(head, long.as_bytes(), None).await.expect("an answer");
        assert_eq!((answer.status, last().body.len()), (200, long.len()), "{name}");
    }
}

#[tokio::test]
async fn a_client_that_waits_is_asked_for_its_body_once_and_only_if_it_may_come() {
    let upstream = Upstream::recording().await;
    let gateway = of_version(&upstream, json!({ "requests": {}, "limits": { "bodyBytesMax": 100 } })).await;
    let head = |length: usize| {
        format!(
            "POST /pets-api/pets HTTP/1.1\r\nHost: {HOST}\r\nX-Tenant: t-1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };

    let mut client = RawClient::connect(gateway.entry).await;
    client.send(head(14)).await;
    client.peek_for("100 Continue").await.expect("it is asked for the body");
    client.send(r#"{"name":"Rex"}"#).await;
    let answer = client.answer_to("POST").await;
    assert_eq!((answer.status, answer.interim), (200, vec![100]));

    let mut client = RawClient::connect(gateway.entry).await;
    client.send(head(101)).await;
    let answer = client.answer_to("POST").await;
    assert_eq!((answer.is_failure(413, "body_too_large"), answer.interim), (Ok(()), vec![]));
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_request_with_a_whole_body_is_sent_again_like_any_other() {
    let upstream = Upstream::scripted(|request| match request.connection {
        0 => vec![Step::ReadBody, Step::Send(script::response("503 Service Unavailable", &[], b"no"))],
        _ => script::honest(request),
    })
    .await;
    let mut scene = scene(upstream.address, None);
    policy(&mut scene, "all", json!({ "targetRefs": [target("HTTPRoute", "other")], "limits": {} }));
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "ResiliencePolicy",
        "metadata": { "name": "again", "namespace": "default" },
        "spec": {
            "targetRefs": [target("HTTPRoute", "other")],
            "retries": { "attempts": 2, "retryOn": [503], "methods": ["POST"] },
        },
    }));
    let gateway = scene.start().await;
    let closing = "Content-Type: application/json\r\n";

    let answer = post(&gateway, "/other", closing, "[1, 2]").await;

    let bodies: Vec<Vec<u8>> = upstream.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies.iter().all(|body| body == b"[1, 2]"), "{bodies:?}");
    assert!(bodies.len() > 1, "it was sent again: {}", answer.status);
}

fn answering(body: &'static str) -> impl Fn(&tests::recorded::Recorded) -> script::Script {
    move |_| script::answer("200 OK", &[("Content-Type", "application/json")], body.as_bytes())
}

#[tokio::test]
async fn answers_that_do_not_keep_to_the_description_are_reported_or_refused() {
    let broken = r#"{"id": "seven"}"#;
    let upstream = Upstream::scripted(answering(broken)).await;
    let gateway = of_version(&upstream, json!({ "answers": { "percent": 100 } })).await;
    let passed = fetch(gateway.entry, HOST, "/pets-api/pets/7").await;
    assert_eq!((passed.status, passed.text().as_str()), (200, broken));
    let logged = gateway.logged("an answer that was judged", |line| line["invalid"] == "answer").await;
    assert_eq!(logged["status"], 200);
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("selvedge_validation_answers_reported_total 1"), "{metrics}");

    let gateway = of_version(&upstream, json!({ "answers": { "action": "Refuse" } })).await;
    let refused = fetch(gateway.entry, HOST, "/pets-api/pets/7").await;
    assert_eq!(refused.is_failure(502, "answer_invalid"), Ok(()));
    assert!(!refused.text().contains("seven"), "callers do not see what is wrong with it");
    assert_eq!(upstream.last().header("accept-encoding"), Some("identity"));

    let upstream = Upstream::scripted(answering(r#"{"id": 7}"#)).await;
    let gateway = of_version(&upstream, json!({ "answers": { "action": "Refuse" } })).await;
    let good = fetch(gateway.entry, HOST, "/pets-api/pets/7").await;
    assert_eq!((good.status, good.text().as_str()), (200, r#"{"id": 7}"#));
    let gateway =
        of_version(&upstream, json!({ "answers": { "action": "Refuse", "bodyBytesMax": 8 } })).await;
    let large = fetch(gateway.entry, HOST, "/pets-api/pets/7").await;
    assert_eq!(large.is_failure(502, "answer_too_large"), Ok(()));
}

#[tokio::test]
async fn of_answers_that_are_only_reported_a_sample_is_judged_and_no_caller_waits_for_it() {
    const ASKED: u64 = 200;
    let upstream = Upstream::scripted(answering(r#"{"id": "seven"}"#)).await;
    let gateway = of_version(&upstream, json!({ "answers": { "percent": 25 } })).await;

    for _ in 0..ASKED {
        assert_eq!(fetch(gateway.entry, HOST, "/pets-api/pets/7").await.status, 200);
    }

    let metrics = gateway.admin("/metrics").await.text();
    let count = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} in {metrics}"))
    };
    let judged = count("selvedge_validation_answers_judged_total");
    // Fifty are to be expected; fewer than ten or more than a hundred come once in many million times.
    assert!((ASKED / 20..=ASKED / 2).contains(&judged), "{judged}");
    assert_eq!(count("selvedge_validation_answers_reported_total"), judged, "all of them are wrong");
}

#[tokio::test]
async fn a_route_is_judged_by_the_description_that_its_policy_names_and_by_none_lets_nothing_pass() {
    let upstream = Upstream::recording().await;
    for (revision, statuses) in [("pets-v1-1", [200, 400, 400]), ("unknown", [500, 500, 500])] {
        let mut scene = scene(upstream.address, None);
        let by = json!({ "revision": revision, "basePath": "/other" });
        let of = json!({ "targetRefs": [target("HTTPRoute", "other")], "description": by, "requests": {} });
        policy(&mut scene, "judge", of);
        let gateway = scene.start().await;

        let mut found = Vec::new();
        for path in ["/other/pets/7", "/other/pets/seven", "/other/nowhere"] {
            found.push(fetch(gateway.entry, HOST, path).await.status);
        }
        assert_eq!(found, statuses, "{revision}");
    }
}

#[tokio::test]
async fn requests_are_let_pass_and_reported_where_the_policy_says_so() {
    let upstream = Upstream::recording().await;
    let gateway = of_version(&upstream, json!({ "requests": { "action": "Report" } })).await;

    assert_eq!(pet(&gateway, r#"{"age": 1}"#).await.status, 200);
    assert_eq!(pet(&gateway, r#"{"name": "a", "name": "b"}"#).await.status, 400, "two readers, two names");

    let logged = gateway.logged("a request that was judged", |line| line["invalid"] == "request").await;
    assert_eq!((&logged["status"], &logged["violations"]), (&json!(200), &json!(1)));
}
