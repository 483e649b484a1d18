//! Redirects: the status, and every part of the URL that was or was not named.

use serde_json::{Value, json};
use tests::broken::{Broken, same};
use tests::client::fetch;
use tests::scene::Scene;

/// Asks for `http://h.example/old/x?q=1` on the listener and returns status and Location.
async fn location(redirect: Value, prefix: &str) -> (u16, String, u16) {
    let mut scene = Scene::new();
    let entry = scene.http();
    scene.route(
        "all",
        json!({ "rules": [{
        "matches": [{ "path": { "type": "PathPrefix", "value": prefix } }],
        "filters": [{ "type": "RequestRedirect", "requestRedirect": redirect }],
    }] }),
    );
    let gateway = scene.start().await;
    let answer = fetch(gateway.entry, &format!("h.example:{}", entry.port()), "/old/x?q=1").await;
    (answer.status, answer.header("location").unwrap_or_default().to_owned(), entry.port())
}

#[tokio::test]
async fn a_redirect_names_what_it_changes_and_keeps_the_rest() {
    let full = json!({ "type": "ReplaceFullPath", "replaceFullPath": "/all" });
    let prefix = json!({ "type": "ReplacePrefixMatch", "replacePrefixMatch": "/new" });
    let to_root = json!({ "type": "ReplacePrefixMatch", "replacePrefixMatch": "/" });
    let vectors = [
        (json!({}), 302, "http://h.example:PORT/old/x?q=1"),
        (json!({ "statusCode": 301 }), 301, "http://h.example:PORT/old/x?q=1"),
        (json!({ "statusCode": 303 }), 303, "http://h.example:PORT/old/x?q=1"),
        (json!({ "statusCode": 307 }), 307, "http://h.example:PORT/old/x?q=1"),
        (json!({ "statusCode": 308 }), 308, "http://h.example:PORT/old/x?q=1"),
        (json!({ "hostname": "o.example" }), 302, "http://o.example:PORT/old/x?q=1"),
        (json!({ "scheme": "https" }), 302, "https://h.example/old/x?q=1"),
        (json!({ "scheme": "http" }), 302, "http://h.example/old/x?q=1"),
        (json!({ "scheme": "https", "port": 8443 }), 302, "https://h.example:8443/old/x?q=1"),
        (json!({ "scheme": "https", "port": 443 }), 302, "https://h.example/old/x?q=1"),
        (json!({ "port": 80 }), 302, "http://h.example/old/x?q=1"),
        (json!({ "port": 8080 }), 302, "http://h.example:8080/old/x?q=1"),
        (json!({ "scheme": "https", "port": 80 }), 302, "https://h.example:80/old/x?q=1"),
        (json!({ "path": full }), 302, "http://h.example:PORT/all?q=1"),
        (json!({ "path": prefix }), 302, "http://h.example:PORT/new/x?q=1"),
        (json!({ "path": to_root }), 302, "http://h.example:PORT/x?q=1"),
        (
            json!({ "scheme": "https", "hostname": "o.example", "path": full, "statusCode": 301 }),
            301,
            "https://o.example/all?q=1",
        ),
    ];
    let mut broken = Broken::new();
    for (redirect, status, wanted) in vectors {
        let name = redirect.to_string();
        let (got, location, port) = location(redirect, "/old").await;
        let wanted = wanted.replace("PORT", &port.to_string());
        broken.note(&name, same("answer", &(got, location), &(status, wanted)));
    }
    broken.none();
}

#[tokio::test]
async fn a_redirect_asks_no_upstream_and_carries_no_header_from_outside() {
    let mut scene = Scene::new();
    scene.http();
    scene.route(
        "all",
        json!({ "rules": [{
        "filters": [{ "type": "RequestRedirect", "requestRedirect": { "scheme": "https" } }],
    }] }),
    );
    let gateway = scene.start().await;

    let answer = fetch(gateway.entry, "h.example", "/a%0d%0aSet-Cookie:x?b=%0d%0ac").await;

    assert!(answer.status == 302 || answer.status == 400, "{}", answer.status);
    assert_eq!(answer.header_all("set-cookie"), Vec::<&str>::new());
}
