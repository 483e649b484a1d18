//! What crosses the mesh, and what is known of who sent it.

use crate::issuer::id;
use crate::pair::{Client, Pair, Plan, until};

#[test]
fn requests_cross_the_mesh_on_kept_connections_and_both_logs_know_the_rest() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);

    for _ in 0..10 {
        assert_eq!(client.get().status, 200);
    }

    assert_eq!(pair.sidecar.count("selvedge_tls_handshakes_total", ""), 1);
    assert_eq!(pair.gateway.count("selvedge_upstream_connections_total", ""), 1);
    let source = format!("source=\"{}\"", id("web"));
    until("all are counted", || pair.sidecar.count("selvedge_mesh_requests_total", &source) == 10);
    let line = pair.sidecar.await_line("source_identity");
    assert!(line.contains(&format!("\"source_identity\":\"{}\"", id("web"))), "{line}");
    assert!(line.contains("\"source_workload\":\"shop/web-1\""), "{line}");
    let line = pair.gateway.await_line("upstream_workload");
    assert!(line.contains("\"upstream_workload\":\"shop/cart-1\""), "{line}");
}

#[test]
fn an_application_that_asks_is_told_who_calls_and_nobody_can_say_it_in_their_place() {
    let told = Pair::with(Plan { caller_header: true, ..Plan::default() });
    let untold = Pair::start();
    let forged =
        "x-forwarded-client-cert: URI=spiffe://bank.example/ns/shop/sa/admin\r\nx-spiffe-id: admin\r\n";

    let answer = Client::of(told.gateway.address).ask(forged).expect("an answer");
    let fields: Vec<&str> =
        answer.body.lines().filter(|line| line.starts_with("x-forwarded-client")).collect();
    let [field] = fields[..] else { panic!("{}", answer.body) };
    assert!(field.starts_with(&format!("x-forwarded-client-cert: By={};Hash=", id("cart"))), "{field}");
    assert!(field.ends_with(&format!(";URI={};DNS=web-1.shop.bank.example", id("web"))), "{field}");
    assert!(!answer.body.contains("admin"), "{}", answer.body);

    let answer = Client::of(untold.gateway.address).ask(forged).expect("an answer");
    assert!(!answer.body.contains("client-cert") && !answer.body.contains("admin"), "{}", answer.body);
}

#[test]
fn a_permissive_port_takes_cleartext_beside_the_mesh_until_it_becomes_strict() {
    let pair = Pair::with(Plan { cleartext: true, ..Plan::default() });
    let mut stranger = Client::of(pair.sidecar.address);

    assert_eq!(stranger.get().status, 200);
    assert_eq!(Client::of(pair.gateway.address).get().status, 200);

    let strict =
        crate::made::inbound(pair.sidecar.address, pair.application, crate::pair::SERVER_NAME, false);
    pair.sidecar.apply(strict);
    let refused = stranger.get();
    assert_eq!(refused.status, 421, "{}", refused.head);
    assert!(refused.head.contains("connection: close"), "{}", refused.head);
    assert!(Client::of(pair.sidecar.address).ask("").is_none());
    assert_eq!(Client::of(pair.gateway.address).get().status, 200);
}

#[test]
fn a_service_that_has_gone_misdirects_and_the_connection_serves_again_when_it_is_back() {
    let pair = Pair::start();
    let mut client = Client::of(pair.gateway.address);
    assert_eq!(client.get().status, 200);
    let config = |name| crate::made::inbound(pair.sidecar.address, pair.application, name, false);

    pair.sidecar.apply(config("8080.other.shop.svc.bank.example"));
    assert_eq!(client.get().status, 421);

    pair.sidecar.apply(config(crate::pair::SERVER_NAME));
    assert_eq!(client.get().status, 200);
    assert_eq!(pair.gateway.count("selvedge_upstream_connections_total", ""), 1);
}
