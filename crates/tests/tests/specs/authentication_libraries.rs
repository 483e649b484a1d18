//! Tokens that other people's libraries make, and forged ones, at a real gateway. E1 to E3.

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::binary::workspace;
use tests::client::fetch_with;
use tests::scene::Scene;
use tests::tools;
use tests::upstream::Upstream;

#[tokio::test]
async fn what_other_libraries_sign_counts_and_what_is_forged_does_not() {
    let python = tools::python(&["jwt", "authlib", "joserfc", "jose"]).await;
    let script = workspace().join("crates/tests/clients/tokens.py").display().to_string();
    let output = tools::run(&python, &["-W", "ignore", &script]).await;
    assert!(output.success, "{}", output.stderr);
    let made: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
        "metadata": { "name": "tokens", "namespace": "default" },
        "spec": { "methods": [{ "jwt": {
            "issuer": "https://issuer.example", "audiences": ["shop"], "jwks": { "inline": made["jwks"] },
        } }] },
    }));
    let gateway = scene.start().await;

    let tokens = made["tokens"].as_array().expect("tokens");
    for token in tokens {
        let bearer = format!("Authorization: Bearer {}\r\n", token["token"].as_str().expect("a token"));
        let answer = fetch_with(gateway.entry, HOST, "/", &bearer).await;
        let expected = if token["counts"] == true { 200 } else { 401 };
        assert_eq!(
            answer.status,
            expected,
            "{}: {}",
            token["by"],
            gateway.access_log().last().unwrap_or(&Value::Null)
        );
    }

    assert!(tokens.len() > 40, "{}", tokens.len());
}
