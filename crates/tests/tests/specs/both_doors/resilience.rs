//! Timeouts, retries, faults and failures of upstreams, at both doors.

use serde_json::{Value, json};
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, Verdict, request, route, same, scene};

/// An upstream that does what the path says.
async fn moody() -> Upstream {
    Upstream::scripted(|request| match request.target.as_str() {
        "/silent" => vec![Step::ReadBody, Step::Hang],
        "/reset" => vec![Step::ReadBody, Step::Reset],
        "/close" => vec![Step::ReadBody, Step::Close],
        "/garbage" => vec![Step::ReadBody, Step::Send(b"SSH-2.0\r\n\r\n".to_vec()), Step::Close],
        "/two-lengths" => {
            let both = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec();
            vec![Step::ReadBody, Step::Send(both), Step::Close]
        }
        "/busy" => script::answer("503 Service Unavailable", &[("Retry-After", "1")], b"busy"),
        _ => script::honest(request),
    })
    .await
}

fn policy(scene: &mut Scene, kind: &str, name: &str, target: Value, mut spec: Value) {
    spec["targetRefs"] = json!([target]);
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    }));
}

fn of_route() -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "same" })
}

fn of_service() -> Value {
    json!({ "group": "", "kind": "Service", "name": "shop" })
}

async fn verdicts(
    what: &str,
    rules: Value,
    policies: impl Fn(&mut Scene),
    requests: &[(&str, &str)],
) -> Vec<Verdict> {
    let upstreams: Upstreams = vec![("shop", moody().await)];
    let mut scene = scene(&upstreams);
    scene.service("gone", &[tests::address::free()]);
    route(&mut scene, &rules);
    policies(&mut scene);
    let (gateway, sidecar) = (Door::gateway(&scene).await, Door::outbound(&scene).await);
    let requests: Vec<String> = requests.iter().map(|(line, more)| request(line, more)).collect();
    same(what, [&gateway, &sidecar], &upstreams, &requests).await
}

fn statuses(verdicts: &[Verdict]) -> Vec<u16> {
    verdicts.iter().map(|verdict| verdict.status).collect()
}

fn shop() -> Value {
    json!([{ "backendRefs": [{ "name": "shop", "port": 80 }] }])
}

#[tokio::test]
async fn upstreams_that_fail_are_the_same_failures_at_both_doors() {
    let rules = json!([
        { "matches": [{ "path": { "type": "Exact", "value": "/gone" } }], "backendRefs": [{ "name": "gone", "port": 80 }] },
        {
            "matches": [{ "path": { "type": "Exact", "value": "/silent" } }],
            "backendRefs": [{ "name": "shop", "port": 80 }], "timeouts": { "request": "300ms" },
        },
        { "backendRefs": [{ "name": "shop", "port": 80 }] },
    ]);
    let requests = ["/gone", "/silent", "/reset", "/close", "/garbage", "/two-lengths", "/busy", "/fine"]
        .map(|path| format!("GET {path}"));
    let requests: Vec<(&str, &str)> = requests.iter().map(|line| (line.as_str(), "")).collect();

    let verdicts = verdicts("failures", rules, |_| {}, &requests).await;

    assert_eq!(statuses(&verdicts), [503, 504, 502, 502, 502, 502, 503, 200]);
}

#[tokio::test]
async fn a_resilience_policy_means_the_same_at_both_doors() {
    let retry = json!({ "retries": { "attempts": 2, "retryOn": ["503", "reset"], "backoff": { "base": "1ms", "max": "2ms" }, "budget": { "percent": 100 } } });
    for (target, what) in [(of_route(), "of the route"), (of_service(), "of the Service")] {
        let policies = |scene: &mut Scene| {
            policy(scene, "ResiliencePolicy", "p", target.clone(), retry.clone());
        };
        let requests = [
            ("GET /busy", ""),
            ("GET /reset", ""),
            ("POST /busy", "Content-Length: 0\r\n"),
            ("GET /fine", ""),
        ];

        let verdicts = verdicts(what, shop(), policies, &requests).await;

        assert_eq!(statuses(&verdicts), [503, 502, 503, 200], "{what}");
        assert_eq!(verdicts[0].seen.len(), 3, "{what}: {:?}", verdicts[0].seen);
    }
}

#[tokio::test]
async fn a_fault_policy_means_the_same_at_both_doors() {
    let fault = json!({
        "when": [{ "header": "x-tester", "values": ["kim"] }], "abort": { "status": 418, "percent": 100 },
    });
    for (target, what) in [(of_route(), "of the route"), (of_service(), "of the Service")] {
        let policies = |scene: &mut Scene| policy(scene, "FaultPolicy", "f", target.clone(), fault.clone());
        let requests = [("GET /fine", ""), ("GET /fine", "X-Tester: kim\r\n")];

        let verdicts = verdicts(what, shop(), policies, &requests).await;

        assert_eq!(statuses(&verdicts), [200, 418], "{what}");
        assert_eq!(verdicts[1].log["failure"], json!("fault_injected"));
    }
}

/// F7: with all endpoints bad, and each left alone after its first failure, somebody is asked all the same.
#[tokio::test]
async fn past_the_panic_threshold_endpoints_are_asked_at_both_doors() {
    let upstreams: Upstreams = vec![("one", moody().await), ("two", moody().await)];
    let addresses: Vec<_> = upstreams.iter().map(|(_, upstream)| upstream.address).collect();
    let mut scene = scene(&upstreams);
    scene.service("shop", &addresses);
    route(&mut scene, &shop());
    let outlier = json!({ "consecutiveErrors": 1, "baseEjection": "60s", "maxEjectionPercent": 100, "panicThresholdPercent": 50 });
    policy(&mut scene, "ResiliencePolicy", "p", of_service(), json!({ "outlierDetection": outlier }));

    for door in [Door::gateway(&scene).await, Door::outbound(&scene).await] {
        for _ in 0..8 {
            let verdict = door.ask(&request("GET /busy", ""), &upstreams).await;
            assert_eq!((verdict.status, verdict.seen.len()), (503, 1), "{verdict:?}");
        }
        assert_eq!(door.ask(&request("GET /fine", ""), &upstreams).await.status, 200);
    }
}
