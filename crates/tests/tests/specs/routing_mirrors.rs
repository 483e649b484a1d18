//! Mirrors: a copy elsewhere, an honest share of them, and no effect on the answer.

use serde_json::{Value, json};
use tests::client::{RawClient, exchange, get};
use tests::gate::Gate;
use tests::scene::Scene;
use tests::script::Step;
use tests::upstream::Upstream;

async fn mirroring(copy: &Upstream, more: Value) -> (tests::gateway::Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.service("copy", &[copy.address]);
    let mut mirror = json!({ "backendRef": { "name": "copy", "port": 80 } });
    if let (Some(mirror), Some(more)) = (mirror.as_object_mut(), more.as_object()) {
        mirror.extend(more.clone());
    }
    scene.route("all", json!({ "rules": [{
        "filters": [
            { "type": "RequestMirror", "requestMirror": mirror },
            { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "X-Edited", "value": "1" }] } },
        ],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }));
    (scene.start().await, upstream)
}

#[tokio::test]
async fn every_request_is_copied_with_its_body_and_edits() {
    let copy = Upstream::recording().await;
    let (gateway, upstream) = mirroring(&copy, json!({})).await;
    let bytes = "POST /m?q=1 HTTP/1.1\r\nHost: h\r\nX-Mark: 7\r\nContent-Length: 5\r\n\r\nhello";

    let answer = exchange(gateway.entry, bytes).await.expect("an answer");
    copy.seen(1).await;

    assert_eq!(answer.text(), "POST /m?q=1");
    let (original, copied) = (upstream.last(), copy.last());
    assert_eq!((copied.line(), &copied.body), (original.line(), &original.body));
    assert_eq!(copied.header("x-mark"), Some("7"));
    assert_eq!(copied.header("x-edited"), Some("1"));
    assert_eq!(copied.header("host"), original.header("host"));
    assert_eq!(copy.exact(), Ok(()));
}

#[tokio::test]
async fn what_the_mirror_says_or_does_never_shows() {
    let held = Gate::closed();
    let wait = held.clone();
    let scripts = [
        tests::script::answer("500 Broken", &[("X-Mirror", "1")], b"mirror"),
        vec![Step::Reset],
        vec![Step::ReadBody, Step::Send(b"not http at all\r\n\r\n".to_vec())],
        vec![Step::Wait(wait), Step::Close],
    ];
    for script in scripts {
        let copy = Upstream::always(script).await;
        let (gateway, _upstream) = mirroring(&copy, json!({})).await;

        for number in 0..5 {
            let answer = tests::client::fetch(gateway.entry, "h", &format!("/{number}")).await;
            assert_eq!((answer.status, answer.text()), (200, format!("GET /{number}")));
            assert_eq!(answer.header_all("x-mirror"), Vec::<&str>::new());
        }
    }
    held.open();
}

#[tokio::test]
async fn a_mirror_that_is_not_there_harms_nobody() {
    let copy = Upstream::recording().await;
    let (gateway, _upstream) = mirroring(&copy, json!({})).await;
    drop(copy);

    for number in 0..5 {
        assert_eq!(tests::client::fetch(gateway.entry, "h", &format!("/{number}")).await.status, 200);
    }
}

async fn copies(more: Value, requests: usize) -> usize {
    let copy = Upstream::recording().await;
    let (gateway, _upstream) = mirroring(&copy, more).await;
    let mut client = RawClient::connect(gateway.entry).await;
    for _ in 0..requests {
        client.send(get("h", "/", "")).await;
        assert_eq!(client.answer().await.status, 200);
        // The gateway bounds copies in flight; a share is judged below that bound, so let them arrive.
        tokio::task::yield_now().await;
    }
    tests::until::settled("copies stop coming", || copy.requests().len()).await
}

#[tokio::test]
async fn percentages_and_fractions_are_honest() {
    // Four standard deviations around the share of a thousand requests.
    let half = copies(json!({ "percent": 50 }), 1000).await;
    let tenth = copies(json!({ "fraction": { "numerator": 1, "denominator": 10 } }), 1000).await;
    let per_thousand = copies(json!({ "fraction": { "numerator": 100, "denominator": 1000 } }), 1000).await;
    let none = copies(json!({ "percent": 0 }), 200).await;
    let all = copies(json!({ "percent": 100 }), 200).await;

    assert!((437..=563).contains(&half), "{half} of 1000 for 50 %");
    assert!((62..=138).contains(&tenth), "{tenth} of 1000 for 1/10");
    assert!((62..=138).contains(&per_thousand), "{per_thousand} of 1000 for 100/1000");
    assert_eq!((none, all), (0, 200));
}
