//! A proxy stays a member: through renewals, restarts, dead control planes and broken disks.

use std::time::Duration;

use discovery::Interest;
use model::kinds::TrustBundle;
use proxy::{Event, IdentityEvent};
use serde_json::json;

use crate::following::Following;
use crate::plane::{Kept, Plane, cart};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_before_half_of_its_life_is_over_with_the_one_before_as_proof() {
    let plane = Plane::start("10s").await;
    let token = plane.token(&["--once"]).await;

    let kept = Kept::start(cart(&plane, token, None)).await;

    // The token is good once, so that only the first of them can be from it.
    kept.has_had(4).await;
    let ends: Vec<Duration> = kept
        .events()
        .iter()
        .filter_map(|event| match event {
            IdentityEvent::Certified { until, .. } => Some(*until),
            IdentityEvent::Failed(_) | IdentityEvent::Unkept(_) => None,
        })
        .collect();
    assert!(ends.windows(2).all(|pair| pair[1] > pair[0]), "{ends:?}");
    let standing = kept.member.standing();
    assert_eq!(standing.svid.as_ref().expect("a member").leaf().replica.as_deref(), Some("shop/cart-1"));
    assert!(standing.bundles.of("bank.example").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_starts_while_every_issuer_is_dead_is_who_it_was() {
    let plane = Plane::start("24h").await;
    let folder = tempfile::tempdir().expect("a folder");
    let options = cart(&plane, plane.token(&["--once"]).await, Some(folder.path()));
    let mut first = Kept::start(options.clone()).await;
    first.has_had(1).await;
    let before = first.member.standing();
    first.stop().await;
    drop(plane);

    let second = Kept::start(options).await;

    assert!(
        matches!(second.events().first(), Some(IdentityEvent::Certified { is_kept: true, .. })),
        "at once"
    );
    let after = second.member.standing();
    let leaf =
        |standing: &identity::member::Standing| standing.svid.as_ref().expect("a member").chain()[0].clone();
    assert_eq!(leaf(&before), leaf(&after));
    assert!(after.bundles.of("bank.example").is_some(), "it knows whom to believe");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_told_and_the_certificate_is_in_use_all_the_same() {
    let plane = Plane::start("10s").await;
    let folder = tempfile::tempdir().expect("a folder");
    let options = cart(&plane, plane.token(&["--once"]).await, Some(folder.path()));
    let mut first = Kept::start(options.clone()).await;
    first.has_had(1).await;
    first.stop().await;
    let file = folder.path().join("identity.json");
    let last_good = std::fs::read(&file).expect("it was kept");
    // Nobody can write a file where a folder stands, root included.
    std::fs::create_dir_all(folder.path().join("identity.new/in the way")).expect("made");

    let second = Kept::start(options).await;
    second.has_had(3).await;

    let told = second.events().into_iter().any(|event| matches!(event, IdentityEvent::Unkept(_)));
    assert!(told, "{:?}", second.events());
    assert_eq!(std::fs::read(&file).expect("it is there"), last_good, "the last good one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_control_plane_of_a_list_will_do() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&[]).await;
    let mut options = cart(&plane, token, None);
    let dead = format!("https://{}", tests::address::free()).parse().expect("an address");
    options.controls.insert(0, dead);

    let kept = Kept::start(options).await;

    kept.has_had(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_shows_its_certificate_on_the_stream_and_is_shown_its_own_gateway_and_no_other() {
    let plane = Plane::start("24h").await;
    for object in [
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
            "spec": { "controllerName": "selvedge.dev/gateway-controller" },
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "edge", "namespace": "shop" },
            "spec": { "gatewayClassName": "selvedge", "listeners": [
                { "name": "http", "protocol": "HTTP", "port": tests::address::free().port() },
            ] },
        }),
    ] {
        plane.apply(&object).await;
    }
    let token = std::fs::read_to_string(plane.control.gateway_token()).expect("the token of gateways");
    let mut options = cart(&plane, token.parse().expect("a token file"), None);
    options.workload = "shop/edge-1".to_owned();
    options.gateway = Some("shop/edge".to_owned());
    let kept = Kept::start(options.clone()).await;
    let bundle: TrustBundle = serde_json::from_value(plane.bundle(|_| true).await).expect("a bundle");
    kept.keeper.as_ref().expect("it runs").trust(&[&bundle]);
    kept.has_had(1).await;
    for (gateway, is_let_in) in [("shop/edge", true), ("shop/other", false)] {
        let following = Following::start(&kept, &options, Interest::Gateways([gateway.into()].into())).await;

        let judged = |event: &Event| match event {
            Event::Applied { .. } => is_let_in,
            Event::Lost { problem, is_final } => !is_let_in && *is_final && problem.contains("may not serve"),
            Event::Connected(_) | Event::CacheUnusable(_) => false,
        };
        following.has_told("the stream to be judged", judged).await;
        following.stop().await;
    }
}
