//! What flows is told: by the API, on the pages and on the command line.

use crate::stage::{HOSTILE, Stage};
use tests::until::eventually_some;

#[tokio::test(flavor = "multi_thread")]
async fn rates_grow_when_traffic_flows() {
    let stage = Stage::set().await;
    assert_eq!(stage.told("routes").await["items"], serde_json::json!([]));

    stage.send_requests(50).await;

    let told = eventually_some("the rates to be told", || async {
        stage.told("routes").await["items"].get(0).cloned()
    })
    .await;
    assert_eq!(told["metadata"]["name"], "httproute.all");
    assert!(told["status"]["requestsPerSecond"].as_f64().expect("a number") > 0.0);
    assert!(told["status"]["p99Milliseconds"].as_f64().expect("a number") > 0.0);
    let page = stage.page("/console/routes/default/all").await;
    assert!(page.contains("Requests/s") && !page.contains("No requests in the last seconds"), "{page}");
    let top = stage.run(&["top", "--once"]).await;
    assert!(top.stdout.contains("HTTPRoute default/all"), "{}", top.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_tells_what_is_wrong_and_the_command_line_agrees() {
    let stage = Stage::set().await;

    let page = eventually_some("the conditions to be written", || async {
        Some(stage.page("/console").await).filter(|page| page.contains("BackendNotFound"))
    })
    .await;
    let status = stage.run(&["status"]).await;

    assert!(page.contains("HTTPRoute default/lost") && page.contains("<svg class=\"picture\""), "{page}");
    assert!(status.stdout.contains("BackendNotFound") && status.stdout.contains("1 of 1 proxy connected"));
    let proxies = stage.page("/console/proxies").await;
    assert!(proxies.contains("edge-1") && proxies.contains("up to date"), "{proxies}");
    let route = stage.page("/console/routes/default/lost").await;
    assert!(!route.contains(HOSTILE) && !route.contains("<img") && route.contains("taken"), "{route}");
}
