//! Answers in the shape that a client asks for.

use serde_json::{Value, json};

use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

async fn with_map(server: &Server) {
    let map =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "k": "v" } });
    server.admin().post(MAPS, &map).await.fine();
}

#[tokio::test]
async fn people_get_tables() {
    let server = Server::start().await;
    with_map(&server).await;
    let people = server.admin().accepting(TABLE);

    let list = people.get(MAPS).await.fine();
    let one = people.get(&format!("{MAPS}/a")).await.fine();

    for table in [&list, &one] {
        assert_eq!(table["kind"], "Table");
        assert_eq!(table["columnDefinitions"][0]["name"], "Name");
        assert_eq!(table["rows"][0]["cells"][0], "a");
        assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    }
    assert!(list["metadata"]["resourceVersion"].is_string());
}

#[tokio::test]
async fn controllers_may_ask_for_metadata_only() {
    let server = Server::start().await;
    with_map(&server).await;
    let media = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

    let list = server.admin().accepting(media).get(MAPS).await.fine();

    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert!(list["items"][0].get("data").is_none());
}

#[tokio::test]
async fn who_reads_protobuf_only_is_told_what_there_is() {
    let server = Server::start().await;

    let refused = server.admin().accepting("application/vnd.kubernetes.protobuf").get(MAPS).await;

    assert_eq!(refused.refusal().0, 406);
}

#[tokio::test]
async fn discovery_names_every_kind_in_both_of_its_forms() {
    let server = Server::start().await;
    let admin = server.admin();
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

    let groups = admin.get("/apis").await.fine();
    let all = admin.accepting(aggregated).get("/apis").await;
    let core = admin.get("/api/v1").await.fine();

    assert_eq!(groups["kind"], "APIGroupList");
    assert!(all.headers["content-type"].to_str().expect("text").contains("as=APIGroupDiscoveryList"));
    let all = all.fine();
    let names = |list: &Value, field: &str| -> Vec<String> {
        let listed = list[field].as_array().expect("a list").iter();
        let name = |one: &Value| one.get("name").or(one.pointer("/metadata/name")).cloned();
        listed.filter_map(name).map(|name| name.as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(names(&groups, "groups"), names(&all, "items"));
    assert!(names(&core, "resources").contains(&"services".to_owned()));
}

#[tokio::test]
async fn a_document_that_is_known_is_not_sent_again() {
    let server = Server::start().await;
    let admin = server.admin();
    let index = admin.get("/openapi/v3").await.fine();
    let path = index["paths"]["api/v1"]["serverRelativeURL"].as_str().expect("an address").to_owned();

    let first = admin.get(&path).await;
    let tag = first.headers["etag"].to_str().expect("text").to_owned();
    let second = admin.with(http::header::IF_NONE_MATCH, &tag).get(&path).await;

    assert!(first.json()["openapi"].is_string());
    assert_eq!(second.code.as_u16(), 304);
    assert!(second.bytes.is_empty());
}

#[tokio::test]
async fn an_object_is_shown_in_the_version_that_is_asked_for() {
    let server = Server::start().await;
    let admin = server.admin();
    let root = "/apis/gateway.networking.k8s.io";
    let grant = json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": { "name": "a" },
        "spec": { "from": [{ "group": "", "kind": "Service", "namespace": "b" }], "to": [{ "group": "", "kind": "Secret" }] },
    });

    let made = admin.post(&format!("{root}/v1beta1/namespaces/shop/referencegrants"), &grant).await.fine();
    let newer = admin.get(&format!("{root}/v1/namespaces/shop/referencegrants/a")).await.fine();

    assert_eq!(made["apiVersion"], "gateway.networking.k8s.io/v1beta1");
    assert_eq!(newer["apiVersion"], "gateway.networking.k8s.io/v1");
}

#[tokio::test]
async fn pretty_answers_have_lines() {
    let server = Server::start().await;

    let answer = server.admin().get("/version?pretty=true").await;

    assert!(answer.bytes.iter().filter(|byte| **byte == b'\n').count() > 5);
    assert_eq!(answer.json()["major"], "1");
}
