//! Shims that are proved by whoever keeps them: what is told of one that forgets something, and what it keeps from
//! happening.

use serde_json::{Value, json};
use tests::scene::Scene;
use tests::until::eventually_some;

use super::Stage;

const OLD: &str = include_str!("../../../../examples/shim/pets-1.yaml");
const NEW: &str = include_str!("../../../../examples/shim/pets-2.yaml");
const BINDING: &str = include_str!("../../../../examples/shim/binding.yaml");

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

/// Two versions of which the older one is a draft, on the upstream of the newer one through this binding.
fn scene(binding: &Value) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.document(object("API", "pets", json!({ "title": "Pets" })));
    for (label, state, text) in [("v1", "Draft", OLD), ("v2", "Published", NEW)] {
        let (version, revision) = (format!("pets-{label}"), format!("pets-{label}-1"));
        let documents = json!([{ "name": "pets.yaml", "content": text }]);
        scene.document(object(
            "APIVersion",
            &version,
            json!({
                "api": "pets", "label": label, "state": state, "revision": revision,
                "parentRefs": [{ "name": "edge" }], "selector": { "path": format!("/{label}") },
            }),
        ));
        let revised = json!({ "api": "pets", "version": version, "documents": documents });
        scene.document(object("APIRevision", &revision, revised));
    }
    scene.document(binding.clone());
    scene
}

/// Waits for what `api show` says of the shim.
async fn shown(stage: &Stage, word: &str) -> String {
    eventually_some(&format!("the shim to be {word}"), || async {
        let shown = stage.done(&["api", "show", "pets-v1"]).await;
        shown.lines().find(|line| line.contains(word)).map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_draft_whose_shim_forgets_something_is_not_published_until_it_is_mended() {
    let whole = model::yaml::read_plain(BINDING).expect("a binding");
    let mut forgetful = whole.clone();
    let steps = forgetful.pointer_mut("/spec/default/shim/operations/1/request/body").expect("steps");
    steps.as_array_mut().expect("a list").remove(3);
    let stage = Stage::of(scene(&forgetful)).await;

    let refuted = shown(&stage, "refuted").await;
    assert!(refuted.contains("are not served; POST /pets, request") && refuted.contains("/id"), "{refuted}");
    let refused = stage.run(&["api", "promote", "pets-v1"]).await;
    assert!(!refused.success && refused.stderr.contains("does not serve its clients"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--unproved"), "{}", refused.stderr);

    let file = stage.plane.folder().join("mended.yaml");
    std::fs::write(&file, whole.to_string()).expect("a file");
    stage.done(&["apply", "--allow-unresolved", "-f", file.to_str().expect("text")]).await;
    let proved = shown(&stage, "proved:").await;
    assert!(proved.contains("all are served"), "{proved}");
    let said = stage.done(&["api", "promote", "pets-v1"]).await;
    assert_eq!(said, "apiversion/pets-v1 is published");
}
