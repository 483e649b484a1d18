//! What a provider asks of requests and answers at the door of its replica, where nobody gets around it.

use serde_json::{Value, json};
use tests::scene::Scene;
use tests::script;
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, mesh, request, workload};

const PETS: &str = r##"
openapi: 3.1.0
info: {title: Pets, version: "1"}
paths:
  /pets:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string, maxLength: 10}}}
      responses: {"200": {description: made}}
  /pets/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: a pet
          content: {application/json: {schema: {type: object, required: [id]}}}
"##;

fn object(group: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": format!("{group}.selvedge.dev/v1alpha1"), "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

/// The application behind a sidecar of its own, described by a revision; where it is called without proof.
fn provider(upstreams: &Upstreams) -> (Scene, std::net::SocketAddr) {
    let mut scene = Scene::new();
    scene.http();
    mesh(&mut scene);
    let at = workload(&mut scene, upstreams[0].1.address);
    let documents = json!([{ "name": "pets.yaml", "content": PETS }]);
    let revision = json!({ "api": "pets", "version": "pets-v1", "documents": documents });
    scene.document(object("product", "APIRevision", "pets-1", revision));
    (scene, at)
}

fn post(path: &str, body: &str) -> String {
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    request(&format!("POST {path}"), &head) + body
}

/// What each request is answered, and why where the proxy did.
async fn asked(door: &Door, upstreams: &Upstreams, requests: &[String]) -> Vec<(u16, Option<String>)> {
    let mut found = Vec::new();
    for request in requests {
        let verdict = door.ask(request, upstreams).await;
        let failure = verdict.log.get("failure").and_then(Value::as_str).map(str::to_owned);
        assert_eq!(verdict.seen.is_empty(), failure.is_some(), "what is refused reaches nobody: {request:?}");
        found.push((verdict.status, failure));
    }
    found
}

fn failed(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

#[tokio::test]
async fn a_service_is_judged_by_the_description_that_its_policy_names_at_the_door_of_its_replica() {
    let upstreams: Upstreams = vec![("shop", Upstream::recording().await)];
    let (mut scene, at) = provider(&upstreams);
    let service = json!({ "group": "", "kind": "Service", "name": "shop", "sectionName": "http" });
    scene.document(object(
        "policy",
        "ValidationPolicy",
        "as-described",
        json!({ "targetRefs": [service], "description": { "revision": "pets-1" }, "requests": {}, "limits": { "depthMax": 3 } }),
    ));
    let door = Door::inbound(&scene, "shop-1", at).await;

    let requests = [
        post("/pets", r#"{"name":"Rex"}"#),
        post("/pets", r#"{"name":7}"#),
        post("/pets", r#"{"name":"Rex","more":[[[1]]]}"#),
        request("GET /pets/7", ""),
        request("GET /pets/seven", ""),
        request("GET /admin", ""),
    ];
    let found = asked(&door, &upstreams, &requests).await;

    let malformed = || failed(400, "request_malformed");
    assert_eq!(
        found,
        [(200, None), failed(422, "request_invalid"), malformed(), (200, None), malformed(), malformed()]
    );
}

#[tokio::test]
async fn a_version_is_judged_at_its_providers_door_and_what_it_does_not_have_comes_in_as_ever() {
    let broken = |request: &tests::recorded::Recorded| match request.target.as_str() {
        "/inner/pets/9" => script::answer("200 OK", &[("content-type", "application/json")], b"{}"),
        _ => script::answer("200 OK", &[("content-type", "application/json")], br#"{"id":7}"#),
    };
    let upstreams: Upstreams = vec![("shop", Upstream::scripted(move |request| broken(request)).await)];
    let (mut scene, at) = provider(&upstreams);
    let parents = json!([{ "group": "", "kind": "Service", "name": "shop", "port": 80 }]);
    for (kind, name, spec) in [
        ("API", "pets", json!({ "title": "Pets" })),
        (
            "APIVersion",
            "pets-v1",
            json!({ "api": "pets", "label": "v1", "state": "Published", "revision": "pets-1", "parentRefs": parents }),
        ),
        (
            "APIBinding",
            "pets-v1",
            json!({ "version": "pets-v1", "default": {
                "backendRefs": [{ "group": "", "kind": "Service", "name": "shop", "port": 80 }], "path": "/inner",
            } }),
        ),
    ] {
        scene.document(object("product", kind, name, spec));
    }
    let version = json!({ "group": "product.selvedge.dev", "kind": "APIVersion", "name": "pets-v1" });
    scene.document(object(
        "policy",
        "ValidationPolicy",
        "as-described",
        json!({ "targetRefs": [version], "requests": {}, "answers": { "action": "Refuse" } }),
    ));
    let door = Door::inbound(&scene, "shop-1", at).await;

    let requests = [
        request("GET /inner/pets/7", ""),
        request("GET /inner/pets/seven", ""),
        post("/inner/pets", r#"{"name":"much longer than it may"}"#),
        request("GET /inner/health", ""),
    ];
    let found = asked(&door, &upstreams, &requests).await;
    let expected =
        [(200, None), failed(400, "request_malformed"), failed(422, "request_invalid"), (200, None)];
    assert_eq!(found, expected);

    let answered = door.ask(&request("GET /inner/pets/9", ""), &upstreams).await;
    assert_eq!((answered.status, answered.log.get("failure")), (502, Some(&json!("answer_invalid"))));
}
