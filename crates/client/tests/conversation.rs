//! What the client promises, against a server that speaks TLS and keeps what it was asked.

mod server;

use client::{ApplyOptions, Client, Collection, DeleteOptions, Error, ListOptions, Patch, WriteOptions};
use model::kinds::KindName;
use serde_json::json;
use server::{Authority, Server};

fn services() -> Collection {
    Collection::within(KindName::Service, "shop")
}

#[tokio::test]
async fn every_verb_is_one_request_of_the_kubernetes_api() {
    let object = r#"{"kind":"Service","metadata":{"name":"cart"}}"#;
    let server = Server::start(&[(200, object); 6]).await;
    let (client, services, body) = (server.client(), services(), json!({ "kind": "Service" }));
    let apply = ApplyOptions { force: true, dry_run: true, ..ApplyOptions::default() };
    let delete = DeleteOptions { uid: Some("u1".to_owned()), dry_run: true };

    client.get(&services, "cart").await.expect("an object");
    client.create(&services, &body, WriteOptions { dry_run: true }).await.expect("an object");
    client.replace(&services, "cart", &body, WriteOptions::default()).await.expect("an object");
    client
        .patch(&services, "cart", &Patch::Merge(body.clone()), WriteOptions::default())
        .await
        .expect("an object");
    client.apply(&services, "cart", &body, &apply).await.expect("an object");
    client.delete(&services, "cart", &delete).await.expect("no object");

    let path = "/api/v1/namespaces/shop/services";
    assert_eq!(
        server.lines(),
        [
            format!("GET {path}/cart"),
            format!("POST {path}?dryRun=All&fieldManager=selvedge"),
            format!("PUT {path}/cart?fieldManager=selvedge"),
            format!("PATCH {path}/cart?fieldManager=selvedge"),
            format!("PATCH {path}/cart?dryRun=All&fieldManager=selvedge&force=true"),
            format!("DELETE {path}/cart"),
        ]
    );
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.authorization == "Bearer abc"));
    let types: Vec<&str> = asked.iter().map(|asked| asked.content_type.as_str()).collect();
    assert_eq!(types[3..5], ["application/merge-patch+json", "application/apply-patch+yaml"]);
    assert!(asked[5].body.contains(r#""preconditions":{"uid":"u1"}"#), "{}", asked[5].body);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_its_objects_know_their_kind() {
    let first =
        r#"{"items":[{"metadata":{"name":"a"}}],"metadata":{"continue":"n=1","resourceVersion":"7"}}"#;
    let last = r#"{"items":[{"metadata":{"name":"b"}}],"metadata":{"resourceVersion":"7"}}"#;
    let server = Server::start(&[(200, first), (200, last)]).await;
    let options = ListOptions { labels: Some("app=shop".to_owned()), fields: None };

    let listed = server.client().list(&services(), &options).await.expect("a list");

    let names: Vec<&str> = listed.objects.iter().map(client::Object::name).collect();
    assert_eq!((names, listed.resource_version.as_str()), (vec!["a", "b"], "7"));
    assert_eq!((listed.objects[0].api_version(), listed.objects[0].kind()), ("v1", "Service"));
    assert!(server.lines()[1].ends_with("?labelSelector=app%3Dshop&limit=500&continue=n%3D1"));
}

#[tokio::test]
async fn a_list_that_was_forgotten_half_way_begins_again() {
    let first = r#"{"items":[{"metadata":{"name":"a"}}],"metadata":{"continue":"n=1"}}"#;
    let gone = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
    let whole = r#"{"items":[{"metadata":{"name":"b"}}],"metadata":{"resourceVersion":"9"}}"#;
    let server = Server::start(&[(200, first), (410, gone), (200, whole)]).await;

    let listed = server.client().list(&services(), &ListOptions::default()).await.expect("a list");

    assert_eq!(listed.objects.len(), 1, "nothing is told twice");
    assert_eq!(listed.objects[0].name(), "b");
}

#[tokio::test]
async fn a_refusal_brings_its_causes_and_a_hint() {
    let invalid = r#"{"kind":"Status","code":422,"reason":"Invalid","message":"no","details":{"causes":
        [{"field":"spec.ports","message":"is missing"},{"field":"spec.type","message":"is odd"}]}}"#;
    let server = Server::start(&[(422, invalid), (401, "{}"), (404, "")]).await;
    let client = server.client();

    let error = client.get(&services(), "a").await.expect_err("a refusal");
    let status = error.status().expect("a status");
    assert!(status.is_invalid());
    assert_eq!(status.details.causes.len(), 2);

    assert!(client.get(&services(), "a").await.expect_err("a refusal").hint().contains("kubeconfig"));
    assert!(client.get(&services(), "a").await.expect_err("a refusal").is_not_found());
}

#[tokio::test]
async fn only_the_authority_of_the_kubeconfig_is_trusted() {
    let server = Server::start(&[]).await;
    let mut endpoint = server.endpoint();
    endpoint.authority = Some(Authority::new().pem());

    let error = asked(Client::new(endpoint)).await;

    assert!(
        error.to_string().ends_with("its certificate is not signed by the authority in the kubeconfig"),
        "{error}"
    );
    assert!(server.asked().is_empty(), "the token was not shown to a stranger");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_and_can_be_named() {
    let server = Server::start_as("control", false, &[(200, "{}")]).await;

    let error = asked(Client::new(server.endpoint())).await;
    assert!(error.to_string().ends_with("its certificate is for another name"), "{error}");

    let mut endpoint = server.endpoint();
    endpoint.server_name = Some("control".to_owned());
    Client::new(endpoint).expect("a client").document("/version").await.expect("an answer");
}

#[tokio::test]
async fn a_client_certificate_opens_the_door() {
    let server = Server::start_as("127.0.0.1", true, &[(200, "{}")]).await;
    let mut endpoint = server.endpoint();
    endpoint.credentials = server.authority.client();

    Client::new(endpoint).expect("a client").document("/version").await.expect("an answer");

    assert_eq!(server.asked()[0].authorization, "");
    assert!(matches!(asked(Client::new(server.endpoint())).await, Error::Connect(_)), "none was shown");
}

#[tokio::test]
async fn when_nobody_listens_the_hint_says_how_to_start_one() {
    let server = Server::start(&[]).await;
    let mut endpoint = server.endpoint();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    endpoint.server = format!("https://{}", free.local_addr().expect("an address"));
    drop(free);

    let error = asked(Client::new(endpoint)).await;

    assert!(error.to_string().ends_with("nobody listens there"), "{error}");
    assert!(error.hint().contains("selvedge control"), "{}", error.hint());
}

async fn asked(client: Result<Client, Error>) -> Error {
    client.expect("a client").document("/version").await.expect_err("no answer")
}
