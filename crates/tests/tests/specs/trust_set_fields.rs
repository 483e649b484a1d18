//! C2, C4: fields that credentials of Backends, transforms and shims set are ours alone: what a client sends under their
//! names reaches no upstream, and listing them in `Connection` takes away what the client said and nothing of ours.

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::broken::{Broken, same};
use tests::client::fetch_with;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::upstream::Upstream;

const TOKEN: &str = "6vUyQ2xHq0Wn4tRkZ9bGfS";
const PETS: &str = "openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets/{id}:
    get:
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: one } }
";

fn object(group: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": format!("{group}.selvedge.dev/v1alpha1"), "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

/// Pets at `/pets`, by a shim and a transform, to a Backend that is shown a credential.
async fn gateway(upstream: &Upstream) -> Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.document(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "policy.selvedge.dev/upstream-credential",
        "metadata": { "name": "supplier", "namespace": "default" }, "stringData": { "value": TOKEN },
    }));
    let credential = json!({
        "scheme": "Header", "header": "X-Api-Key", "secretRef": { "name": "supplier" }, "overCleartext": true,
    });
    let endpoints = json!([upstream.address.to_string()]);
    scene.document(object(
        "mesh",
        "Backend",
        "supplier",
        json!({ "endpoints": endpoints, "credential": credential }),
    ));
    let supplier = json!({ "group": "mesh.selvedge.dev", "kind": "Backend", "name": "supplier" });
    let shim = json!({ "version": "pets-v2", "operations": [{
        "operations": ["GET /pets/{}"], "to": "GET /animals/all",
        "request": { "moves": [{ "from": { "path": "id" }, "to": { "header": "x-animal" } }] },
    }] });
    for (kind, name, spec) in [
        ("API", "pets", json!({ "title": "Pets" })),
        (
            "APIVersion",
            "pets-v1",
            json!({
                "api": "pets", "label": "v1", "state": "Published", "revision": "one",
                "parentRefs": [{ "name": "edge" }], "basePath": "/",
            }),
        ),
        (
            "APIRevision",
            "one",
            json!({ "api": "pets", "version": "pets-v1", "documents": [{ "name": "pets.yaml", "content": PETS }] }),
        ),
        (
            "APIBinding",
            "pets-v1",
            json!({ "version": "pets-v1", "default": { "backendRefs": [supplier], "shim": shim } }),
        ),
    ] {
        scene.document(object("product", kind, name, spec));
    }
    let edge = json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge" });
    let set = json!({ "set": [{ "name": "X-Channel", "value": "web" }], "remove": ["x-internal"] });
    scene.document(object(
        "policy",
        "TransformPolicy",
        "all",
        json!({ "targetRefs": [edge], "request": { "headers": set } }),
    ));
    scene.start().await
}

#[tokio::test]
async fn what_policies_set_is_theirs_whatever_a_client_sends_or_lists() {
    let upstream = Upstream::recording().await;
    let gateway = gateway(&upstream).await;
    let forged = "X-Api-Key: forged\r\nX-Channel: forged\r\nX-Animal: forged\r\nX-Internal: forged\r\n";
    let names = "x-api-key, x-channel, x-animal, x-internal";
    let mut broken = Broken::new();

    for lines in [
        String::new(),
        forged.to_owned(),
        forged.to_uppercase().replace("FORGED", "forged"),
        format!("Connection: {names}\r\n"),
        format!("Connection: {names}\r\n{forged}"),
        format!("{forged}{forged}"),
    ] {
        let answer = fetch_with(gateway.entry, HOST, "/pets/7", &lines).await;
        broken.note(&lines, same("status", &answer.status, &200));
        let seen = upstream.last();
        for (name, expected) in [
            ("x-api-key", vec![TOKEN]),
            ("x-channel", vec!["web"]),
            ("x-animal", vec!["7"]),
            ("x-internal", vec![]),
        ] {
            broken.note(&format!("{name} of {lines}"), same("values", &seen.header_all(name), &expected));
        }
        broken.note(&lines, same("target", &seen.target.as_str(), &"/animals/all"));
    }
    broken.none();
    let before = upstream.requests().len();
    for alias in ["X_Api_Key", "x-api_key", "X_Channel", "x_animal"] {
        let answer = fetch_with(gateway.entry, HOST, "/pets/7", &format!("{alias}: forged\r\n")).await;
        assert_eq!(answer.is_failure(400, "header_underscore"), Ok(()), "{alias}");
    }
    assert_eq!(upstream.requests().len(), before, "what is refused reaches nobody");
}
