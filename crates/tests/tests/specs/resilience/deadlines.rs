//! How long the caller waits is known at every hop, and nobody works on what nobody waits for.

use serde_json::json;
use tests::client::fetch_with;
use tests::h2_client::{H2Client, request, whole};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::script::Step;
use tests::tools;
use tests::upstream::Upstream;

use super::{HOST, resilience, route, scene};

fn speaking_grpc(upstream: &H2Upstream) -> tests::scene::Scene {
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    scene
}

#[tokio::test]
async fn a_grpc_timeout_is_kept_and_passed_on_with_what_is_left_of_it() {
    let upstream = H2Upstream::recording().await;
    let gateway = speaking_grpc(&upstream).start().await;
    let mut client = H2Client::connect(gateway.entry).await;
    let mut call = request("POST", HOST, "/pkg.Shop/Wait");
    call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    call.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
    call.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("500m"));

    // The request never ends, so the upstream never answers.
    let (response, _unfinished) = client.open(call, false).await.expect("room");
    let answer = whole(response).await.expect("an answer");

    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("4")));
    let seen = &upstream.requests()[0];
    let left = seen.header("grpc-timeout").and_then(|left| left.strip_suffix('m')).expect("milliseconds");
    assert!((1..=500).contains(&left.parse::<u32>().expect("a number")), "{left}");
}

#[tokio::test]
async fn a_python_grpc_client_s_deadline_reaches_the_server_behind_the_gateway() {
    let python = tools::python(&["grpc"]).await;
    let upstream = H2Upstream::serving(|_| Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/grpc".to_owned())],
        body: vec![0, 0, 0, 0, 0],
        trailers: vec![("grpc-status", "0")],
    })
    .await;
    let gateway = speaking_grpc(&upstream).start().await;
    const SCRIPT: &str = "
import sys, grpc
same = lambda message: message
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(channel.unary_unary('/shop.Shop/Buy', same, same)(b'', timeout=30))
";
    let output = tools::run(&python, &["-c", SCRIPT, &gateway.entry.to_string()]).await;

    assert!(output.success, "{}", output.stderr);
    let seen = &upstream.requests()[0];
    let left = seen.header("grpc-timeout").and_then(|left| left.strip_suffix('m')).expect("milliseconds");
    let left: u32 = left.parse().expect("a number");
    assert!((1..=30_000).contains(&left), "{left} ms of 30 s are left");
    assert!(seen.header("selvedge-timeout-ms").is_some());
}

#[tokio::test]
async fn only_a_trusted_proxy_s_word_of_the_time_left_is_taken() {
    for (hops, status, kept) in [(1, 504, true), (0, 200, false)] {
        let upstream = Upstream::scripted(|request| match request.header("selvedge-timeout-ms") {
            Some(_) => vec![Step::Hang],
            None => tests::script::honest(request),
        })
        .await;
        let mut scene = scene(&[upstream.address]);
        scene.parameters(json!({ "trustedHops": hops }));
        let gateway = scene.start().await;

        let answer = fetch_with(gateway.entry, HOST, "/x", "selvedge-timeout-ms: 300\r\n").await;

        assert_eq!(answer.status, status, "trusted hops: {hops}");
        let seen = upstream.last();
        let left = seen.header("selvedge-timeout-ms").map(|left| left.parse::<u32>().expect("a number"));
        assert_eq!(left.is_some_and(|left| left <= 300), kept);
        if kept {
            assert_eq!(answer.code().as_deref(), Some("request_timeout"));
        }
    }
}

#[tokio::test]
async fn a_policy_bounds_the_request_the_attempt_and_silence_and_a_route_s_own_words_come_first() {
    let hang = || Upstream::always(vec![Step::ReadBody, Step::Hang]);
    for (timeouts, code) in [
        (json!({ "request": "200ms" }), "request_timeout"),
        (json!({ "attempt": "200ms" }), "upstream_timeout"),
        (json!({ "idle": "1s" }), "upstream_timeout"),
    ] {
        let upstream = hang().await;
        let mut scene = scene(&[upstream.address]);
        resilience(&mut scene, route("all"), json!({ "timeouts": timeouts }));
        let gateway = scene.start().await;

        let answer = fetch_with(gateway.entry, HOST, "/x", "").await;

        assert_eq!(answer.is_failure(504, code), Ok(()), "{timeouts}");
    }
    let upstream = hang().await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    let rule = json!({ "timeouts": { "request": "200ms" }, "backendRefs": [{ "name": "shop", "port": 80 }] });
    scene.route("all", json!({ "rules": [rule] }));
    resilience(&mut scene, route("all"), json!({ "timeouts": { "request": "1h" } }));
    let gateway = scene.start().await;

    let answer = fetch_with(gateway.entry, HOST, "/x", "").await;

    assert_eq!(answer.is_failure(504, "request_timeout"), Ok(()));
}
