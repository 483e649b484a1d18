//! The verbs that look at proxies, against a real control plane and a real gateway.

use tests::binary;
use tests::client::fetch;
use tests::control::Follower;
use tests::control_plane::ControlPlane;
use tests::scene::Scene;
use tests::tools::{self, Output};
use tests::until::eventually_some;
use tests::upstream::Upstream;

use crate::planes_stream::Load;
use crate::stage::HOST;
use selvedge::gateway::GatewayOptions;

async fn selvedge(plane: &ControlPlane, arguments: &[&str]) -> Output {
    let program = tokio::task::spawn_blocking(binary::selvedge).await.expect("it can be built");
    let kubeconfig = plane.kubeconfig().display().to_string();
    tools::run(program, &[arguments, &["--kubeconfig", &kubeconfig]].concat()).await
}

async fn gateway(plane: &ControlPlane, scene: &Scene) -> Follower {
    let token = std::fs::read_to_string(plane.gateway_token()).expect("a token file");
    let url = format!("https://{}", plane.address()).parse().expect("an address");
    let options = GatewayOptions::new("edge-1", url, token.parse().expect("a token"));
    Follower::start(options, scene.entry()).await
}

#[tokio::test]
async fn apply_waits_until_the_gateway_serves_it_and_top_shows_what_it_serves() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let plane = ControlPlane::start().await;
    let gateway = gateway(&plane, &scene).await;
    tests::until::eventually("the gateway to be connected", || gateway.progress().connected).await;
    eventually_some("the gateway to be known", || async {
        let status = selvedge(&plane, &["status"]).await;
        (status.success && status.stdout.contains("edge-1")).then_some(())
    })
    .await;
    let file = plane.folder().join("scene.yaml");
    std::fs::write(&file, scene.yaml()).expect("a writable folder");

    let file = file.display().to_string();
    let applied = selvedge(&plane, &["apply", "--wait", "-f", &file]).await;

    assert!(applied.success, "{}{}", applied.stdout, applied.stderr);
    assert!(applied.stderr.contains("programmed on 1 of 1 proxy"), "{}", applied.stderr);
    assert_eq!(fetch(gateway.entry, HOST, "/at-once").await.text(), "GET /at-once");
    let load = Load::on(gateway.entry);
    let table = eventually_some("top to show the route", || async {
        let top = selvedge(&plane, &["top", "--once"]).await;
        (top.success && top.stdout.contains("default/all")).then_some(top.stdout)
    })
    .await;
    let words: Vec<&str> = table
        .lines()
        .find(|line| line.contains("default/all"))
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let rate = words.iter().find_map(|word| word.parse::<f64>().ok());
    assert!(rate.is_some_and(|rate| rate > 0.0), "{table}");
    assert!(load.stop().await > 0);
}
