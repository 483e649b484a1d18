//! B10 for products: two tenants that name everything alike have nothing of each other, names that begin alike are
//! different names, and whoever gets a name again gets nothing of who had it before.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, get};
use tests::scene::Scene;
use tests::until::eventually_some;

use super::Stage;

/// Tenants: their namespaces, of which one begins like the other, and their hosts.
const TENANTS: [(&str, &str); 2] = [("shop", "one.example"), ("shop-eu", "two.example")];

const PETS: &str = "openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets:
    get: { responses: { '200': { description: all, content: { application/json: { example: [] } } } } }
";

/// Everything of one tenant: an API, and two products of it whose names and plans begin alike.
fn tenant(scene: &mut Scene, namespace: &str, host: &str) {
    scene.document(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
    let text = json!([{ "name": "pets.yaml", "content": PETS }]);
    let mut add = |kind: &str, name: &str, spec: Value| {
        scene.document(json!({
            "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        }));
    };
    add("API", "pets", json!({ "title": "Pets" }));
    add("APIRevision", "one", json!({ "api": "pets", "version": "pets-v1", "documents": text }));
    for (version, base) in [("pets-v1", "/pets"), ("pets-v1-x", "/x")] {
        add(
            "APIVersion",
            version,
            json!({
                "api": "pets", "label": version, "state": "Published", "revision": "one", "hostnames": [host],
                "parentRefs": [{ "name": "edge", "namespace": "default" }], "basePath": base,
            }),
        );
        add("APIBinding", version, json!({ "version": version, "default": { "mock": {} } }));
    }
    for (product, version) in [("pets", "pets-v1"), ("pets-eu", "pets-v1-x")] {
        add("APIProduct", product, json!({ "state": "Published", "apis": [{ "version": version }] }));
        let rates = json!([{ "requests": 2, "per": "1h" }]);
        let plan = json!({ "product": product, "state": "Published", "rates": rates });
        add("Plan", &format!("{product}-free"), plan);
    }
}

async fn stage() -> Stage {
    let mut scene = Scene::new();
    let port = scene.port();
    scene.listener(json!({
        "name": "http", "port": port, "protocol": "HTTP", "allowedRoutes": { "namespaces": { "from": "All" } },
    }));
    for (namespace, host) in TENANTS {
        tenant(&mut scene, namespace, host);
    }
    Stage::of(scene).await
}

async fn ask(stage: &Stage, host: &str, path: &str, key: &str) -> Option<Answer> {
    exchange(stage.scene.entry(), get(host, path, &format!("x-api-key: {key}\r\n"))).await.ok()
}

async fn is_told(stage: &Stage, host: &str, path: &str, key: &str, told: (u16, &str)) -> Answer {
    eventually_some(&format!("{host}{path} to be answered {told:?}"), || async {
        let answer = ask(stage, host, path, key).await?;
        let reason = answer.code().unwrap_or_default();
        (answer.status == told.0 && reason == told.1).then_some(answer)
    })
    .await
}

impl Stage {
    /// Subscribes an application of a tenant, and tells its key.
    async fn subscribed(&self, namespace: &str, product: &str, application: &str) -> String {
        let printed =
            self.done(&["subscribe", product, "--plan", "free", "--app", application, "-n", namespace]).await;
        printed.lines().next().expect("a key").to_owned()
    }
}

#[tokio::test]
async fn tenants_that_name_everything_alike_have_nothing_of_each_other() {
    let stage = stage().await;
    let _gateway = stage.gateway(None).await;
    let [(one, at_one), (two, at_two)] = TENANTS;
    let first = stage.subscribed(one, "pets", "mobile").await;
    let second = stage.subscribed(two, "pets", "mobile").await;

    // Each has two calls an hour of its own.
    for (host, key) in [(at_one, &first), (at_two, &second)] {
        is_told(&stage, host, "/pets/pets", key, (200, "")).await;
        is_told(&stage, host, "/pets/pets", key, (429, "rate_limited")).await;
    }
    is_told(&stage, at_two, "/pets/pets", &first, (403, "subscription_missing")).await;
    is_told(&stage, at_one, "/pets/pets", &second, (403, "subscription_missing")).await;
    // A product whose name begins with that of another is another, and so is an application.
    is_told(&stage, at_one, "/x/pets", &first, (403, "subscription_missing")).await;
    let other = stage.subscribed(one, "pets-eu", "mobile-eu").await;
    is_told(&stage, at_one, "/pets/pets", &other, (403, "subscription_missing")).await;
    is_told(&stage, at_one, "/x/pets", &other, (200, "")).await;

    // Whoever stops one stops nobody else of that name.
    stage.done(&["app", "suspend", "mobile", "-n", two]).await;
    is_told(&stage, at_two, "/pets/pets", &second, (403, "application_suspended")).await;
    is_told(&stage, at_one, "/pets/pets", &first, (429, "rate_limited")).await;
    let listed = stage.done(&["subscription", "list", "-n", one]).await;
    assert!(listed.contains("mobile-pets") && !listed.contains(two), "{listed}");
}

#[tokio::test]
async fn whoever_gets_a_name_again_gets_nothing_of_who_had_it_before() {
    let stage = stage().await;
    let _gateway = stage.gateway(None).await;
    let (namespace, host) = TENANTS[0];
    let before = stage.subscribed(namespace, "pets", "mobile").await;
    is_told(&stage, host, "/pets/pets", &before, (200, "")).await;

    stage.done(&["delete", "applications.product.selvedge.dev", "mobile", "-n", namespace]).await;
    is_told(&stage, host, "/pets/pets", &before, (401, "credential_invalid")).await;
    stage.done(&["app", "create", "mobile", "-n", namespace]).await;
    let after = stage.done(&["key", "create", "--app", "mobile", "-n", namespace]).await;

    is_told(&stage, host, "/pets/pets", &after, (403, "subscription_missing")).await;
    let old = ask(&stage, host, "/pets/pets", &before).await.expect("an answer");
    assert_eq!(old.status, 401, "the key of the one that was deleted is nobody's: {}", old.text());
    let again = stage.subscribed(namespace, "pets", "mobile").await;
    is_told(&stage, host, "/pets/pets", &again, (200, "")).await;
    let old = ask(&stage, host, "/pets/pets", &before).await.expect("an answer");
    assert_eq!(old.status, 401, "{}", old.text());
}
