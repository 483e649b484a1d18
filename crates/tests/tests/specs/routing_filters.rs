//! Filters that edit: header modifiers, rewrites, on rules and on single backends.

use serde_json::{Value, json};
use tests::broken::{Broken, same};
use tests::client::{fetch, fetch_with};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::script;
use tests::upstream::Upstream;

async fn with_rules(rules: Value) -> (Gateway, Upstream) {
    let upstream = Upstream::scripted(|_| {
        script::answer(
            "200 OK",
            &[("X-Keep", "up"), ("X-Gone", "up"), ("X-Set", "up"), ("X-Add", "up")],
            b"ok",
        )
    })
    .await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.route("all", json!({ "rules": rules }));
    (scene.start().await, upstream)
}

fn edits() -> Value {
    json!({
        "set": [{ "name": "X-Set", "value": "new" }],
        "add": [{ "name": "X-Add", "value": "new" }, { "name": "X-Fresh", "value": "new" }],
        "remove": ["X-Gone"],
    })
}

const SHOP: &str = "shop";

fn shop() -> Value {
    json!([{ "name": SHOP, "port": 80 }])
}

#[tokio::test]
async fn request_fields_are_set_added_and_removed() {
    let (gateway, upstream) = with_rules(json!([{
        "filters": [{ "type": "RequestHeaderModifier", "requestHeaderModifier": edits() }],
        "backendRefs": shop(),
    }]))
    .await;

    fetch_with(
        gateway.entry,
        "h",
        "/",
        "X-Set: old\r\nx-set: older\r\nX-Add: old\r\nX-Gone: old\r\nX-Keep: old\r\n",
    )
    .await;

    let seen = upstream.last();
    assert_eq!(seen.header_all("x-set"), ["new"]);
    let added: String = seen.header_all("x-add").join(", ");
    assert_eq!(added.replace(", ", ","), "old,new");
    assert_eq!(seen.header("x-fresh"), Some("new"));
    assert_eq!(seen.header_all("x-gone"), Vec::<&str>::new());
    assert_eq!(seen.header("x-keep"), Some("old"));
}

#[tokio::test]
async fn response_fields_are_set_added_and_removed() {
    let (gateway, _upstream) = with_rules(json!([{
        "filters": [{ "type": "ResponseHeaderModifier", "responseHeaderModifier": edits() }],
        "backendRefs": shop(),
    }]))
    .await;

    let answer = fetch(gateway.entry, "h", "/").await;

    assert_eq!(answer.header_all("x-set"), ["new"]);
    assert_eq!(answer.header_all("x-add").join(",").replace(", ", ","), "up,new");
    assert_eq!(answer.header("x-fresh"), Some("new"));
    assert_eq!(answer.header_all("x-gone"), Vec::<&str>::new());
    assert_eq!(answer.header("x-keep"), Some("up"));
    assert_eq!(answer.text(), "ok");
}

#[tokio::test]
async fn filters_of_a_backend_apply_only_when_it_is_chosen() {
    let (left, right) = (Upstream::recording().await, Upstream::recording().await);
    let mut scene = Scene::new();
    scene.http();
    scene.service("left", &[left.address]);
    scene.service("right", &[right.address]);
    let set = |value: &str| {
        json!([
            { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "X-Side", "value": value }] } },
            { "type": "ResponseHeaderModifier", "responseHeaderModifier": { "set": [{ "name": "X-Side", "value": value }] } },
            { "type": "URLRewrite", "urlRewrite": { "path": { "type": "ReplaceFullPath", "replaceFullPath": format!("/{value}") } } },
        ])
    };
    scene.route(
        "all",
        json!({ "rules": [{ "backendRefs": [
        { "name": "left", "port": 80, "filters": set("left") },
        { "name": "right", "port": 80, "filters": set("right") },
    ] }] }),
    );
    let gateway = scene.start().await;

    for _ in 0..30 {
        let answer = fetch(gateway.entry, "h", "/x").await;
        let side = answer.header("x-side").expect("a side").to_owned();
        assert_eq!(answer.text(), format!("GET /{side}"));
    }

    assert!(!left.requests().is_empty() && !right.requests().is_empty());
    assert!(left.requests().iter().all(|one| one.header("x-side") == Some("left")));
    assert!(right.requests().iter().all(|one| one.header("x-side") == Some("right")));
}

#[tokio::test]
async fn a_prefix_is_replaced_by_whole_segments_and_never_leaves_nothing() {
    /// Matched prefix, its replacement, and pairs of sent and forwarded targets.
    type Vector = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
    let vectors: [Vector; 5] = [
        (
            "/old",
            "/new",
            &[("/old", "/new"), ("/old/", "/new/"), ("/old/x", "/new/x"), ("/old/x/y?q=1", "/new/x/y?q=1")],
        ),
        ("/old/", "/new/", &[("/old", "/new"), ("/old/", "/new/"), ("/old/x", "/new/x")]),
        ("/old", "/", &[("/old", "/"), ("/old/", "/"), ("/old/x", "/x")]),
        ("/old", "/deep/er", &[("/old/x%20y", "/deep/er/x%20y")]),
        ("/", "/base", &[("/", "/base/"), ("/x", "/base/x")]),
    ];
    let mut broken = Broken::new();
    for (matched, replacement, requests) in vectors {
        let (gateway, upstream) = with_rules(json!([{
            "matches": [{ "path": { "type": "PathPrefix", "value": matched } }],
            "filters": [{ "type": "URLRewrite", "urlRewrite": {
                "path": { "type": "ReplacePrefixMatch", "replacePrefixMatch": replacement },
            } }],
            "backendRefs": shop(),
        }]))
        .await;
        for (sent, wanted) in requests {
            fetch(gateway.entry, "h", sent).await;
            let seen = upstream.requests().last().map(|one| one.target.clone()).unwrap_or_default();
            let either = seen == *wanted || (matched == "/" && *sent == "/" && seen == "/base");
            let result = if either { Ok(()) } else { same("target", &seen.as_str(), wanted) };
            broken.note(&format!("{matched} to {replacement}: {sent}"), result);
        }
    }
    broken.none();
}

#[tokio::test]
async fn host_and_full_path_are_replaced_towards_the_upstream_only() {
    let (gateway, upstream) = with_rules(json!([{
        "filters": [{ "type": "URLRewrite", "urlRewrite": {
            "hostname": "inside.example",
            "path": { "type": "ReplaceFullPath", "replaceFullPath": "/fixed" },
        } }],
        "backendRefs": shop(),
    }]))
    .await;

    let answer = fetch(gateway.entry, "outside.example", "/any/thing?q=1").await;

    assert_eq!(answer.status, 200);
    let seen = upstream.last();
    assert_eq!(seen.line(), "GET /fixed?q=1");
    assert_eq!(seen.header("host"), Some("inside.example"));
    assert_eq!(seen.header("x-forwarded-host"), Some("outside.example"));
}

#[tokio::test]
async fn a_rule_with_a_filter_that_is_unknown_fails_and_is_not_skipped() {
    let (gateway, upstream) = with_rules(json!([
        {
            "matches": [{ "path": { "type": "PathPrefix", "value": "/guarded" } }],
            "filters": [{ "type": "ExtensionRef", "extensionRef": { "group": "example.com", "kind": "Guard", "name": "x" } }],
            "backendRefs": shop(),
        },
        { "backendRefs": shop() },
    ]))
    .await;

    let guarded = fetch(gateway.entry, "h", "/guarded").await;

    assert_eq!(guarded.is_failure(500, "route_refused"), Ok(()));
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(fetch(gateway.entry, "h", "/open").await.status, 200);
}
