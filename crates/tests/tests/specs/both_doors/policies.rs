//! Who may ask, at a gateway in front of replicas that have nobody beside them, and at the sidecar of one that has.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tests::address;
use tests::scene::Scene;
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, Verdict, mesh, request, same_but_for};

/// The same policies for the same Service. Before the gateway it has addresses; beside the sidecar, a Workload.
async fn verdicts(what: &str, policies: &[Value], requests: &[(&str, &str)]) -> Vec<Verdict> {
    let upstreams: Upstreams = vec![("shop", Upstream::recording().await)];
    let backend = upstreams[0].1.address;
    let mut before = Scene::new();
    let mut beside = Scene::new();
    for scene in [&mut before, &mut beside] {
        scene.http();
        mesh(scene);
        for (number, spec) in policies.iter().enumerate() {
            let mut spec = spec.clone();
            spec["targetRefs"] = json!([{ "group": "", "kind": "Service", "name": "shop" }]);
            scene.policy(&format!("p{number}"), spec);
        }
    }
    before.service("shop", &[backend]);
    before.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let at = workload(&mut beside, backend);
    let (gateway, sidecar) = (Door::gateway(&before).await, Door::inbound(&beside, "shop-1", at).await);
    let requests: Vec<String> = requests.iter().map(|(line, more)| request(line, more)).collect();
    same_but_for(&["route"], what, [&gateway, &sidecar], &upstreams, &requests).await
}

/// A workload with a sidecar in front of an application; where it is called without proof.
fn workload(scene: &mut Scene, application: SocketAddr) -> SocketAddr {
    let (at, door) = (address::free(), address::free());
    scene.document(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "shop", "namespace": "default" },
        "spec": { "selector": { "app": "shop" }, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] },
    }));
    scene.document(json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": "shop-1", "namespace": "default", "labels": { "app": "shop" } },
        "spec": {
            "address": at.ip().to_string(), "serviceAccount": "shop", "sidecar": { "port": door.port() },
            "ports": [{ "name": "http", "port": at.port(), "protocol": "HTTP", "targetPort": application.port() }],
            "application": { "address": application.ip().to_string() },
        },
    }));
    at
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
