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

/// A gateway that copies everything for `shop` to `copy`; protocols as `appProtocol` has them.
async fn copying(
    shop: (std::net::SocketAddr, Option<&str>),
    copy: (std::net::SocketAddr, Option<&str>),
) -> tests::gateway::Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.service_in("default", "shop", shop.1, &[shop.0]);
    scene.service_in("default", "copy", copy.1, &[copy.0]);
    let mirror = json!({ "backendRef": { "name": "copy", "port": 80 } });
    scene.route(
        "all",
        json!({ "rules": [{
        "filters": [{ "type": "RequestMirror", "requestMirror": mirror }],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }),
    );
    scene.start().await
}

const H2C: Option<&str> = Some("kubernetes.io/h2c");

async fn counted(gateway: &tests::gateway::Gateway, name: &str, value: u32) {
    tests::until::eventually_some(&format!("{name} to be {value}"), || async {
        let metrics = gateway.admin("/metrics").await.text();
        metrics.lines().any(|line| line == format!("{name} {value}")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_that_still_moves_when_the_answer_begins_is_copied_whole() {
    let answered = Gate::closed();
    let told = answered.clone();
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nea".to_vec()),
            Step::Open(told.clone()),
            Step::ReadBody,
            Step::Send(b"ly".to_vec()),
        ]
    })
    .await;
    let copy = Upstream::recording().await;
    let gateway = copying((upstream.address, None), (copy.address, None)).await;
    let mut client = RawClient::connect(gateway.entry).await;

    client.send("POST /m HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst").await;
    answered.passed().await;
    client.peek_for("ea").await.expect("the answer begins before the request has ended");
    client.send("other").await;

    assert_eq!(client.answer().await.text(), "ealy");
    copy.seen(1).await;
    assert_eq!(copy.last().body, b"firstother");
    assert_eq!(copy.exact(), Ok(()));
}

#[tokio::test]
async fn a_request_whose_rest_never_comes_is_not_copied_and_counted() {
    let upstream = Upstream::always(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        Step::Hang,
    ])
    .await;
    let copy = Upstream::recording().await;
    let gateway = copying((upstream.address, None), (copy.address, None)).await;
    let mut client = RawClient::connect(gateway.entry).await;

    client.send("POST /m HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst").await;

    assert_eq!(client.answer().await.text(), "ok");
    counted(&gateway, "selvedge_mirrors_skipped_total", 1).await;
    assert_eq!(copy.requests().len(), 0);
}

#[tokio::test]
async fn a_body_of_half_a_mebibyte_is_copied_and_one_of_two_is_not() {
    let (upstream, copy) = (Upstream::recording().await, Upstream::recording().await);
    let gateway = copying((upstream.address, None), (copy.address, None)).await;
    let post = |length: usize| {
        let mut bytes =
            format!("POST /{length} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + length, b'x');
        bytes
    };

    for length in [512 << 10, 2 << 20] {
        let answer = exchange(gateway.entry, post(length)).await.expect("an answer");
        assert_eq!(answer.text(), format!("POST /{length}"), "the original is carried whatever its size");
    }
    counted(&gateway, "selvedge_mirrors_skipped_total", 1).await;
    copy.seen(1).await;

    assert_eq!(copy.lines(), ["POST /524288"]);
    assert_eq!(copy.last().body.len(), 512 << 10);
}

/// A chunked body whose content would be a request of its own if it were passed on without frames.
const CHUNKED: &str = "POST /m HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum-a\r\n\r\n\
    36\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\nX-Padding: 1\r\n\r\n\r\n5\r\nhello\r\n0\r\nX-Checksum-A: 7\r\n\r\n";

#[tokio::test]
async fn a_chunked_body_arrives_whole_whichever_versions_the_upstream_and_the_mirror_speak() {
    let content = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\nX-Padding: 1\r\n\r\nhello";
    let mut broken = tests::broken::Broken::new();
    for (name, shop_is_h2, copy_is_h2) in
        [("1 to 1", false, false), ("1 to 2", false, true), ("2 to 1", true, false), ("2 to 2", true, true)]
    {
        let (shop, copy) = (Upstream::recording().await, Upstream::recording().await);
        let (shop2, copy2) = (
            tests::h2_upstream::H2Upstream::recording().await,
            tests::h2_upstream::H2Upstream::recording().await,
        );
        let shop_at = if shop_is_h2 { (shop2.address, H2C) } else { (shop.address, None) };
        let copy_at = if copy_is_h2 { (copy2.address, H2C) } else { (copy.address, None) };
        let gateway = copying(shop_at, copy_at).await;

        let answer = exchange(gateway.entry, CHUNKED).await.expect("an answer");
        assert_eq!(answer.text(), "POST /m");
        let requests = || if copy_is_h2 { copy2.requests() } else { copy.requests() };
        tests::until::eventually("the copy has arrived", || {
            requests().iter().any(|request| request.complete)
        })
        .await;

        let seen = requests();
        let lines: Vec<String> = seen.iter().map(tests::recorded::Recorded::line).collect();
        let whole = tests::broken::same("requests", &lines, &vec!["POST /m".to_owned()])
            .and(tests::broken::same("body", &String::from_utf8_lossy(&seen[0].body).as_ref(), &content))
            .and(tests::broken::same("trailers", &seen[0].trailers.len(), &1))
            .and(copy.exact());
        broken.note(name, whole);
    }
    broken.none();
}
