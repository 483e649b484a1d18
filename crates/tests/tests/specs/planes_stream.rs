//! Control plane and proxy in two processes: every edit arrives, as a whole, and nothing pays for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::HOST;
use proxy::Event;
use serde_json::json;
use tests::client::{RawClient, exchange, fetch, get};
use tests::control::{Control, Follower};
use tests::scene::Scene;
use tests::until::{eventually, eventually_some};
use tests::upstream::Upstream;

#[tokio::test]
async fn a_gateway_serves_what_its_control_plane_holds_and_follows_its_edits() {
    let (old, new) = (Upstream::recording().await, Upstream::recording().await);
    let scene = Scene::forwarding(&old);
    let control = Control::start(&scene.yaml()).await;
    let follower = Follower::serving(&control, &scene).await;
    assert_eq!(fetch(follower.entry, HOST, "/first").await.text(), "GET /first");

    let mut next = scene.clone();
    next.remove("EndpointSlice", "shop-0");
    next.remove("Service", "shop");
    next.service("shop", &[new.address]);
    let revision = control.edit(&next.yaml()).await;
    follower.reaches(revision).await;

    assert_eq!(fetch(follower.entry, HOST, "/second").await.text(), "GET /second");
    assert_eq!(new.lines(), ["GET /second"]);
}

#[tokio::test]
async fn forty_edits_through_the_stream_fail_no_request() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let control = Control::start(&scene.yaml()).await;
    let follower = Follower::serving(&control, &scene).await;
    let load = Load::on(follower.entry);

    for edit in 0..40 {
        let mut next = scene.clone();
        let to = format!("e{edit}.example");
        next.route("edit", json!({
            "hostnames": ["edit.example"],
            "rules": [{ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "hostname": to } }] }],
        }));
        let revision = control.edit(&next.yaml()).await;
        follower.reaches(revision).await;
        let answer = fetch(follower.entry, "edit.example", "/").await;
        let location = answer.header("location").unwrap_or_default();
        assert!(location.starts_with(&format!("http://{to}")), "edit {edit}: {location}");
    }

    let answered = load.stop().await;
    assert!(answered > 100, "only {answered} requests were made");
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn an_edit_of_one_route_is_one_small_push() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    for number in 0..50 {
        scene.route(&format!("r{number}"), json!({ "hostnames": [format!("h{number}.example")] }));
    }
    let control = Control::start(&scene.yaml()).await;
    let mut view = control.hub().views.join(&discovery::Interest::All);
    let before = view.view().borrow_and_update().clone();

    let mut next = scene.clone();
    next.remove("HTTPRoute", "r7");
    next.route("r7", json!({ "hostnames": ["other.example"] }));
    control.edit(&next.yaml()).await;
    view.view().changed().await.expect("the view moves on");

    let after = view.view().borrow().clone();
    let changed: Vec<String> = after.since(&before).iter().map(|change| change.name().to_string()).collect();
    assert_eq!(changed, ["HTTPRoute default/r7"]);
}

#[tokio::test]
async fn a_gateway_reports_itself_and_is_programmed() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let control = Control::start(&scene.yaml()).await;
    let follower = Follower::serving(&control, &scene).await;
    for _ in 0..5 {
        fetch(follower.entry, HOST, "/counted").await;
    }
    let hub = control.hub();
    let now = tokio::time::Instant::now;

    eventually("the gateway to be programmed", || {
        let programmed = hub.proxies.programmed(&hub.views, now());
        (programmed.current, programmed.live) == (1, 1)
    })
    .await;
    let proxy = hub.proxies.live(now()).remove(0);
    assert_eq!((&*proxy.name, proxy.epoch), ("edge-1", follower.progress().epoch));
    assert!(proxy.bound.iter().all(|bound| bound.error.is_none()) && !proxy.bound.is_empty());
    let rate = eventually_some("the requests to be counted", || async {
        hub.proxies.rates(now()).remove("default/all")
    })
    .await;
    assert!(rate.requests > 0.0 && rate.errors == 0.0, "{rate:?}");
}

#[tokio::test]
async fn a_gateway_with_an_unknown_token_is_refused_with_a_hint_and_hears_nothing() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let control = Control::start(&scene.yaml()).await;
    let mut options = control.gateway("edge-1");
    options.token.token = "another".into();

    let follower = Follower::start(options, scene.entry()).await;

    let told = eventually_some("the refusal", || async {
        follower.events().iter().find_map(selvedge::gateway::event::sentence)
    })
    .await;
    assert!(
        told.contains("the bearer token or certificate is not known") && told.contains("--token-file"),
        "{told}"
    );
    assert!(exchange(scene.entry(), get(HOST, "/", "")).await.is_err(), "nothing is served");
}

#[tokio::test]
async fn a_control_plane_of_another_authority_is_not_believed() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let (control, other) = (Control::start(&scene.yaml()).await, Control::start("").await);
    let mut options = control.gateway("edge-1");
    options.token.authority = other.token.authority;

    let follower = Follower::start(options, scene.entry()).await;

    let told = eventually_some("the refusal", || async {
        follower.events().iter().find_map(selvedge::gateway::event::sentence)
    })
    .await;
    assert!(told.contains("does not come from the authority in the token file"), "{told}");
    assert_eq!(follower.progress().epoch, 0);
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_is_told_to_both_planes() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let _holder = std::net::TcpListener::bind(scene.entry()).expect("a free address");
    let control = Control::start(&scene.yaml()).await;

    let follower = Follower::start(control.gateway("edge-1"), scene.entry()).await;

    follower.reaches(1).await;
    let unbound = follower.events().into_iter().any(|event| match event {
        Event::Applied { unbound, .. } => !unbound.is_empty(),
        Event::Connected(_) | Event::Lost { .. } | Event::CacheUnusable(_) => false,
    });
    assert!(unbound);
    eventually("the control plane to hear of it", || {
        let live = control.hub().proxies.live(tokio::time::Instant::now());
        live.iter().flat_map(|proxy| &proxy.bound).any(|bound| bound.error.is_some())
    })
    .await;
}

/// Clients that ask without a pause, and accept nothing but the right answer.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: tokio::task::JoinSet<usize>,
}

impl Load {
    pub fn on(entry: std::net::SocketAddr) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..4 {
            let stop = stop.clone();
            clients.spawn(async move {
                let mut client = RawClient::connect(entry).await;
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) {
                    let target = format!("/{number}/{answered}");
                    client.send(get(HOST, &target, "")).await;
                    let answer = client.answer().await;
                    assert_eq!((answer.status, answer.text()), (200, format!("GET {target}")));
                    answered += 1;
                }
                answered
            });
        }
        Load { stop, clients }
    }

    /// Ends it; how many requests were answered, which is all that were made.
    pub async fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = 0;
        while let Some(answered) = self.clients.join_next().await {
            total += answered.expect("no request failed");
        }
        total
    }
}
