//! Control plane away is not outage: what was applied is served, from the disk if need be, and what comes back is
//! followed.

use std::path::Path;
use std::time::Duration;

use crate::planes_stream::Load;
use crate::stage::HOST;
use proxy::Event;
use selvedge::gateway::GatewayOptions;
use serde_json::json;
use tests::client::{exchange, fetch, get};
use tests::control::{Control, Follower, cache};
use tests::scene::Scene;
use tests::until::eventually_some;
use tests::upstream::Upstream;

pub fn marked(scene: &Scene, mark: &str) -> String {
    let mut next = scene.clone();
    next.remove("HTTPRoute", "all");
    next.route("all", json!({ "rules": [{
        "filters": [{ "type": "ResponseHeaderModifier", "responseHeaderModifier": { "set": [{ "name": "X-Mark", "value": mark }] } }],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }));
    next.yaml()
}

pub async fn mark(follower: &Follower) -> Option<String> {
    let answer = exchange(follower.entry, get(HOST, "/mark", "")).await.ok()?;
    answer.header("x-mark").map(str::to_owned)
}

#[tokio::test]
async fn a_control_plane_killed_under_load_costs_no_request_and_is_followed_when_it_is_back() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut control = Control::start(&scene.yaml()).await;
    let follower = Follower::serving(&control, &scene).await;
    let load = Load::on(follower.entry);

    control.kill();
    follower.is_alone().await;
    let before = upstream.requests().len();
    tests::until::eventually("traffic to go on without it", || upstream.requests().len() > before + 500)
        .await;
    control.revive().await;
    let revision = control.edit(&marked(&scene, "back")).await;
    tests::until::eventually_within(Duration::from_secs(30), "the edit to arrive", || {
        follower.progress().epoch >= revision
    })
    .await;

    assert_eq!(mark(&follower).await.as_deref(), Some("back"));
    assert!(load.stop().await > 500);
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn a_gateway_starts_from_its_cache_without_a_control_plane_and_converges_when_it_is_back() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut control = Control::start(&marked(&scene, "one")).await;
    let (_directory, cache) = cache();
    let follower = Follower::start(caching(&control, &cache), scene.entry()).await;
    follower.reaches(1).await;
    let revision = control.edit(&marked(&scene, "two")).await;
    follower.reaches(revision).await;
    follower.stop().await;
    control.kill();

    let follower = Follower::start(caching(&control, &cache), scene.entry()).await;

    assert_eq!(mark(&follower).await.as_deref(), Some("two"), "it serves as soon as it has started");
    let progress = follower.progress();
    assert!(progress.cached_age.is_some() && !progress.connected);
    let ready = fetch(follower.admin, "admin", "/ready").await;
    assert_eq!(ready.status, 200);
    assert!(
        ready.text().contains("control plane away") && ready.text().contains("from the cache"),
        "{}",
        ready.text()
    );
    let metrics = fetch(follower.admin, "admin", "/metrics").await.text();
    assert!(metrics.contains("selvedge_control_connected 0\n"), "{metrics}");
    assert!(metrics.contains(&format!("selvedge_control_epoch {revision}\n")), "{metrics}");
    assert!(metrics.contains("selvedge_config_age_seconds "), "{metrics}");

    control.revive().await;
    let revision = control.edit(&marked(&scene, "three")).await;
    tests::until::eventually_within(Duration::from_secs(30), "it to converge", || {
        follower.progress().epoch >= revision
    })
    .await;
    assert_eq!(mark(&follower).await.as_deref(), Some("three"));
    assert!(follower.progress().cached_age.is_none());
    let metrics = fetch(follower.admin, "admin", "/metrics").await.text();
    assert!(metrics.contains("selvedge_control_connected 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_damaged_cache_is_set_aside_and_the_gateway_waits_for_its_control_plane() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut control = Control::start(&scene.yaml()).await;
    let (_directory, cache) = cache();
    let follower = Follower::start(caching(&control, &cache), scene.entry()).await;
    follower.reaches(1).await;
    follower.stop().await;
    control.kill();
    let file = cache.join("config.cache");
    let mut bytes = std::fs::read(&file).expect("a cache");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).expect("a writable cache");

    let follower = Follower::start(caching(&control, &cache), scene.entry()).await;

    let told = follower
        .events()
        .iter()
        .filter_map(selvedge::gateway::event::sentence)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(told.contains("is damaged; it was set aside as"), "{told}");
    assert!(exchange(follower.entry, get(HOST, "/", "")).await.is_err(), "nothing is served of it");
    let ready = fetch(follower.admin, "admin", "/ready").await;
    assert_eq!((ready.status, ready.text()), (503, "waiting for the control plane\n".to_owned()));

    control.revive().await;
    eventually_some("it to serve", || async { exchange(follower.entry, get(HOST, "/", "")).await.ok() })
        .await;
}

#[tokio::test]
async fn a_reconnect_sends_the_difference_and_closes_nothing() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut control = Control::start(&scene.yaml()).await;
    let follower = Follower::serving(&control, &scene).await;
    let load = Load::on(follower.entry);

    for _ in 0..3 {
        control.kill();
        follower.is_alone().await;
        control.revive().await;
        tests::until::eventually("it to be connected again", || follower.progress().connected).await;
    }

    assert!(load.stop().await > 0);
    let changed = follower.events().iter().filter(|event| is_new(event)).count();
    assert_eq!(changed, 1, "nothing was different, so nothing was compiled again");
}

fn is_new(event: &Event) -> bool {
    match event {
        Event::Applied { is_new, .. } => *is_new,
        Event::Connected(_) | Event::Lost { .. } | Event::CacheUnusable(_) => false,
    }
}

fn caching(control: &Control, directory: &Path) -> GatewayOptions {
    let mut options = control.gateway("edge-1");
    options.cache = Some(directory.to_owned());
    options
}
