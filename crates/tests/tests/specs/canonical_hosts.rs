//! B3, B5: letter case of hosts and paths, whatever the number of routes, and fields that occur twice.

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::client::{fetch, fetch_with};
use tests::scene::Scene;
use tests::upstream::Upstream;

async fn with_hosts(count: usize) -> (tests::gateway::Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    for number in 0..count {
        scene.route(
            &format!("route-{number}"),
            json!({
                "hostnames": [format!("host-{number}.example")],
                "rules": [{
                    "matches": [{ "path": { "type": "PathPrefix", "value": "/Case" } }],
                    "backendRefs": [{ "name": "shop", "port": 80 }],
                }],
            }),
        );
    }
    (scene.start().await, upstream)
}

#[tokio::test]
async fn hosts_match_in_any_case_and_paths_in_one_whatever_the_number_of_routes() {
    for count in [1, 99, 101, 1000] {
        let (gateway, _upstream) = with_hosts(count).await;
        for number in [0, count / 2, count - 1] {
            let mixed = format!("HoSt-{number}.EXAMPLE");
            assert_eq!(fetch(gateway.entry, &mixed, "/Case").await.status, 200, "{mixed} of {count}");
            assert_eq!(fetch(gateway.entry, &mixed, "/C%61se/x").await.status, 200, "{mixed} of {count}");
            assert_eq!(fetch(gateway.entry, &mixed, "/case").await.status, 404, "{mixed} of {count}");
            assert_eq!(fetch(gateway.entry, &mixed, "/c%61se").await.status, 404, "{mixed} of {count}");
        }
        let answer = fetch(gateway.entry, &format!("host-{count}.example"), "/Case").await;
        assert_eq!(answer.is_failure(404, "no_route"), Ok(()));
    }
}

#[tokio::test]
async fn a_port_and_a_final_dot_are_not_part_of_the_host() {
    let (gateway, _upstream) = with_hosts(2).await;
    for host in ["host-1.example:80", "host-1.example:65535", "HOST-1.EXAMPLE:8080", "host-1.example."] {
        assert_eq!(fetch(gateway.entry, host, "/Case").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn only_the_first_of_a_repeated_field_or_query_counts() {
    let (left, right) = (Upstream::recording().await, Upstream::recording().await);
    let mut scene = Scene::new();
    scene.http();
    scene.service("left", &[left.address]);
    scene.service("right", &[right.address]);
    scene.route(
        "all",
        json!({ "rules": [
        {
            "matches": [
                { "headers": [{ "name": "X-Side", "value": "left" }] },
                { "queryParams": [{ "name": "side", "value": "left" }] },
            ],
            "backendRefs": [{ "name": "left", "port": 80 }],
        },
        { "backendRefs": [{ "name": "right", "port": 80 }] },
    ] }),
    );
    let gateway = scene.start().await;
    let vectors = [
        ("/1", "x-side: left\r\nX-Side: right\r\n", true),
        ("/2", "x-side: right\r\nX-Side: left\r\n", false),
        ("/3", "x-side:\r\nX-Side: left\r\n", false),
        ("/4", "x-side: left, right\r\n", false),
        ("/5", "x-side: LEFT\r\n", false),
        ("/6", "x-side:   left  \r\n", true),
        ("/7?side=left&side=right", "", true),
        ("/8?side=right&side=left", "", false),
        ("/9?Side=left", "", false),
        ("/10?xside=left", "", false),
        ("/11?a=b&side=left#", "", false),
    ];
    for (target, lines, is_left) in vectors {
        let answer = fetch_with(gateway.entry, HOST, target, lines).await;
        let went_left = left.lines().contains(&format!("GET {target}"));
        assert!(answer.status == 200 || answer.status == 400, "{target} {lines:?}: {}", answer.status);
        assert_eq!(went_left, is_left && answer.status == 200, "{target} {lines:?}");
    }
}

#[tokio::test]
async fn a_field_whose_value_is_not_text_fails_a_match_and_breaks_nothing() {
    let stage = Stage::new().await;
    let bytes = b"GET /bytes HTTP/1.1\r\nHost: a.example\r\nX-Side: \xff\r\n\r\n";

    let answer = tests::client::exchange(stage.gateway.entry, bytes).await.expect("an answer");

    assert!(answer.status == 200 || answer.is_failure(400, "bad_header").is_ok(), "{}", answer.status);
    assert_eq!(stage.bystander().await, Ok(()));
}
