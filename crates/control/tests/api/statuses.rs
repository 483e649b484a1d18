//! What became of each object, written into it.

use std::sync::Arc;

use control::reconcile;
use control::{ControlPlane, Options};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Client;
use crate::server::Server;

const ROOT: &str = "/apis/gateway.networking.k8s.io/v1";
const EDGE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways/edge";

async fn with_gateway(admin: &Client) {
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
        "spec": { "controllerName": "selvedge.dev/gateway-controller" },
    });
    admin.post(&format!("{ROOT}/gatewayclasses"), &class).await.fine();
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": "edge" },
        "spec": { "gatewayClassName": "selvedge", "listeners": [{ "name": "http", "protocol": "HTTP", "port": 8080 }] },
    });
    admin.post(&format!("{ROOT}/namespaces/shop/gateways"), &gateway).await.fine();
}

fn condition<'v>(object: &'v Value, kind: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array().expect("conditions");
    conditions.iter().find(|condition| condition["type"] == kind).expect("a condition of this type")
}

/// Waits until the Gateway says this of its generation.
async fn observed(admin: &Client, server: &Server, generation: u64) -> Value {
    let mut news = server.world.subscribe();
    loop {
        let edge = admin.get(EDGE).await.fine();
        let conditions = edge["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_observed = |condition: &Value| condition["observedGeneration"] == generation;
        if !conditions.is_empty() && conditions.iter().all(is_observed) {
            return edge;
        }
        news.changed().await.expect("the world goes on");
    }
}

#[tokio::test]
async fn conditions_follow_the_engine_and_keep_the_moment_of_their_last_change() {
    let server = Server::start().await;
    let admin = server.admin();
    with_gateway(&admin).await;
    let mut plane = ControlPlane::new(Options { bind: std::net::Ipv4Addr::LOCALHOST.into() });
    let mut compile = || Arc::new(plane.compile(server.world.now().resources).conditions.clone());
    let (tell, told) = watch::channel(compile());
    let loops = reconcile::start(&server.world, &server.clock, told, Vec::new());

    let first = observed(&admin, &server, 1).await;
    let change = json!({ "spec": { "listeners": [{ "name": "http", "protocol": "HTTP", "port": 9090 }] } });
    admin.patch(EDGE, "application/merge-patch+json", &change).await.fine();
    tell.send_replace(compile());
    let second = observed(&admin, &server, 2).await;

    assert_eq!(condition(&first, "Accepted")["status"], "True");
    assert_eq!(second["metadata"]["generation"], 2);
    assert_eq!(
        condition(&second, "Accepted")["lastTransitionTime"],
        condition(&first, "Accepted")["lastTransitionTime"]
    );
    let managers = second["metadata"]["managedFields"].as_array().expect("managers");
    let ours = managers.iter().find(|entry| entry["manager"] == "selvedge.dev/gateway-controller");
    assert_eq!(ours.expect("an entry of ours")["subresource"], "status");
    loops.stop().await;
}

#[tokio::test]
async fn a_status_that_agrees_is_not_written_again() {
    let server = Server::start().await;
    let admin = server.admin();
    with_gateway(&admin).await;
    let mut plane = ControlPlane::new(Options { bind: std::net::Ipv4Addr::LOCALHOST.into() });
    let mut compile = || Arc::new(plane.compile(server.world.now().resources).conditions.clone());
    let (tell, told) = watch::channel(compile());
    let loops = reconcile::start(&server.world, &server.clock, told, Vec::new());
    observed(&admin, &server, 1).await;

    let written = async |path: &str, field: &str| {
        let mut news = server.world.subscribe();
        loop {
            let answer = admin.get(path).await;
            if answer.code.is_success() && !answer.json().pointer(field).is_none_or(Value::is_null) {
                return;
            }
            news.changed().await.expect("the world goes on");
        }
    };
    written(&format!("{ROOT}/gatewayclasses/selvedge"), "/status/conditions").await;
    written("/api/v1/namespaces/shop", "/metadata/uid").await;
    written("/api/v1/namespaces/default", "/metadata/uid").await;
    tell.send_replace(compile());
    let before = server.world.now().revision;
    loops.stop().await;
    let loops = reconcile::start(&server.world, &server.clock, tell.subscribe(), Vec::new());
    loops.leading().wait_for(Option::is_some).await.expect("it leads");
    loops.stop().await;

    assert_eq!(server.world.now().revision, before);
}

#[tokio::test]
async fn people_cannot_write_a_status_with_the_object_nor_the_object_with_a_status() {
    let server = Server::start().await;
    let admin = server.admin();
    with_gateway(&admin).await;
    let mut edge = admin.get(EDGE).await.fine();
    edge["spec"]["listeners"][0]["port"] = 9090.into();
    edge["status"]["addresses"] = json!([{ "type": "IPAddress", "value": "192.0.2.1" }]);

    let status = admin.put(&format!("{EDGE}/status"), &edge).await.fine();
    edge["metadata"]["resourceVersion"] = status["metadata"]["resourceVersion"].clone();
    edge["status"]["addresses"] = json!([]);
    let whole = admin.put(EDGE, &edge).await.fine();

    assert_eq!(status["spec"]["listeners"][0]["port"], 8080);
    assert_eq!(status["status"]["addresses"][0]["value"], "192.0.2.1");
    assert_eq!(whole["spec"]["listeners"][0]["port"], 9090);
    assert_eq!(whole["status"]["addresses"][0]["value"], "192.0.2.1");
}
