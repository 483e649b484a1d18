//! TLS towards clients: the certificate by name, protocols by ALPN, and changes without a cut.

use serde_json::json;
use tests::certificates::{Authority, Pair};
use tests::client::{RawClient, get};
use tests::frames::Outcome;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::tls::{TlsClient, negotiated};
use tests::upstream::Upstream;

/// Two names on one port, each with a certificate and a route of its own.
struct Names {
    authority: Authority,
    scene: Scene,
    gateway: Gateway,
    _upstream: Upstream,
    a: Pair,
    wild: Pair,
}

impl Names {
    async fn new() -> Names {
        let authority = Authority::new();
        let (a, wild) = (authority.pair(&["a.example"]), authority.pair(&["*.wild.example"]));
        let upstream = Upstream::recording().await;
        let mut scene = Scene::new();
        let port = scene.port();
        scene.https_on(port, "a.example", "a");
        scene.https_on(port, "*.wild.example", "wild");
        scene.secret("a", &a);
        scene.secret("wild", &wild);
        scene.service("shop", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        let gateway = scene.start().await;
        Names { authority, scene, gateway, _upstream: upstream, a, wild }
    }

    fn client(&self, alpn: &[&str]) -> TlsClient {
        TlsClient::trusting(&self.authority, alpn)
    }
}

#[tokio::test]
async fn the_certificate_is_the_one_of_the_name_asked_for() {
    let names = Names::new().await;
    let (client, entry) = (names.client(&["http/1.1"]), names.gateway.entry);

    assert_eq!(client.shown(entry, "a.example").await, Ok(names.a.certificate.to_vec()));
    assert_eq!(client.shown(entry, "x.wild.example").await, Ok(names.wild.certificate.to_vec()));
    assert!(client.shown(entry, "unknown.example").await.is_err(), "an unknown name is shown no certificate");
    assert!(TlsClient::without_sni(&names.authority).open(entry, "a.example").await.is_err());
}

#[tokio::test]
async fn alpn_offers_http2_first_and_falls_back() {
    let names = Names::new().await;
    for (offer, wanted) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"][..], Some("h2")),
        (&["http/1.1"][..], Some("http/1.1")),
        (&[][..], None),
    ] {
        let stream = names.client(offer).open(names.gateway.entry, "a.example").await.expect("a handshake");
        assert_eq!(negotiated(&stream).as_deref(), wanted, "{offer:?}");
    }
    assert!(names.client(&["spdy/3"]).open(names.gateway.entry, "a.example").await.is_err());
}

#[tokio::test]
async fn requests_travel_over_both_protocols() {
    let names = Names::new().await;
    let mut first = names.client(&["http/1.1"]).connect(names.gateway.entry, "a.example").await;
    first.send(get("a.example", "/one", "")).await;
    assert_eq!(first.answer().await.text(), "GET /one");

    let stream = names.client(&["h2"]).open(names.gateway.entry, "a.example").await.expect("a handshake");
    let mut second = tests::h2_client::H2Client::over(stream).await;
    let mut request = tests::h2_client::request("GET", "a.example", "/two");
    *request.uri_mut() = http::Uri::from_static("https://a.example/two");
    let answer = second.exchange(request, b"", None).await.expect("an answer");
    assert_eq!(answer.text(), "GET /two");
}

#[tokio::test]
async fn a_host_of_another_listener_than_sni_chose_is_misdirected() {
    let names = Names::new().await;
    let mut client = names.client(&["http/1.1"]).connect(names.gateway.entry, "a.example").await;

    client.send(get("x.wild.example", "/", "")).await;
    let first = client.answer().await;

    assert_eq!(first.is_failure(421, "misdirected"), Ok(()));
    if first.header("connection") != Some("close") {
        client.send(get("a.example", "/again", "")).await;
        assert_eq!(client.answer().await.text(), "GET /again");
    }
}

#[tokio::test]
async fn a_changed_certificate_is_shown_to_new_connections_and_old_ones_live_on() {
    let names = Names::new().await;
    let client = names.client(&["http/1.1"]);
    let mut old = client.connect(names.gateway.entry, "a.example").await;
    old.send(get("a.example", "/before", "")).await;
    assert_eq!(old.answer().await.text(), "GET /before");

    let next = names.authority.pair(&["a.example"]);
    let mut scene = names.scene.clone();
    scene.remove("Secret", "a");
    scene.secret("a", &next);
    names.gateway.edit(&scene.yaml()).await;
    let next = next.certificate.to_vec();
    tests::until::eventually_some("the new certificate to be shown", || async {
        client.shown(names.gateway.entry, "a.example").await.ok().filter(|shown| *shown == next)
    })
    .await;

    old.send(get("a.example", "/after", "")).await;
    assert_eq!(old.answer().await.text(), "GET /after", "the old connection was cut");
}

#[tokio::test]
async fn a_key_that_does_not_match_leaves_the_last_good_pair_in_use() {
    let names = Names::new().await;
    let client = names.client(&["http/1.1"]);
    let mut mismatched = names.authority.pair(&["a.example"]);
    mismatched.key_pem = names.authority.pair(&["a.example"]).key_pem;
    let mut scene = names.scene.clone();
    scene.remove("Secret", "a");
    scene.secret("a", &mismatched);
    // A second change in the same edit shows when the edit has taken effect.
    scene.route("mark", json!({
        "hostnames": ["mark.wild.example"],
        "rules": [{ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "statusCode": 301, "hostname": "m.example" } }] }],
    }));

    names.gateway.edit(&scene.yaml()).await;
    tests::until::eventually_some("the edit to take effect", || async {
        let mut probe = client.connect(names.gateway.entry, "mark.wild.example").await;
        probe.send(get("mark.wild.example", "/", "")).await;
        probe.try_answer().await.ok().filter(|answer| answer.status == 301)
    })
    .await;

    assert_eq!(client.shown(names.gateway.entry, "a.example").await, Ok(names.a.certificate.to_vec()));
    let told = names.gateway.stderr().find("InvalidCertificateRef to be reported", |line| {
        line.contains("InvalidCertificateRef").then_some(())
    });
    assert_eq!(told.await, Ok(()));
}

#[tokio::test]
async fn a_listener_whose_secret_is_missing_refuses_handshakes_and_recovers() {
    let authority = Authority::new();
    let mut scene = Scene::new();
    let entry = scene.https("a.example", "late");
    let gateway = scene.start().await;
    let client = TlsClient::trusting(&authority, &["http/1.1"]);
    assert!(client.open(entry, "a.example").await.is_err());

    let pair = authority.pair(&["a.example"]);
    scene.secret("late", &pair);
    gateway.edit(&scene.yaml()).await;

    let shown = pair.certificate.to_vec();
    tests::until::eventually_some("the certificate to be shown", || async {
        client.shown(entry, "a.example").await.ok().filter(|certificate| *certificate == shown)
    })
    .await;
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed_and_harms_nobody() {
    let names = Names::new().await;
    let mut client = RawClient::connect(names.gateway.entry).await;

    client.send(get("a.example", "/", "")).await;
    let bytes = client.until_closed().await.expect("the gateway closes");

    assert!(!String::from_utf8_lossy(&bytes).contains("200 OK"));
    let shown = names.client(&["http/1.1"]).shown(names.gateway.entry, "a.example").await;
    assert_eq!(shown, Ok(names.a.certificate.to_vec()));
}

#[tokio::test]
async fn http2_on_a_plain_port_needs_prior_knowledge_only() {
    let stage = crate::stage::Stage::new().await;
    let mut frames = tests::frames::FrameClient::connect(stage.gateway.entry).await;

    frames.get(1, "a.example", "/h2c").await;

    assert_eq!(frames.outcome(1).await, Ok(Outcome::Answered(200, b"GET /h2c".to_vec())));
}
