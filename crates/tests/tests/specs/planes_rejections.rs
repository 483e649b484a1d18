//! An object that a proxy cannot read costs that object and nothing else; what was to protect something is not passed
//! over.
//!
//! A control plane sends only what it could read itself, so these come from one that is newer than the proxy: a stream
//! of its own making, with the state machine that both ends share.

use std::sync::Arc;

use crate::both_doors::stage::{mesh, workload};
use crate::stage::HOST;
use discovery::messages::Content;
use discovery::{Change, Interest, Object, ObjectName, TypeName, View};
use model::yaml;
use tests::client::fetch;
use tests::control::Follower;
use tests::newer::Newer;
use tests::scene::Scene;
use tests::until::eventually;
use tests::upstream::Upstream;

fn objects(scene: &Scene) -> Vec<Change> {
    let read = yaml::read(&scene.yaml(), "spec.yaml");
    let encode = |resource| Change::Put(Arc::new(control::view::encode(resource)));
    read.resources.iter().map(encode).collect()
}

fn unreadable(of: &str, name: &str, parents: &[&str], denies: bool) -> Change {
    let json = br#"{ "kind": "Later", "spec": { "unheard": "of" } }"#.to_vec();
    let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
    let name = ObjectName { of: TypeName::new(of), name: name.into() };
    Change::Put(Arc::new(Object::new(name, &Content { json: json.into(), parents, denies })))
}

fn rejected(newer: &Newer) -> Vec<String> {
    newer.rejected().iter().map(|rejection| rejection.object.to_string()).collect()
}

#[tokio::test]
async fn one_broken_route_among_many_is_named_keeps_its_last_good_version_and_the_rest_applies() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    let newer = Newer::start(View::empty(1).next(2, objects(&scene))).await;
    let follower = Follower::start(newer.gateway("edge-1"), scene.entry()).await;
    follower.reaches(2).await;

    scene.route("redirect", serde_json::json!({
        "hostnames": ["new.example"],
        "rules": [{ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "hostname": "to.example" } }] }],
    }));
    let mut changes = objects(&scene);
    changes.retain(|change| change.name().name.ends_with("/redirect"));
    changes.push(unreadable("HTTPRoute", "default/all", &["Gateway/default/edge"], false));
    newer.push(changes);
    follower.reaches(3).await;

    assert_eq!(fetch(follower.entry, HOST, "/still").await.text(), "GET /still", "the last good version");
    assert_eq!(fetch(follower.entry, "new.example", "/").await.status, 302, "the rest of the push");
    eventually("the control plane to know", || rejected(&newer) == ["HTTPRoute default/all"]).await;
    assert!(newer.rejected()[0].problem.contains("the kind `Later` is not known"), "{:?}", newer.rejected());
}

#[tokio::test]
async fn a_policy_that_the_proxy_is_too_old_for_refuses_traffic_to_its_target_at_once() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let newer = Newer::start(View::empty(1).next(2, objects(&scene))).await;
    let follower = Follower::start(newer.gateway("edge-1"), scene.entry()).await;
    follower.reaches(2).await;
    assert_eq!(fetch(follower.entry, HOST, "/before").await.status, 200);

    newer.push(vec![unreadable("LaterPolicy", "default/strict", &["HTTPRoute/default/all"], true)]);
    follower.reaches(3).await;

    assert_eq!(fetch(follower.entry, HOST, "/denied").await.status, 500);
    assert_eq!(upstream.lines(), ["GET /before"], "nothing reaches the backend");
    eventually("the control plane to know", || rejected(&newer) == ["LaterPolicy default/strict"]).await;

    newer.push(vec![Change::Removed(ObjectName {
        of: TypeName::new("LaterPolicy"),
        name: "default/strict".into(),
    })]);
    follower.reaches(4).await;
    assert_eq!(fetch(follower.entry, HOST, "/after").await.text(), "GET /after");
}

#[tokio::test]
async fn a_gateway_that_starts_from_its_cache_still_denies_what_it_could_not_read() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut all = objects(&scene);
    all.push(unreadable("BackendTLSPolicy", "default/strict", &["Service/default/shop"], true));
    let newer = Newer::start(View::empty(1).next(2, all)).await;
    let (_directory, cache) = tests::control::cache();
    let options = || {
        let mut options = newer.gateway("edge-1");
        options.cache = Some(cache.clone());
        options
    };
    let (first, mut second) = (options(), options());
    let follower = Follower::start(first, scene.entry()).await;
    follower.reaches(2).await;
    follower.stop().await;

    second.controls =
        vec![format!("https://{}", tests::address::free()).parse().expect("an address of nobody")];
    let follower = Follower::start(second, scene.entry()).await;

    assert_eq!(fetch(follower.entry, HOST, "/denied").await.status, 500);
    assert!(upstream.requests().is_empty(), "nothing reaches the backend");
}

#[tokio::test]
async fn what_a_sidecar_is_too_old_for_closes_its_doors_where_it_denies_and_costs_nothing_else() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    mesh(&mut scene);
    let door = workload(&mut scene, upstream.address);
    let newer = Newer::start(View::empty(1).next(2, objects(&scene))).await;
    let mut options = newer.gateway("shop-1");
    options.serve = Interest::Workload("default/shop-1".into());
    let follower = Follower::start(options, door).await;
    follower.reaches(2).await;
    assert_eq!(fetch(follower.entry, HOST, "/before").await.status, 200);

    newer.push(vec![unreadable("HTTPRoute", "default/other", &["Service/default/other"], false)]);
    follower.reaches(3).await;
    assert_eq!(fetch(follower.entry, HOST, "/still").await.status, 200);

    // Whoever proves nothing comes in by the workload's own port, which no Service stands before.
    newer.push(vec![unreadable("LaterPolicy", "default/strict", &["Service/default/shop"], true)]);
    follower.reaches(4).await;
    assert_eq!(fetch(follower.entry, HOST, "/denied").await.status, 403);
    assert_eq!(upstream.lines(), ["GET /before", "GET /still"], "nothing reaches the application");
    let both = ["HTTPRoute default/other", "LaterPolicy default/strict"];
    eventually("the control plane to know", || {
        let mut rejected = rejected(&newer);
        rejected.sort();
        rejected == both
    })
    .await;

    newer.push(vec![Change::Removed(ObjectName {
        of: TypeName::new("LaterPolicy"),
        name: "default/strict".into(),
    })]);
    follower.reaches(5).await;
    assert_eq!(fetch(follower.entry, HOST, "/after").await.text(), "GET /after");
}
