//! Change without harm: edits take effect soon, and no request and no connection pays for them.

use crate::stage::HOST;
use serde_json::json;
use tests::client::{RawClient, fetch, get};
use tests::gate::Gate;
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::upstream::Upstream;

#[tokio::test]
async fn an_edit_takes_effect_without_closing_a_connection() {
    let (old, new) = (Upstream::recording().await, Upstream::recording().await);
    let scene = Scene::forwarding(&old);
    let gateway = scene.start().await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get(HOST, "/before", "")).await;
    assert_eq!(client.answer().await.text(), "GET /before");

    let mut next = scene.clone();
    next.remove("EndpointSlice", "shop-0");
    next.remove("Service", "shop");
    next.service("shop", &[new.address]);
    gateway.edit(&next.yaml()).await;
    tests::until::eventually_some("traffic to move", || async {
        fetch(gateway.entry, HOST, "/probe").await;
        (!new.requests().is_empty()).then_some(())
    })
    .await;

    client.send(get(HOST, "/after", "")).await;
    assert_eq!(client.answer().await.text(), "GET /after");
    assert!(new.lines().contains(&"GET /after".to_owned()));
}

#[tokio::test]
async fn forty_edits_under_load_fail_no_request() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let gateway = scene.start().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut load = tokio::task::JoinSet::new();
    for number in 0..4 {
        let (entry, stop) = (gateway.entry, stop.clone());
        load.spawn(async move {
            let mut client = RawClient::connect(entry).await;
            let mut answered = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let target = format!("/{number}/{answered}");
                client.send(get(HOST, &target, "")).await;
                let answer = client.answer().await;
                assert_eq!((answer.status, answer.text()), (200, format!("GET {target}")));
                answered += 1;
            }
            answered
        });
    }

    for edit in 0..40 {
        let mut next = scene.clone();
        next.route(&format!("edit-{edit}"), json!({
            "hostnames": ["edit.example"],
            "rules": [{ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "hostname": format!("e{edit}.example") } }] }],
        }));
        gateway.edit(&next.yaml()).await;
        let wanted = format!("e{edit}.example");
        gateway
            .until("edit.example", "/", |answer| {
                answer.header("location").is_some_and(|to| to.contains(&wanted))
            })
            .await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);

    let mut total = 0;
    while let Some(answered) = load.join_next().await {
        total += answered.expect("no request failed");
    }
    assert!(total > 100, "only {total} requests were made");
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn an_edit_with_five_mistakes_reports_five_and_changes_nothing() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let gateway = scene.start().await;
    let mistakes = "\n---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: Bad_Name
spec:
  parentRefs:
  - name: edge
  hostnames:
  - not a host
  rules:
  - matches:
    - path: { type: Prefix, value: /x }
    timeouts: { request: soon }
    backendRefs:
    - name: shop
      port: 99999
";

    gateway.edit(&(scene.yaml() + mistakes)).await;

    for said in [
        "5 problems",
        "gateway.yaml:",
        "metadata.name",
        "hostnames[0]",
        "path.type",
        "timeouts.request",
        "backendRefs[0].port",
    ] {
        let told = gateway.stderr().find(said, |line| line.contains(said).then_some(())).await;
        assert_eq!(told, Ok(()));
    }
    assert_eq!(fetch(gateway.entry, HOST, "/still").await.text(), "GET /still");
}

#[tokio::test]
async fn a_deleted_listener_finishes_what_it_carries_and_takes_nothing_new() {
    let (arrived, go) = (Gate::closed(), Gate::closed());
    let (there, wait) = (arrived.clone(), go.clone());
    let upstream = Upstream::scripted(move |request| {
        if request.target != "/slow" {
            return script::honest(request);
        }
        vec![
            Step::Open(there.clone()),
            Step::Wait(wait.clone()),
            Step::Send(script::response("200 OK", &[], b"finished")),
        ]
    })
    .await;
    let mut scene = Scene::forwarding(&upstream);
    let second = scene.http();
    let gateway = scene.start().await;
    let mut busy = RawClient::connect(second).await;
    let mut idle = RawClient::connect(second).await;
    idle.send(get(HOST, "/idle", "")).await;
    assert_eq!(idle.answer().await.text(), "GET /idle");
    busy.send(get(HOST, "/slow", "")).await;
    arrived.passed().await;

    scene.remove_listener("http-1");
    gateway.edit(&scene.yaml()).await;
    tests::until::eventually_some("the port to be closed", || async {
        RawClient::try_connect(second).await.is_err().then_some(())
    })
    .await;
    go.open();

    let answer = busy.answer().await;
    assert_eq!(answer.text(), "finished");
    assert_eq!(busy.closes().await, Ok(()));
    assert_eq!(fetch(gateway.entry, HOST, "/other").await.status, 200, "the other listener is not concerned");
}

#[tokio::test]
async fn a_listener_that_comes_back_is_served_again() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    let second = scene.http();
    let gateway = scene.start().await;
    assert_eq!(fetch(second, HOST, "/one").await.status, 200);
    let whole = scene.clone();
    scene.remove_listener("http-1");

    gateway.edit(&scene.yaml()).await;
    tests::until::eventually_some("the port to be closed", || async {
        RawClient::try_connect(second).await.is_err().then_some(())
    })
    .await;
    gateway.edit(&whole.yaml()).await;
    tests::until::eventually_some("the port to be open", || async {
        RawClient::try_connect(second).await.ok().map(drop)
    })
    .await;

    assert_eq!(fetch(second, HOST, "/two").await.text(), "GET /two");
}

#[tokio::test]
async fn a_request_keeps_the_configuration_it_began_with() {
    let (arrived, go) = (Gate::closed(), Gate::closed());
    let (there, wait) = (arrived.clone(), go.clone());
    let upstream = Upstream::scripted(move |request| {
        if request.target != "/slow" {
            return script::honest(request);
        }
        vec![
            Step::Open(there.clone()),
            Step::Wait(wait.clone()),
            Step::Send(script::response("200 OK", &[], b"slow")),
        ]
    })
    .await;
    let with_mark = |mark: &str| {
        let mut scene = Scene::forwarding(&upstream);
        scene.remove("HTTPRoute", "all");
        scene.route("all", json!({ "rules": [{
            "filters": [{ "type": "ResponseHeaderModifier", "responseHeaderModifier": { "set": [{ "name": "X-Mark", "value": mark }] } }],
            "backendRefs": [{ "name": "shop", "port": 80 }],
        }] }));
        scene
    };
    let old = with_mark("old");
    let gateway = old.start().await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get(HOST, "/slow", "")).await;
    arrived.passed().await;

    gateway.edit(&old.yaml().replace("\"old\"", "\"new\"")).await;
    gateway.until(HOST, "/fast", |answer| answer.header("x-mark") == Some("new")).await;
    go.open();

    assert_eq!(client.answer().await.header("x-mark"), Some("old"));
}
