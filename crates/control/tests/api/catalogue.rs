//! What is told to whoever has not said who they are.

use http::StatusCode;
use serde_json::{Value, json};

use crate::server::Server;

const BASE: &str = "/apis/product.selvedge.dev/v1alpha1/namespaces/shop";
const CATALOGUE: &str = "/catalogue.selvedge.dev/v1/apis";
/// Where plans are chosen.
const PAGE: &str = "https://developer.example/plans";

async fn make(server: &Server, resource: &str, kind: &str, name: &str, spec: Value) {
    let object = json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "annotations": { "note": "confidential" } }, "spec": spec,
    });
    server.admin().post(&format!("{BASE}/{resource}"), &object).await.fine();
}

/// An API of this visibility with a version in this state.
async fn api(server: &Server, name: &str, visibility: &str, state: &str) {
    let version = format!("{name}-v1");
    let documents = json!([{ "name": "a.yaml", "content": "openapi: 3.1.0" }]);
    make(server, "apis", "API", name, json!({ "title": name, "visibility": visibility, "owner": "crew" }))
        .await;
    let revision = json!({ "api": name, "version": version, "documents": documents });
    make(server, "apirevisions", "APIRevision", name, revision).await;
    let spec = json!({
        "api": name, "label": "v1", "state": state, "revision": name, "parentRefs": [{ "name": "edge" }],
    });
    make(server, "apiversions", "APIVersion", &version, spec).await;
}

#[tokio::test]
async fn versions_of_public_apis_that_were_promised_are_told_to_everybody_and_nothing_else() {
    let server = Server::start().await;
    for (name, visibility, state) in [
        ("pets", "Public", "Published"),
        ("old", "Public", "Deprecated"),
        ("next", "Public", "Prerelease"),
        ("idea", "Public", "Draft"),
        ("secret", "Private", "Published"),
    ] {
        api(&server, name, visibility, state).await;
    }
    make(
        &server,
        "apiproducts",
        "APIProduct",
        "pets",
        json!({ "state": "Published", "page": PAGE, "apis": [{ "version": "pets-v1" }] }),
    )
    .await;
    for (name, state) in [("free", "Published"), ("draft", "Draft")] {
        make(&server, "plans", "Plan", name, json!({ "product": "pets", "state": state })).await;
    }
    let anybody = server.client();

    let listed = anybody.get(CATALOGUE).await.fine();
    let names: Vec<&str> =
        listed["items"].as_array().expect("items").iter().filter_map(|one| one["title"].as_str()).collect();
    assert_eq!(names, ["old", "pets"]);
    let one = anybody.get(&format!("{CATALOGUE}/shop/pets-v1")).await.fine();
    assert_eq!(one["revision"]["spec"]["documents"][0]["content"], "openapi: 3.1.0");
    let plans: Vec<&Value> =
        one["plans"].as_array().expect("plans").iter().map(|plan| &plan["metadata"]["name"]).collect();
    assert_eq!(plans, ["free"]);
    assert_eq!(one["plans"][0]["page"], PAGE);
    for word in ["confidential", "crew", "managedFields", "draft"] {
        assert!(!one.to_string().contains(word), "{word} in {one}");
    }
    for hidden in ["next-v1", "idea-v1", "secret-v1", "none-v1"] {
        let refused = anybody.get(&format!("{CATALOGUE}/shop/{hidden}")).await;
        assert_eq!(refused.code, StatusCode::NOT_FOUND, "{hidden}");
    }
    let same = |name: &str| {
        let path = format!("{CATALOGUE}/shop/{name}");
        let anybody = server.client();
        async move { anybody.get(&path).await.refusal() }
    };
    assert_eq!(same("secret-v1").await, same("none-v1").await, "nobody can tell a private one from none");
    assert_eq!(anybody.get(&format!("{BASE}/apiversions")).await.code, StatusCode::UNAUTHORIZED);
}
