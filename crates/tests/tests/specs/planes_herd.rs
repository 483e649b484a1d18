//! Three hundred proxies that come at once: everybody is served, nobody is forgotten, and the control plane holds.

use std::collections::BTreeSet;

use discovery::Interest;
use serde_json::json;
use tests::control::Control;
use tests::scene::Scene;
use tests::simulated::Simulated;
use tests::until::within_time;

const HERD: usize = 300;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

fn routes(scene: &mut Scene, count: usize) {
    for number in 0..count {
        scene.route(&format!("r{number}"), json!({ "hostnames": [format!("h{number}.example")] }));
    }
}

fn herd(control: &Control) -> Vec<Simulated> {
    let start =
        |number| Simulated::start(&format!("p{number}"), control.url(), control.token.clone(), Interest::All);
    (0..HERD).map(start).collect()
}

async fn all_reach(herd: &mut [Simulated], epoch: u64) {
    for proxy in herd {
        within_time(PATIENCE, "every proxy to have the epoch", proxy.reaches(epoch)).await.expect("in time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_proxies_join_at_once_hear_an_edit_and_come_back_for_nothing_but_the_difference() {
    let mut scene = Scene::new();
    scene.http();
    routes(&mut scene, 200);
    let mut control = Control::start(&scene.yaml()).await;
    let mut herd = herd(&control);
    all_reach(&mut herd, 1).await;
    let everything = herd[0].seen().objects;
    for proxy in &herd {
        assert_eq!(
            (proxy.seen().objects, proxy.seen().received),
            (everything, everything),
            "{:?}",
            proxy.seen()
        );
    }

    scene.remove("HTTPRoute", "r7");
    let revision = control.edit(&scene.yaml()).await;
    all_reach(&mut herd, revision).await;
    assert!(herd.iter().all(|proxy| proxy.seen().received == everything), "a removal sends no object");

    control.kill();
    control.revive().await;
    scene.route("later", json!({ "hostnames": ["later.example"] }));
    let revision = control.edit(&scene.yaml()).await;
    all_reach(&mut herd, revision).await;

    let received: BTreeSet<usize> = herd.iter().map(|proxy| proxy.seen().received).collect();
    assert_eq!(received, [everything + 1].into(), "who comes back is sent what is different");
}
