//! Promises of a watch: nothing is missed and nothing is told twice, whatever happens to its connections.

mod server;

use client::{Collection, Event, ListOptions};
use model::kinds::KindName;
use server::Server;

fn line(kind: &str, name: &str, revision: u32) -> String {
    format!(
        r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}","resourceVersion":"{revision}"}}}}}}"#
    )
}

fn told(event: &Event) -> String {
    match event {
        Event::Added(object) => format!("+{}", object.name()),
        Event::Modified(object) => format!("~{}", object.name()),
        Event::Deleted(object) => format!("-{}", object.name()),
        Event::Relisted(listed) => format!("={}", listed.objects.len()),
    }
}

async fn follow(server: &Server, events: usize) -> Vec<String> {
    let services = Collection::within(KindName::Service, "shop");
    let mut watch = server.client().watch(services, ListOptions::default(), "4");
    let mut seen = Vec::new();
    for _ in 0..events {
        seen.push(told(&watch.next().await.expect("an event")));
    }
    seen
}

#[tokio::test]
async fn a_stream_that_ends_goes_on_where_it_was() {
    let first = format!("{}\n{}\n", line("ADDED", "a", 5), line("BOOKMARK", "", 8));
    let second = format!("{}\n{}\n", line("MODIFIED", "a", 9), line("DELETED", "a", 10));
    let server = Server::start(&[(200, &first), (200, &second)]).await;

    assert_eq!(follow(&server, 3).await, ["+a", "~a", "-a"]);

    let revisions: Vec<String> = server
        .lines()
        .iter()
        .filter_map(|line| Some(line.rsplit_once("resourceVersion=")?.1.to_owned()))
        .collect();
    assert_eq!(revisions, ["4", "8"]);
}

#[tokio::test]
async fn when_the_revision_is_forgotten_everything_is_listed_again() {
    let gone =
        r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
    let list = r#"{"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}],"metadata":{"resourceVersion":"20"}}"#;
    let server = Server::start(&[
        (200, &format!("{gone}\n")),
        (200, list),
        (200, &format!("{}\n", line("ADDED", "c", 21))),
    ])
    .await;

    assert_eq!(follow(&server, 2).await, ["=2", "+c"]);
    assert!(server.lines()[2].ends_with("resourceVersion=20"));
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_and_one_that_forbids_is_not() {
    let denied = r#"{"kind":"Status","code":403,"reason":"Forbidden","message":"you may not"}"#;
    let server =
        Server::start(&[(503, ""), (200, &format!("{}\n", line("ADDED", "a", 5))), (403, denied)]).await;
    let services = Collection::within(KindName::Service, "shop");
    let mut watch = server.client().watch(services, ListOptions::default(), "4");

    assert_eq!(told(&watch.next().await.expect("an event")), "+a");
    let error = watch.next().await.expect_err("a refusal");

    assert_eq!(error.to_string(), "you may not");
    assert_eq!(server.lines().len(), 3);
}
