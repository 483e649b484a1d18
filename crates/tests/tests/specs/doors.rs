//! The same gateway through the library as through the command line.

use crate::stage::HOST;
use serde_json::json;
use tests::client::fetch;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::upstream::Upstream;

#[tokio::test]
async fn a_gateway_inside_another_program_serves_changes_and_ends() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    let gateway = Gateway::start_inside(&scene.yaml(), scene.entry()).await;
    assert_eq!(fetch(gateway.entry, HOST, "/one").await.text(), "GET /one");
    assert_eq!(gateway.admin("/ready").await.status, 200);

    scene.route(
        "moved",
        json!({
            "hostnames": ["moved.example"],
            "rules": [{ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "hostname": "new.example" } }] }],
        }),
    );
    gateway.edit(&scene.yaml()).await;
    gateway.until("moved.example", "/", |answer| answer.status == 302).await;
    gateway.edit("apiVersion: v1\nkind: Nonsense\n").await;
    assert_eq!(fetch(gateway.entry, HOST, "/two").await.text(), "GET /two", "a mistake changes nothing");

    gateway.terminate();
    tests::until::eventually_some("new connections to be refused", || async {
        tests::client::RawClient::try_connect(gateway.entry).await.is_err().then_some(())
    })
    .await;
}
