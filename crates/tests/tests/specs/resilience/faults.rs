//! Failures on purpose: for all, for none, for some, for those who ask.

use std::time::Duration;

use tokio::time::Instant;

use serde_json::json;
use tests::client::{fetch, fetch_with};
use tests::h2_client::{H2Client, request};
use tests::upstream::Upstream;

use super::{HOST, metric, policy, rule, scene, service};

#[tokio::test]
async fn of_none_all_or_some_requests_so_many_fail_and_no_upstream_sees_those() {
    // Of 600 requests at 30 percent, 180 are expected with a deviation of 11.2; six of them are allowed.
    for (percent, wanted) in [(0, 0..=0), (100, 600..=600), (30, 113..=247)] {
        let upstream = Upstream::recording().await;
        let mut scene = scene(&[upstream.address]);
        let spec = json!({ "abort": { "status": 418, "percent": percent } });
        policy(&mut scene, "FaultPolicy", "chaos", rule("all", "only"), spec);
        let gateway = scene.start().await;

        let mut failed = 0;
        for _ in 0..600 {
            let answer = fetch(gateway.entry, HOST, "/x").await;
            match answer.status {
                200 => {}
                418 => {
                    assert_eq!(answer.code().as_deref(), Some("fault_injected"));
                    failed += 1;
                }
                other => panic!("answered {other}"),
            }
        }

        assert!(wanted.contains(&failed), "{failed} of 600 at {percent} percent");
        assert_eq!(upstream.requests().len(), 600 - failed);
        assert_eq!(metric(&gateway, "selvedge_faults_aborted_total", "").await, failed as u64);
    }
}

#[tokio::test]
async fn only_requests_that_carry_what_is_asked_for_fail() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&[upstream.address]);
    let spec =
        json!({ "when": [{ "header": "X-Tester", "values": ["kim", "lee"] }], "abort": { "status": 503 } });
    policy(&mut scene, "FaultPolicy", "chaos", service("shop"), spec);
    let gateway = scene.start().await;

    for (fields, status) in
        [("", 200), ("X-Tester: sam\r\n", 200), ("x-tester: kim\r\n", 503), ("X-Tester: lee\r\n", 503)]
    {
        assert_eq!(fetch_with(gateway.entry, HOST, "/x", fields).await.status, status, "{fields}");
    }
}

#[tokio::test]
async fn a_delayed_request_is_held_back_and_then_answered() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&[upstream.address]);
    policy(&mut scene, "FaultPolicy", "chaos", service("shop"), json!({ "delay": { "fixed": "300ms" } }));
    let gateway = scene.start().await;

    let began = Instant::now();
    let answer = fetch(gateway.entry, HOST, "/x").await;

    assert_eq!(answer.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(metric(&gateway, "selvedge_faults_delayed_total", "").await, 1);
}

#[tokio::test]
async fn a_grpc_caller_is_failed_in_its_own_terms() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&[upstream.address]);
    policy(&mut scene, "FaultPolicy", "chaos", service("shop"), json!({ "abort": { "grpcStatus": 8 } }));
    let gateway = scene.start().await;
    let mut client = H2Client::connect(gateway.entry).await;
    let mut call = request("POST", HOST, "/pkg.Shop/Buy");
    call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    call.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));

    let answer = client.exchange(call, &[0, 0, 0, 0, 0], None).await.expect("an answer");

    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("8")));
}
