//! Backends that are named and not numbered: their names are resolved before anybody is sent to them.

use serde_json::{Value, json};
use tests::client::fetch;
use tests::scene::{OWN_VERSION, Scene};
use tests::upstream::Upstream;

/// A Backend with these endpoints, reached below a path of its own name.
fn backend(scene: &mut Scene, name: &str, endpoints: Value) {
    scene.document(json!({
        "apiVersion": OWN_VERSION, "kind": "Backend",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "endpoints": endpoints },
    }));
    scene.route(
        name,
        json!({ "rules": [{
            "matches": [{ "path": { "type": "PathPrefix", "value": format!("/{name}") } }],
            "backendRefs": [{ "group": "mesh.selvedge.dev", "kind": "Backend", "name": name }],
        }] }),
    );
}

fn localhost(port: u16) -> Value {
    json!([format!("localhost:{port}")])
}

#[tokio::test]
async fn the_first_request_to_each_of_many_names_is_served() {
    let upstream = Upstream::at_localhost().await;
    let mut scene = Scene::new();
    scene.http();
    // Every port is a question of its own, so that answers are still coming when the gateway could be ready.
    for port in 1..200 {
        backend(&mut scene, &format!("unused-{port}"), localhost(port));
    }
    backend(&mut scene, "shop", localhost(upstream.address.port()));

    let gateway = scene.start().await;

    assert_eq!(fetch(gateway.entry, "h", "/shop/first").await.text(), "GET /shop/first");
}

#[tokio::test]
async fn a_name_that_an_edit_brings_is_served_from_its_first_request() {
    let upstream = Upstream::at_localhost().await;
    let mut scene = Scene::new();
    scene.http();
    let gateway = scene.start().await;

    backend(&mut scene, "shop", localhost(upstream.address.port()));
    gateway.edit(&scene.yaml()).await;

    let first = gateway.until("h", "/shop", |answer| answer.status != 404).await;
    assert_eq!((first.status, first.text()), (200, "GET /shop".to_owned()));
}

#[tokio::test]
async fn a_name_that_nobody_knows_takes_nothing_from_the_names_beside_it() {
    let upstream = Upstream::at_localhost().await;
    let port = upstream.address.port();
    let mut scene = Scene::new();
    scene.http();
    backend(&mut scene, "shop", localhost(port));
    let gateway = scene.start().await;
    assert_eq!(fetch(gateway.entry, "h", "/shop/before").await.text(), "GET /shop/before");

    scene.remove("Backend", "shop");
    scene.remove("HTTPRoute", "shop");
    backend(&mut scene, "shop", json!([format!("localhost:{port}"), "nobody.invalid:80"]));
    backend(&mut scene, "seen", localhost(port));
    gateway.edit(&scene.yaml()).await;

    gateway.until("h", "/seen", |answer| answer.status == 200).await;
    assert_eq!(fetch(gateway.entry, "h", "/shop/after").await.text(), "GET /shop/after");
}
