//! Which rule answers: host, path, header, query and method, and who wins when several would.

use serde_json::{Value, json};
use tests::broken::{Broken, same};
use tests::client::exchange;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::upstream::Upstream;

/// A scene in which each Service answers with its own name.
pub struct Named {
    pub scene: Scene,
    upstreams: Vec<Upstream>,
}

impl Named {
    pub async fn new(services: &[&'static str]) -> Named {
        let mut scene = Scene::new();
        scene.http();
        let mut upstreams = Vec::new();
        for &name in services {
            let upstream = Upstream::scripted(move |_| {
                tests::script::answer("200 OK", &[("X-From", name)], name.as_bytes())
            })
            .await;
            scene.service(name, &[upstream.address]);
            upstreams.push(upstream);
        }
        Named { scene, upstreams }
    }

    pub async fn start(self) -> (Gateway, Vec<Upstream>) {
        (self.scene.start().await, self.upstreams)
    }
}

pub fn rule(matches: Value, service: &str) -> Value {
    json!({ "matches": [matches], "backendRefs": [{ "name": service, "port": 80 }] })
}

/// Sends each request line with its header lines and compares who answered; `-` means 404.
pub async fn answers(gateway: &Gateway, vectors: &[(&str, &str, &str, &str)]) {
    let mut broken = Broken::new();
    for (host, line, headers, wanted) in vectors {
        let bytes = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        let result = match exchange(gateway.entry, bytes).await {
            Ok(answer) if answer.status == 404 => same("answered by", &"-", wanted),
            Ok(answer) if answer.status == 200 => same("answered by", &answer.text().as_str(), wanted),
            Ok(answer) => Err(format!("status {} {}", answer.status, answer.text())),
            Err(problem) => Err(problem),
        };
        broken.note(&format!("{line} at {host} with {headers:?}"), result);
    }
    broken.none();
}

#[tokio::test]
async fn the_most_specific_host_wins_and_there_is_no_falling_back() {
    let mut named = Named::new(&["exact", "wild", "deep", "any"]).await;
    let prefix = |value: &str| json!({ "path": { "type": "PathPrefix", "value": value } });
    named
        .scene
        .route("exact", json!({ "hostnames": ["shop.example"], "rules": [rule(prefix("/only"), "exact")] }));
    named.scene.route("wild", json!({ "hostnames": ["*.example"], "rules": [rule(prefix("/"), "wild")] }));
    named
        .scene
        .route("deep", json!({ "hostnames": ["*.shop.example"], "rules": [rule(prefix("/"), "deep")] }));
    named.scene.route("any", json!({ "rules": [rule(prefix("/"), "any")] }));
    let (gateway, _upstreams) = named.start().await;

    answers(
        &gateway,
        &[
            ("shop.example", "GET /only", "", "exact"),
            ("SHOP.example:8080", "GET /only", "", "exact"),
            ("shop.example", "GET /else", "", "-"),
            ("other.example", "GET /", "", "wild"),
            ("a.b.example", "GET /", "", "wild"),
            ("a.shop.example", "GET /", "", "deep"),
            ("a.b.shop.example", "GET /", "", "deep"),
            ("example", "GET /", "", "any"),
            ("xexample", "GET /", "", "any"),
            ("else.test", "GET /", "", "any"),
            ("127.0.0.1", "GET /", "", "any"),
        ],
    )
    .await;
}

#[tokio::test]
async fn exact_paths_beat_longer_prefixes_and_prefixes_match_whole_segments() {
    let mut named = Named::new(&["root", "a", "ab", "exact", "pattern"]).await;
    let path = |kind: &str, value: &str| json!({ "path": { "type": kind, "value": value } });
    named.scene.route(
        "paths",
        json!({ "rules": [
        rule(path("PathPrefix", "/"), "root"),
        rule(path("PathPrefix", "/a"), "a"),
        rule(path("PathPrefix", "/a/b/"), "ab"),
        rule(path("Exact", "/a/b/c"), "exact"),
        rule(path("RegularExpression", "/item/[0-9]+"), "pattern"),
    ] }),
    );
    let (gateway, _upstreams) = named.start().await;

    answers(
        &gateway,
        &[
            ("h", "GET /", "", "root"),
            ("h", "GET /a", "", "a"),
            ("h", "GET /a/", "", "a"),
            ("h", "GET /a?q=/b", "", "a"),
            ("h", "GET /ab", "", "root"),
            ("h", "GET /a/x", "", "a"),
            ("h", "GET /a/b", "", "ab"),
            ("h", "GET /a/b/", "", "ab"),
            ("h", "GET /a/bc", "", "a"),
            ("h", "GET /a/b/c", "", "exact"),
            ("h", "GET /a/b/c?x=1", "", "exact"),
            ("h", "GET /a/b/c/", "", "ab"),
            ("h", "GET /a/b/cd", "", "ab"),
            ("h", "GET /A/b", "", "root"),
            ("h", "GET /item/17", "", "pattern"),
            ("h", "GET /item/x", "", "root"),
            ("h", "GET /item/17/x", "", "root"),
            ("h", "GET /x/item/17", "", "root"),
        ],
    )
    .await;
}

#[tokio::test]
async fn all_conditions_of_a_match_hold_and_any_match_of_a_rule_suffices() {
    let mut named = Named::new(&["both", "either", "rest"]).await;
    let header = |name: &str, value: &str| json!({ "name": name, "value": value });
    named.scene.route("conditions", json!({ "rules": [
        rule(json!({ "headers": [header("X-One", "1"), header("x-two", "2")], "queryParams": [header("q", "3")] }), "both"),
        {
            "matches": [
                { "headers": [header("X-Pick", "a")] },
                { "headers": [{ "type": "RegularExpression", "name": "X-Pick", "value": "^b+$" }] },
                { "queryParams": [{ "type": "RegularExpression", "name": "pick", "value": "c|d" }] },
            ],
            "backendRefs": [{ "name": "either", "port": 80 }],
        },
        { "backendRefs": [{ "name": "rest", "port": 80 }] },
    ] }));
    let (gateway, _upstreams) = named.start().await;

    answers(
        &gateway,
        &[
            ("h", "GET /?q=3", "x-one: 1\r\nX-Two: 2\r\n", "both"),
            ("h", "GET /?q=4", "x-one: 1\r\nX-Two: 2\r\n", "rest"),
            ("h", "GET /?q=3", "x-one: 1\r\n", "rest"),
            ("h", "GET /?q=3", "x-one: 1\r\nx-two: 22\r\n", "rest"),
            ("h", "GET /", "X-PICK: a\r\n", "either"),
            ("h", "GET /", "x-pick: bbb\r\n", "either"),
            ("h", "GET /", "x-pick: abbb\r\n", "rest"),
            ("h", "GET /?pick=c", "", "either"),
            ("h", "GET /?x=1&pick=d", "", "either"),
            ("h", "GET /?pick=e", "", "rest"),
            ("h", "GET /?pick", "", "rest"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_query_is_compared_after_decoding_it_once() {
    let mut named = Named::new(&["hit", "miss"]).await;
    named.scene.route(
        "query",
        json!({ "rules": [
        rule(json!({ "queryParams": [{ "name": "who", "value": "a b" }] }), "hit"),
        { "backendRefs": [{ "name": "miss", "port": 80 }] },
    ] }),
    );
    let (gateway, upstreams) = named.start().await;

    answers(
        &gateway,
        &[
            ("h", "GET /?who=a%20b", "", "hit"),
            ("h", "GET /?who=a+b", "", "hit"),
            ("h", "GET /?who=a%2520b", "", "miss"),
        ],
    )
    .await;
    assert_eq!(upstreams[0].lines()[0], "GET /?who=a%20b", "the query travels as it came");
}

#[tokio::test]
async fn methods_headers_and_queries_decide_in_that_order_behind_the_path() {
    let mut named = Named::new(&["longer", "method", "two", "one", "query", "plain"]).await;
    let header = |name: &str| json!({ "name": name, "value": "1" });
    let a = json!({ "type": "PathPrefix", "value": "/a" });
    // Written in the wrong order on purpose.
    named.scene.route(
        "order",
        json!({ "rules": [
        rule(json!({ "path": a }), "plain"),
        rule(json!({ "path": a, "queryParams": [header("q"), header("r")] }), "query"),
        rule(json!({ "path": a, "headers": [header("x")] }), "one"),
        rule(json!({ "path": a, "headers": [header("x"), header("y")] }), "two"),
        rule(json!({ "path": a, "method": "PUT" }), "method"),
        rule(json!({ "path": { "type": "PathPrefix", "value": "/a/b" } }), "longer"),
    ] }),
    );
    let (gateway, _upstreams) = named.start().await;

    let all = "x: 1\r\ny: 1\r\nContent-Length: 0\r\n";
    answers(
        &gateway,
        &[
            ("h", "PUT /a/b?q=1&r=1", all, "longer"),
            ("h", "PUT /a?q=1&r=1", all, "method"),
            ("h", "GET /a?q=1&r=1", all, "two"),
            ("h", "GET /a?q=1&r=1", "x: 1\r\n", "one"),
            ("h", "GET /a?q=1&r=1", "", "query"),
            ("h", "GET /a?q=1", "", "plain"),
            ("h", "GET /b", "", "-"),
        ],
    )
    .await;
}

#[tokio::test]
async fn between_equals_the_older_route_wins_then_the_name_then_the_order_of_rules() {
    let mut named = Named::new(&["old", "young", "first", "second"]).await;
    let here = |value: &str| json!({ "path": { "type": "PathPrefix", "value": value } });
    let dated = |name: &str, time: &str, path: &str, service: &str| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": name, "namespace": "default", "creationTimestamp": time },
            "spec": {
                "parentRefs": [{ "name": "edge" }],
                "rules": [rule(here(path), service)],
            },
        })
    };
    let at_name = |name: &str, service: &str| dated(name, "2026-03-03T00:00:00Z", "/name", service);
    named.scene.document(dated("a-young", "2026-02-02T00:00:00Z", "/age", "young"));
    named.scene.document(dated("z-old", "2026-01-01T00:00:00Z", "/age", "old"));
    named.scene.document(at_name("b", "second"));
    named.scene.document(at_name("a", "first"));
    named.scene.route("c", json!({ "rules": [rule(here("/rule"), "first"), rule(here("/rule"), "second")] }));
    let (gateway, _upstreams) = named.start().await;

    answers(
        &gateway,
        &[("h", "GET /age", "", "old"), ("h", "GET /name", "", "first"), ("h", "GET /rule", "", "first")],
    )
    .await;
}
