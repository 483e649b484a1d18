//! Credentials of ours towards Backends: who sees them, and who never does. E13.

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::client::fetch_with;
use tests::scene::Scene;
use tests::upstream::Upstream;

fn secret(of_type: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": of_type,
        "metadata": { "name": "supplier", "namespace": "default" }, "stringData": data,
    })
}

const TYPE: &str = "policy.selvedge.dev/upstream-credential";
const TOKEN: &str = "6vUyQ2xHq0Wn4tRkZ9bGfS";

/// A gateway before one Backend that is shown a credential, and a Service beside it that is shown none.
fn scene(upstream: &Upstream, beside: &Upstream, mut credential: Value) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    credential["secretRef"] = json!({ "name": "supplier" });
    credential["overCleartext"] = json!(true);
    scene.document(json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Backend",
        "metadata": { "name": "supplier", "namespace": "default" },
        "spec": { "endpoints": [upstream.address.to_string()], "credential": credential },
    }));
    scene.service("shop", &[beside.address]);
    let supplier = json!({ "group": "mesh.selvedge.dev", "kind": "Backend", "name": "supplier" });
    let own = json!([
        { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "Authorization", "value": "of the route" }] } },
        { "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "shop", "port": 80 } } },
    ]);
    scene.route("all", json!({ "rules": [{ "filters": own, "backendRefs": [supplier] }] }));
    scene
}

#[tokio::test]
async fn a_backend_is_shown_our_credential_and_nobody_else_is() {
    let (upstream, beside) = (Upstream::recording().await, Upstream::recording().await);
    let mut scene = scene(&upstream, &beside, json!({ "scheme": "Bearer" }));
    scene.document(secret(TYPE, json!({ "token": TOKEN })));
    let gateway = scene.start().await;

    assert_eq!(fetch_with(gateway.entry, HOST, "/", "Authorization: Bearer mine\r\n").await.status, 200);

    assert_eq!(upstream.last().header_all("authorization"), [format!("Bearer {TOKEN}")]);
    beside.seen(1).await;
    assert_eq!(
        beside.last().header_all("authorization"),
        ["of the route"],
        "a copy is shown what its own is"
    );
    let dump = gateway.admin("/config").await.text();
    assert!(
        dump.contains("\"field\": \"authorization\"") || dump.contains("\"field\":\"authorization\""),
        "{dump}"
    );
    assert!(!dump.contains(TOKEN), "the dump has the secret");
    gateway.logged("the request", |line| line["status"] == 200).await;
    assert!(!gateway.access_log().iter().any(|line| line.to_string().contains(TOKEN)), "the log has it");
}

#[tokio::test]
async fn each_scheme_is_written_as_its_standard_says_and_a_new_secret_is_shown_at_once() {
    let (upstream, beside) = (Upstream::recording().await, Upstream::recording().await);
    let mut scene = scene(&upstream, &beside, json!({ "scheme": "Basic" }));
    scene.document(secret(TYPE, json!({ "username": "Aladdin", "password": "open sesame" })));
    let gateway = scene.start().await;
    fetch_with(gateway.entry, HOST, "/", "").await;
    // The example of RFC 7617 section 2.
    assert_eq!(upstream.last().header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));

    let mut scene = self::scene(&upstream, &beside, json!({ "scheme": "Header", "header": "X-Api-Key" }));
    scene.document(secret(TYPE, json!({ "value": TOKEN })));
    let gateway = scene.start().await;
    fetch_with(gateway.entry, HOST, "/", "X-Api-Key: forged\r\n").await;
    assert_eq!(upstream.last().header_all("x-api-key"), [TOKEN]);
}

#[tokio::test]
async fn a_backend_whose_credential_is_lacking_is_not_asked() {
    let (upstream, beside) = (Upstream::recording().await, Upstream::recording().await);
    // Whoever made that Secret has not said that it may leave.
    for other in [
        Some(secret("Opaque", json!({ "token": TOKEN }))),
        Some(secret(TYPE, json!({ "value": TOKEN }))),
        None,
    ] {
        let mut scene = scene(&upstream, &beside, json!({ "scheme": "Bearer" }));
        other.into_iter().for_each(|secret| scene.document(secret));
        let gateway = scene.start().await;

        let answer = fetch_with(gateway.entry, HOST, "/", "").await;

        assert_eq!((answer.status, answer.code().as_deref()), (500, Some("backend_credential_missing")));
    }
    assert!(upstream.requests().is_empty());
}
