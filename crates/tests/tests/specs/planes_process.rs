//! `selvedge gateway` as a process: its token file, its cache on a disk that fills up, its end.

use crate::planes_away::marked;
use crate::stage::HOST;
use tests::client::{exchange, fetch, get};
use tests::control::{Control, cache};
use tests::process::Process;
use tests::scene::Scene;
use tests::until::eventually_some;
use tests::upstream::Upstream;

async fn gateway(control: &Control, flags: &[&str]) -> Process {
    let url = format!("https://{}", control.address);
    let started = Process::gateway(&url, &control.token, &[&["--workers", "1"], flags].concat()).await;
    started.unwrap_or_else(|problem| panic!("{problem}")).0
}

/// Waits until the route is served with this mark.
async fn serves(scene: &Scene, mark: &str) {
    eventually_some(&format!("the mark `{mark}`"), || async {
        let answer = exchange(scene.entry(), get(HOST, "/", "")).await.ok()?;
        (answer.header("x-mark") == Some(mark)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_gateway_process_serves_the_routes_of_its_control_plane_and_ends_when_it_is_told_to() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let control = Control::start(&scene.yaml()).await;

    let mut process = gateway(&control, &[]).await;

    let connected = |line: &str| line.contains("connected to the control plane").then_some(());
    assert_eq!(process.stderr.find("it to connect", connected).await, Ok(()));
    let applied = |line: &str| line.contains("applied epoch").then_some(());
    assert_eq!(process.stderr.find("it to apply", applied).await, Ok(()));
    assert_eq!(fetch(scene.entry(), HOST, "/hello").await.text(), "GET /hello");
    let logged = process.stdout.find("the access log", |line| line.contains("\"/hello\"").then_some(()));
    assert_eq!(logged.await, Ok(()));
    process.terminate();
    assert!(process.ended().await, "it ends with success");
}

#[tokio::test]
async fn a_full_disk_costs_a_gateway_its_cache_until_there_is_room_and_nothing_else() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let mut control = Control::start(&marked(&scene, "one")).await;
    let (_directory, cache) = cache();
    let (folder, file) = (cache.display().to_string(), cache.join("config.cache"));
    let flags = ["--cache", folder.as_str()];
    let mut process = gateway(&control, &flags).await;
    serves(&scene, "one").await;

    process.limit_files(Some(64));
    let route = serde_json::json!({ "hostnames": ["missed.example"], "rules": [{ "filters": [{
        "type": "RequestRedirect", "requestRedirect": { "hostname": "kept.example" },
    }] }] });
    let mut missed = scene.clone();
    missed.route("missed", route);
    control.edit(&marked(&missed, "two")).await;
    serves(&scene, "two").await;
    let told = |line: &str| line.contains("could not be cached").then_some(());
    assert_eq!(process.stderr.find("it to say so", told).await, Ok(()));
    process.limit_files(None);
    let before = std::fs::metadata(&file).expect("a cache").len();
    control.edit(&marked(&missed, "three")).await;
    serves(&scene, "three").await;
    tests::until::eventually("it to be cached", || std::fs::metadata(&file).expect("one").len() > before)
        .await;
    process.terminate();
    assert!(process.ended().await);
    control.kill();

    let mut process = gateway(&control, &flags).await;

    serves(&scene, "three").await;
    let location = fetch(scene.entry(), "missed.example", "/").await;
    let location = location.header("location").unwrap_or_default();
    assert!(
        location.starts_with("http://kept.example"),
        "what the full disk did not take is there: {location}"
    );
    process.terminate();
    assert!(process.ended().await);
}

#[tokio::test]
async fn an_edit_of_a_file_that_the_store_could_not_take_lands_by_itself_when_it_can() {
    let upstream = Upstream::recording().await;
    let scene = Scene::forwarding(&upstream);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let flags = ["--data", &data, "--listen", "127.0.0.1:0", "--workers", "1"];
    let started = Process::start(&marked(&scene, "one"), &flags).await;
    let mut process = started.unwrap_or_else(|problem| panic!("{problem}")).0;
    serves(&scene, "one").await;

    process.limit_files(Some(64));
    process.edit(&marked(&scene, "two"));
    let told = |line: &str| line.contains("is tried again until it can be applied").then_some(());
    assert_eq!(process.stderr.find("it to say so", told).await, Ok(()));
    serves(&scene, "one").await;
    process.limit_files(None);

    serves(&scene, "two").await;
    let landed = |line: &str| line.contains("the edit that had to wait is applied").then_some(());
    assert_eq!(process.stderr.find("it to say so", landed).await, Ok(()));
    process.terminate();
    assert!(process.ended().await);
}
