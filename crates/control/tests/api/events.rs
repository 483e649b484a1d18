//! Events: none, in good form, for clients that ask whenever they describe something.

use http::StatusCode;
use serde_json::json;

use crate::server::Server;

const PATHS: [&str; 2] = ["/api/v1/events", "/api/v1/namespaces/shop/events"];
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn a_list_of_events_is_empty_and_in_the_shape_that_was_asked_for() {
    let server = Server::start().await;
    let admin = server.admin();

    for path in PATHS {
        let picked = format!("{path}?limit=500&fieldSelector=involvedObject.name%3Dcart");
        let list = admin.get(&picked).await.fine();
        let table = admin.accepting(TABLE).get(path).await.fine();

        assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("EventList"), &json!("v1")));
        assert_eq!(list["items"], json!([]));
        assert!(list["metadata"]["resourceVersion"].is_string(), "{list}");
        assert_eq!((&table["kind"], &table["rows"]), (&json!("Table"), &json!([])));
        assert_eq!(table["columnDefinitions"].as_array().map(Vec::len), Some(5));
    }
}

#[tokio::test]
async fn a_watch_of_events_lasts_as_long_as_it_was_asked_to_and_tells_only_where_it_is() {
    let server = Server::start().await;

    let all = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut events = server.admin().watch(&format!("{}?{all}&timeoutSeconds=1", PATHS[0])).await;

    let first = events.next().await.expect("a bookmark");
    assert_eq!(first["type"], "BOOKMARK");
    assert_eq!(first["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn who_may_not_see_events_is_told_so_in_the_words_for_them() {
    let server = Server::start().await;
    let ana = server.user("ana", &["visitors"]);

    let refused = ana.get(PATHS[1]).await;
    let watching = ana.get(&format!("{}?watch=1", PATHS[1])).await;

    assert_eq!((refused.code, watching.code), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN));
    let (_, _, message) = watching.refusal();
    assert_eq!(
        message,
        "events is forbidden: User \"ana\" cannot watch resource \"events\" in API group \"\" in the namespace \"shop\""
    );
}
