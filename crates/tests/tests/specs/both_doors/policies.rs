//! Who may ask, at a gateway in front of replicas that have nobody beside them, and at the sidecar of one that has.

use serde_json::{Value, json};
use tests::bytes_upstream::BytesUpstream;
use tests::scene::Scene;
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, Verdict, mesh, request, same_but_for, workload, workload_speaking};

/// What AuthorizationPolicies for the same Service decide at both doors.
async fn verdicts(what: &str, policies: &[Value], requests: &[(&str, &str)]) -> Vec<Verdict> {
    verdicts_of("AuthorizationPolicy", what, policies, requests).await
}

/// The same policies for the same Service. Before the gateway it has addresses; beside the sidecar, a Workload.
async fn verdicts_of(kind: &str, what: &str, policies: &[Value], requests: &[(&str, &str)]) -> Vec<Verdict> {
    let upstreams: Upstreams = vec![("shop", Upstream::recording().await)];
    let backend = upstreams[0].1.address;
    let mut before = Scene::new();
    let mut beside = Scene::new();
    for scene in [&mut before, &mut beside] {
        scene.http();
        mesh(scene);
        for (number, spec) in policies.iter().enumerate() {
            scene.document(at_shop(kind, &format!("p{number}"), spec.clone()));
        }
    }
    before.service("shop", &[backend]);
    before.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let at = workload(&mut beside, backend);
    let (gateway, sidecar) = (Door::gateway(&before).await, Door::inbound(&beside, "shop-1", at).await);
    let requests: Vec<String> = requests.iter().map(|(line, more)| request(line, more)).collect();
    same_but_for(&["route"], what, [&gateway, &sidecar], &upstreams, &requests).await
}

/// A policy for the Service.
fn at_shop(kind: &str, name: &str, mut spec: Value) -> Value {
    spec["targetRefs"] = json!([{ "group": "", "kind": "Service", "name": "shop" }]);
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

fn decided(verdicts: &[Verdict]) -> Vec<(u16, Option<&str>)> {
    verdicts
        .iter()
        .map(|verdict| (verdict.status, verdict.log.get("policy").and_then(Value::as_str)))
        .collect()
}

#[tokio::test]
async fn the_same_policy_decides_at_both_doors() {
    let policies = [
        json!({ "action": "Allow", "rules": [
            { "name": "read", "to": [{ "methods": ["GET", "HEAD"], "paths": ["/items", "/items/*"] }] },
            { "name": "write", "to": [{ "methods": ["POST"] }], "when": [{ "header": "x-role", "values": ["writer"] }] },
            { "name": "cel", "condition": "request.method == 'PUT' && request.path.startsWith('/own')" },
        ] }),
        json!({ "action": "Deny", "rules": [
            { "name": "hidden", "to": [{ "paths": ["/items/secret"] }] },
            { "name": "banned", "when": [{ "header": "x-banned", "values": ["*"] }] },
        ] }),
        json!({ "action": "Audit", "rules": [{ "name": "noted", "to": [{ "paths": ["/items/2"] }] }] }),
    ];
    let empty = "Content-Length: 0\r\n";
    let requests = [
        ("GET /items", ""),
        ("GET /items/1", ""),
        ("HEAD /items/2", ""),
        ("GET /items/2", ""),
        ("GET /items/secret", ""),
        ("GET /items/%73ecret", ""),
        ("GET /items/x/../secret", ""),
        ("GET /other", ""),
        ("POST /items", empty),
        ("POST /items", "X-Role: writer\r\nContent-Length: 0\r\n"),
        ("POST /items", "X-Role: reader\r\nX-Role: writer\r\nContent-Length: 0\r\n"),
        ("PUT /own/1", empty),
        ("PUT /other/1", empty),
        ("GET /items", "X-Banned: 1\r\n"),
        ("DELETE /items/1", ""),
    ];

    let verdicts = verdicts("policies", &policies, &requests).await;

    let (allowed, hidden, nobody) = ((200, None), (403, Some("default/p1")), (403, Some("default/p0")));
    let decided = decided(&verdicts);
    assert_eq!(decided[..5], [allowed, allowed, allowed, allowed, hidden]);
    assert_eq!((decided[7], decided[8], decided[9], decided[13]), (nobody, nobody, allowed, hidden));
    assert_eq!((decided[11], decided[12]), (allowed, nobody));
    assert!(verdicts[3].log.contains_key("audit") && !verdicts[1].log.contains_key("audit"));
}

#[tokio::test]
async fn callers_are_known_by_their_address_at_both_doors_and_by_nothing_that_they_write() {
    let policies = [json!({ "action": "Allow", "rules": [
        { "name": "near", "from": [{ "ipBlocks": ["127.0.0.0/8"] }], "to": [{ "paths": ["/near"] }] },
        { "name": "far", "from": [{ "ipBlocks": ["10.0.0.0/8"] }] },
        { "name": "member", "from": [{ "identities": ["spiffe://bank.example/ns/default/sa/web"] }] },
    ] })];
    let requests = [
        ("GET /near", ""),
        ("GET /far", ""),
        ("GET /far", "X-Forwarded-For: 10.1.2.3\r\n"),
        ("GET /far", "X-Forwarded-Client-Cert: URI=spiffe://bank.example/ns/default/sa/web\r\n"),
    ];

    let verdicts = verdicts("callers", &policies, &requests).await;

    let nobody = (403, Some("default/p0"));
    assert_eq!(decided(&verdicts), [(200, None), nobody, nobody, nobody]);
}

#[tokio::test]
async fn from_where_a_service_may_be_asked_is_judged_at_both_doors() {
    let blocks = |denied: &str| [json!({ "allow": ["127.0.0.0/8"], "deny": [denied] })];
    let open = verdicts_of("IpPolicy", "near", &blocks("10.0.0.0/8"), &[("GET /", "")]).await;
    assert_eq!(decided(&open), [(200, None)]);

    let requests = [("GET /", ""), ("GET /", "X-Forwarded-For: 192.0.2.7\r\n")];
    let kept_out = verdicts_of("IpPolicy", "far", &blocks("127.0.0.0/8"), &requests).await;
    assert_eq!(decided(&kept_out), [(403, Some("default/p0")), (403, Some("default/p0"))]);
}

#[tokio::test]
async fn connections_to_a_replica_come_from_where_policies_for_its_service_let_them() {
    for (blocks, heard) in [("192.0.2.0/24", Some(b'a')), ("127.0.0.0/8", None)] {
        let upstream = BytesUpstream::new().await;
        let mut scene = Scene::new();
        scene.http();
        mesh(&mut scene);
        let at = workload_speaking(&mut scene, "TCP", upstream.address);
        let _saying = upstream.saying(b'a');
        scene.document(at_shop("IpPolicy", "office", json!({ "deny": [blocks] })));
        let sidecar = Door::inbound(&scene, "shop-1", at).await;

        assert_eq!(sidecar.first_byte().await, heard, "{blocks}");

        if heard.is_none() {
            let line = sidecar.logged("address_denied").await;
            assert_eq!(
                (&line["protocol"], &line["policy"]),
                (&json!("TCP"), &json!("default/office")),
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn a_limit_at_a_service_holds_at_the_door_of_its_replica_and_is_told_as_at_a_route() {
    let upstreams: Upstreams = vec![("shop", Upstream::recording().await)];
    let mut scene = Scene::new();
    scene.http();
    mesh(&mut scene);
    let at = workload(&mut scene, upstreams[0].1.address);
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "RateLimitPolicy",
        "metadata": { "name": "daily", "namespace": "default" },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": "shop", "sectionName": "http" }],
            "limits": [{ "name": "two", "requests": 2, "per": "24h" }],
        },
    }));
    let door = Door::inbound(&scene, "shop-1", at).await;

    let mut statuses = Vec::new();
    for _ in 0..3 {
        let verdict = door.ask(&request("GET /items", ""), &upstreams).await;
        statuses
            .push((verdict.status, verdict.log.get("failure").and_then(Value::as_str).map(str::to_owned)));
    }

    assert_eq!(statuses, [(200, None), (200, None), (429, Some("rate_limited".to_owned()))]);
}
