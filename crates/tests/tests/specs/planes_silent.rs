//! A connection to the control plane that is lost without a word: no end, no reset, only silence.

use std::time::Duration;

use crate::planes_away::{mark, marked};
use crate::planes_stream::Load;
use tests::control::{Control, Follower};
use tests::relay::Relay;
use tests::scene::Scene;
use tests::until::eventually_within;
use tests::upstream::Upstream;

/// Silence is noticed after twice `CONTROL_SILENCE_SECONDS`, and a new connection is tried at random times.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_stream_that_falls_silent_is_noticed_and_replaced_while_traffic_goes_on() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let control = Control::start(&scene.yaml()).await;
    let relay = Relay::to(control.address).await;
    let mut options = control.gateway("edge-1");
    options.controls = vec![format!("https://{}", relay.address).parse().expect("an address")];
    let follower = Follower::start(options, scene.entry()).await;
    follower.reaches(1).await;
    let load = Load::on(follower.entry);

    relay.fall_silent();
    let revision = control.edit(&marked(&scene, "unheard")).await;
    eventually_within(PATIENCE, "the silence to be noticed", || !follower.progress().connected).await;
    assert!(follower.progress().epoch < revision, "nothing got through");
    relay.speak();
    eventually_within(PATIENCE, "the edit to arrive", || follower.progress().epoch >= revision).await;

    assert_eq!(mark(&follower).await.as_deref(), Some("unheard"));
    assert!(load.stop().await > 500, "it served on");
    assert_eq!(upstream.exact(), Ok(()));
}
