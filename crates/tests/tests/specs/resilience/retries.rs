//! What is sent again, how often, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};
use tests::client::{RawClient, exchange, fetch, fetch_with};
use tests::h2_client::{H2Client, request};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::script::{self, Script, Step};
use tests::upstream::Upstream;

use super::{HOST, metric, resilience, route, rule, scene, service};

/// Plays `bad` for the first `times` requests and is honest from then on.
async fn failing_first(times: usize, bad: impl Fn() -> Script + Send + Sync + 'static) -> Upstream {
    let left = AtomicUsize::new(times);
    Upstream::scripted(move |request| {
        let fails = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { bad() } else { script::honest(request) }
    })
    .await
}

fn retries(on: Value) -> Value {
    json!({ "retries": { "retryOn": on, "budget": { "minRetriesPerSecond": 100 } } })
}

fn busy() -> Script {
    script::answer("503 Service Unavailable", &[], b"busy")
}

#[tokio::test]
async fn every_condition_is_retried_where_it_is_listed_and_nowhere_else() {
    type Bad = fn() -> Script;
    let table: [(&str, Value, Bad); 6] = [
        ("a reset", json!(["reset"]), || vec![Step::ReadBody, Step::Reset]),
        ("an end without an answer", json!(["reset"]), || vec![Step::ReadBody, Step::Close]),
        ("a status", json!([503]), busy),
        ("a status in quotation marks", json!(["429"]), || script::answer("429 Too Many", &[], b"")),
        ("an error of a gateway", json!(["gateway-error"]), || script::answer("502 Bad Gateway", &[], b"")),
        ("an answer that makes no sense", json!([502]), || vec![Step::Send(b"nonsense\r\n\r\n".to_vec())]),
    ];
    for (what, on, bad) in table {
        for (listed, on) in [(true, on), (false, json!([418]))] {
            let upstream = failing_first(1, bad).await;
            let mut scene = scene(&[upstream.address]);
            resilience(&mut scene, service("shop"), retries(on));
            let gateway = scene.start().await;

            let answer = fetch(gateway.entry, HOST, "/x").await;

            let wanted = if listed { (true, 2) } else { (false, 1) };
            assert_eq!((answer.status == 200, upstream.requests().len()), wanted, "{what}, listed: {listed}");
        }
    }
}

#[tokio::test]
async fn a_failed_connect_moves_on_to_another_endpoint_whatever_the_method() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&[upstream.address, tests::address::free()]);
    resilience(&mut scene, service("shop"), retries(json!(["connect-failure"])));
    let gateway = scene.start().await;

    for number in 0..20 {
        let post = format!("POST /{number} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(exchange(gateway.entry, post).await.expect("an answer").status, 200);
    }

    assert_eq!(upstream.requests().len(), 20);
    assert!(upstream.requests().iter().all(|request| request.body == b"body"));
}

#[tokio::test]
async fn a_method_that_is_not_idempotent_is_repeated_only_where_the_policy_says_so() {
    for (methods, seen) in [(None, 1), (Some(json!(["POST"])), 2)] {
        let upstream = failing_first(1, busy).await;
        let mut scene = scene(&[upstream.address]);
        let mut spec = retries(json!([503]));
        if let Some(methods) = methods {
            spec["retries"]["methods"] = methods;
        }
        resilience(&mut scene, route("all"), spec);
        let gateway = scene.start().await;

        let post = format!("POST /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody");
        let answer = exchange(gateway.entry, post).await.expect("an answer");

        assert_eq!((answer.status == 200, upstream.requests().len()), (seen == 2, seen));
    }
}

#[tokio::test]
async fn a_body_is_sent_again_as_it_was_if_it_is_not_too_long() {
    let length = format!("PUT /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 11\r\n\r\nhello again");
    let chunked = format!(
        "PUT /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n again\r\n0\r\n\r\n"
    );
    for sent in [length, chunked] {
        for (room, seen) in [("64Ki", 2), ("10", 1)] {
            let upstream = failing_first(1, busy).await;
            let mut scene = scene(&[upstream.address]);
            let mut spec = retries(json!([503]));
            spec["retries"]["bodyBytesMax"] = json!(room);
            resilience(&mut scene, rule("all", "only"), spec);
            let gateway = scene.start().await;

            let answer = exchange(gateway.entry, &sent).await.expect("an answer");

            assert_eq!(
                (answer.status == 200, upstream.requests().len()),
                (seen == 2, seen),
                "{sent} in {room}"
            );
            assert!(upstream.requests().iter().all(|request| request.body == b"hello again"));
            assert_eq!(upstream.exact(), Ok(()));
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_again_once_an_answer_has_begun() {
    let upstream = failing_first(1, || {
        let mut bytes = script::response("200 OK", &[], b"0123456789");
        bytes.truncate(bytes.len() - 5);
        vec![Step::ReadBody, Step::Send(bytes), Step::Reset]
    })
    .await;
    let mut scene = scene(&[upstream.address]);
    resilience(&mut scene, service("shop"), retries(json!(["reset", "gateway-error"])));
    let gateway = scene.start().await;

    let mut client = RawClient::connect(gateway.entry).await;
    client.send(tests::client::get(HOST, "/x", "")).await;

    assert!(client.try_answer().await.is_err(), "an answer that ends too early is not whole");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn under_a_full_outage_retries_stay_within_their_budget() {
    const REQUESTS: usize = 400;
    let upstream = Upstream::always(busy()).await;
    let mut scene = scene(&[upstream.address]);
    let spec = json!({ "retries": {
        "attempts": 10, "retryOn": [503], "backoff": { "base": "1ms", "max": "1ms" },
        "budget": { "percent": 20, "minRetriesPerSecond": 0 },
    } });
    resilience(&mut scene, service("shop"), spec);
    let gateway = scene.start().await;

    for number in 0..REQUESTS {
        assert_eq!(fetch(gateway.entry, HOST, &format!("/{number}")).await.status, 503);
    }

    let retried = upstream.requests().len() - REQUESTS;
    assert!(retried * 100 <= REQUESTS * 20, "{retried} retries of {REQUESTS} requests");
    assert!(retried * 100 >= REQUESTS * 15, "only {retried} retries: the budget is there to be used");
    let told = metric(&gateway, "selvedge_upstream_retries_total", "shop").await;
    assert_eq!(told, retried as u64);
    assert!(metric(&gateway, "selvedge_upstream_retries_denied_total", "shop").await > 0);
}

#[tokio::test]
async fn retries_do_not_multiply_over_hops_that_trust_each_other() {
    for (trusts, seen) in [(true, 3), (false, 9)] {
        let upstream = Upstream::always(busy()).await;
        let again = json!({ "retries": {
            "attempts": 2, "retryOn": [503], "backoff": { "base": "1ms", "max": "1ms" },
            "budget": { "minRetriesPerSecond": 100 },
        } });
        let mut inner = scene(&[upstream.address]);
        resilience(&mut inner, service("shop"), again.clone());
        inner.parameters(json!({ "trustedHops": u8::from(trusts) }));
        let inner = inner.start().await;
        let mut outer = scene(&[inner.entry]);
        resilience(&mut outer, service("shop"), again);
        let outer = outer.start().await;

        // What a client claims is not believed.
        let answer = fetch_with(outer.entry, HOST, "/x", "selvedge-attempt: 7\r\n").await;

        assert_eq!((answer.status, upstream.requests().len()), (503, seen), "trusted: {trusts}");
        let requests = upstream.requests();
        let attempts: Vec<&str> =
            requests.iter().filter_map(|seen| seen.header("selvedge-attempt")).collect();
        assert_eq!(attempts[0], "1");
        if !trusts {
            assert_eq!(attempts, ["1", "2", "3", "1", "2", "3", "1", "2", "3"]);
        }
    }
}

#[tokio::test]
async fn a_request_that_was_refused_unseen_is_sent_again_whatever_its_method() {
    let first = Arc::new(AtomicUsize::new(0));
    let upstream = H2Upstream::serving(move |seen| match first.fetch_add(1, SeqCst) {
        0 => Reply::Reset(h2::Reason::REFUSED_STREAM),
        _ => Reply::Whole {
            status: 200,
            headers: Vec::new(),
            body: seen.line().into_bytes(),
            trailers: Vec::new(),
        },
    })
    .await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    resilience(&mut scene, service("shop"), retries(json!(["refused"])));
    let gateway = scene.start().await;
    let mut client = H2Client::connect(gateway.entry).await;

    let answer = client.exchange(request("POST", HOST, "/buy"), b"once", None).await.expect("an answer");

    assert_eq!((answer.status, answer.text().as_str()), (200, "POST /buy"));
    assert_eq!(upstream.requests().last().expect("a request").body, b"once");
}

#[tokio::test]
async fn a_grpc_status_without_messages_is_retried_where_it_is_listed() {
    for (on, wanted) in [("unavailable", "0"), ("internal", "14")] {
        let first = Arc::new(AtomicUsize::new(0));
        let upstream = H2Upstream::serving(move |_| {
            let status = if first.fetch_add(1, SeqCst) == 0 { "14" } else { "0" };
            let headers =
                vec![("content-type", "application/grpc".to_owned()), ("grpc-status", status.to_owned())];
            Reply::Whole { status: 200, headers, body: Vec::new(), trailers: Vec::new() }
        })
        .await;
        let mut scene = tests::scene::Scene::new();
        scene.http();
        scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        let mut spec = retries(json!([on]));
        spec["retries"]["methods"] = json!(["POST"]);
        resilience(&mut scene, service("shop"), spec);
        let gateway = scene.start().await;
        let mut client = H2Client::connect(gateway.entry).await;
        let mut call = request("POST", HOST, "/pkg.Shop/Buy");
        call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
        call.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));

        let answer = client.exchange(call, &[0, 0, 0, 0, 0], None).await.expect("an answer");

        let status = answer.header("grpc-status").or(answer.trailer_all("grpc-status").first().copied());
        assert_eq!(status, Some(wanted), "retried on {on}");
    }
}

#[tokio::test]
async fn a_route_that_writes_its_own_retry_needs_no_policy() {
    let upstream = failing_first(1, || script::answer("500 Oh", &[], b"")).await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    let rule = json!({ "retry": { "codes": [500], "attempts": 1 }, "backendRefs": [{ "name": "shop", "port": 80 }] });
    scene.route("all", json!({ "rules": [rule] }));
    let gateway = scene.start().await;

    assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    assert_eq!(upstream.requests().len(), 2);
}
