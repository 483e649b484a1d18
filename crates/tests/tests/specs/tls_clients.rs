//! Client certificates at a Gateway's ports: who is let in, who is not, and what an edit changes.

use serde_json::{Value, json};
use tests::certificates::{Authority, Pair};
use tests::client::{RawClient, get};
use tests::frames::{FrameClient, Outcome};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::tls::TlsClient;
use tests::until::eventually_some;
use tests::upstream::Upstream;

const NAME: &str = "a.example";

/// A TLS port for one name, an authority for servers and one for clients.
struct Door {
    servers: Authority,
    clients: Authority,
    upstream: Upstream,
    scene: Scene,
}

impl Door {
    async fn new() -> Door {
        let (servers, clients) = (Authority::new(), Authority::new());
        let upstream = Upstream::recording().await;
        let mut scene = Scene::new();
        scene.https(NAME, "cert");
        scene.secret("cert", &servers.pair(&[NAME]));
        scene.anchors("clients", &clients);
        scene.service("shop", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        Door { servers, clients, upstream, scene }
    }

    async fn verifying(mode: &str) -> (Door, Gateway) {
        let mut door = Door::new().await;
        door.scene.tls(json!({ "frontend": { "default": { "validation": validation("clients", mode) } } }));
        let gateway = door.scene.start().await;
        (door, gateway)
    }

    /// A client that shows nothing.
    fn nobody(&self) -> TlsClient {
        TlsClient::trusting(&self.servers, &["http/1.1"])
    }

    fn showing(&self, pair: &Pair) -> TlsClient {
        self.nobody().showing(pair)
    }
}

/// Verification by the ConfigMap of this name.
fn validation(anchors: &str, mode: &str) -> Value {
    json!({ "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": anchors }], "mode": mode })
}

/// Those who have no valid certificate, each for another reason.
fn strangers(door: &Door) -> Vec<(&'static str, TlsClient)> {
    vec![
        ("no certificate", door.nobody()),
        ("another authority's", door.showing(&Authority::new().pair(&["client.example"]))),
        ("the authority of our own certificate", door.showing(&door.servers.pair(&["client.example"]))),
        ("an expired one", door.showing(&door.clients.expired(&["client.example"]))),
    ]
}

#[tokio::test]
async fn a_client_with_a_certificate_of_the_named_authority_passes() {
    let (door, gateway) = Door::verifying("AllowValidOnly").await;
    let client = door.showing(&door.clients.pair(&["client.example"]));

    for target in ["/first", "/second"] {
        let answer = client.fetch(gateway.entry, NAME, target).await.expect("an answer");
        assert_eq!(answer.text(), format!("GET {target}"));
    }
}

#[tokio::test]
async fn a_client_without_a_valid_certificate_is_refused_in_the_handshake() {
    let (door, gateway) = Door::verifying("AllowValidOnly").await;

    for (what, client) in strangers(&door) {
        let answer = client.fetch(gateway.entry, NAME, "/").await;
        assert!(answer.is_err(), "{what} was let in: {answer:?}");
    }

    assert_eq!(door.upstream.requests().len(), 0);
    // A client hears of its refusal a moment before it is counted.
    eventually_some("four failed handshakes to be counted", || async {
        let metrics = gateway.admin("/metrics").await.text();
        metrics.contains("selvedge_failures_total{code=\"tls_handshake\"} 4").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_insecure_fallback_lets_everybody_in_and_says_so() {
    let (door, gateway) = Door::verifying("AllowInsecureFallback").await;

    for (what, client) in strangers(&door) {
        let answer = client.fetch(gateway.entry, NAME, "/").await;
        assert_eq!(answer.map(|answer| answer.text()).as_deref(), Ok("GET /"), "{what}");
    }

    let told = gateway.stderr().find("the insecure mode to be told", |line| {
        line.contains("InsecureFrontendValidationMode").then_some(())
    });
    assert_eq!(told.await, Ok(()));
}

#[tokio::test]
async fn a_port_may_verify_otherwise_than_the_others() {
    let mut door = Door::new().await;
    let others = Authority::new();
    door.scene.anchors("others", &others);
    let (own, free) = (door.scene.https("b.example", "cert-b"), door.scene.https("c.example", "cert-c"));
    door.scene.secret("cert-b", &door.servers.pair(&["b.example"]));
    door.scene.secret("cert-c", &door.servers.pair(&["c.example"]));
    door.scene.tls(json!({ "frontend": {
        "default": { "validation": validation("clients", "AllowValidOnly") },
        "perPort": [
            { "port": own.port(), "tls": { "validation": validation("others", "AllowValidOnly") } },
            { "port": free.port(), "tls": {} },
        ],
    } }));
    let gateway = door.scene.start().await;
    let by_default = door.showing(&door.clients.pair(&["client.example"]));
    let by_port = door.showing(&others.pair(&["client.example"]));

    let entry = gateway.entry;
    for (client, address, name, let_in) in [
        (&by_default, entry, NAME, true),
        (&by_port, entry, NAME, false),
        (&by_default, own, "b.example", false),
        (&by_port, own, "b.example", true),
        (&door.nobody(), own, "b.example", false),
        (&door.nobody(), free, "c.example", true),
    ] {
        let answer = client.fetch(address, name, "/").await;
        assert_eq!(answer.is_ok(), let_in, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_listener_that_could_verify_nobody_does_not_open_until_it_can() {
    for mode in ["AllowValidOnly", "AllowInsecureFallback"] {
        let mut door = Door::new().await;
        door.scene.remove("ConfigMap", "clients");
        door.scene.tls(json!({ "frontend": { "default": { "validation": validation("clients", mode) } } }));
        let plain = door.scene.http();
        let gateway = door.scene.start().await;
        let client = door.showing(&door.clients.pair(&["client.example"]));

        assert_eq!(tests::client::fetch(plain, NAME, "/plain").await.text(), "GET /plain", "others serve");
        assert!(client.fetch(gateway.entry, NAME, "/").await.is_err(), "{mode}");
        let told = gateway.stderr().find("the missing authority to be told", |line| {
            line.contains("NoValidCACertificate").then_some(())
        });
        assert_eq!(told.await, Ok(()));

        door.scene.anchors("clients", &door.clients);
        gateway.edit(&door.scene.yaml()).await;
        let answer = eventually_some("the listener to open", || async {
            client.fetch(gateway.entry, NAME, "/").await.ok()
        });
        assert_eq!(answer.await.text(), "GET /");
    }
}

#[tokio::test]
async fn sessions_are_resumed_where_nobody_is_verified_and_nowhere_else() {
    let kinds = async |client: &TlsClient, gateway: &Gateway| {
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let stream = client.open(gateway.entry, NAME).await.expect("a handshake");
            kinds.push(stream.get_ref().1.handshake_kind().expect("it is over"));
            // Tickets come with the first answer.
            let mut client = RawClient::over(stream);
            client.send(get(NAME, "/", "")).await;
            assert_eq!(client.answer().await.status, 200);
        }
        kinds
    };
    let free = Door::new().await;
    let gateway = free.scene.start().await;
    let (door, verifying) = Door::verifying("AllowValidOnly").await;
    let client = door.showing(&door.clients.pair(&["client.example"]));

    let (full, resumed) = (rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed);
    assert_eq!(kinds(&free.nobody(), &gateway).await, [full, resumed, resumed]);
    assert_eq!(kinds(&client, &verifying).await, [full; 3], "a ticket would outlive the trust");
}

/// A second route in the same edit shows on the plain port when the edit has taken effect.
async fn edited(door: &mut Door, gateway: &Gateway, plain: std::net::SocketAddr, number: u32) {
    let host = format!("mark-{number}.example");
    let filter = json!({
        "type": "RequestRedirect",
        "requestRedirect": { "statusCode": 301, "hostname": "m.example" },
    });
    door.scene
        .route(&format!("mark-{number}"), json!({ "hostnames": [host], "rules": [{ "filters": [filter] }] }));
    gateway.edit(&door.scene.yaml()).await;
    eventually_some("the edit to take effect", || async {
        let answer = tests::client::exchange(plain, get(&host, "/", "")).await.ok()?;
        (answer.status == 301).then_some(())
    })
    .await;
}

/// A door with a plain port beside it, which verifies as `validation` says.
async fn changing(first: Option<Value>) -> (Door, Gateway, std::net::SocketAddr) {
    let mut door = Door::new().await;
    let plain = door.scene.http();
    door.verify(first);
    let gateway = door.scene.start().await;
    (door, gateway, plain)
}

impl Door {
    fn verify(&mut self, validation: Option<Value>) {
        let config = validation.map_or(json!({}), |validation| json!({ "validation": validation }));
        self.scene.tls(json!({ "frontend": { "default": config } }));
    }
}

async fn connected(client: &TlsClient, gateway: &Gateway) -> RawClient {
    let mut client = client.connect(gateway.entry, NAME).await;
    client.send(get(NAME, "/before", "")).await;
    assert_eq!(client.answer().await.text(), "GET /before");
    client
}

#[tokio::test]
async fn a_connection_from_before_the_port_verified_clients_is_denied_and_then_closed() {
    let (mut door, gateway, plain) = changing(None).await;
    let mut old = connected(&door.nobody(), &gateway).await;
    let mut idle = connected(&door.nobody(), &gateway).await;

    door.verify(Some(validation("clients", "AllowValidOnly")));
    edited(&mut door, &gateway, plain, 1).await;
    old.send(get(NAME, "/after", "")).await;
    let answer = old.answer().await;

    assert_eq!(answer.is_failure(421, "client_unverified"), Ok(()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(old.closes().await, Ok(()));
    assert!(!door.upstream.lines().contains(&"GET /after".to_owned()));
    // The change itself has closed nothing: the other connection is still there to be told.
    idle.send(get(NAME, "/after", "")).await;
    assert_eq!(idle.answer().await.status, 421);
}

#[tokio::test]
async fn an_http2_connection_from_before_is_denied_and_told_to_go() {
    let (mut door, gateway, plain) = changing(None).await;
    let client = TlsClient::trusting(&door.servers, &["h2"]).connect(gateway.entry, NAME).await;
    let mut old = FrameClient::over(client, &[]).await;
    old.get(1, NAME, "/before").await;
    assert_eq!(old.outcome(1).await, Ok(Outcome::Answered(200, b"GET /before".to_vec())));

    door.verify(Some(validation("clients", "AllowValidOnly")));
    edited(&mut door, &gateway, plain, 1).await;
    old.get(3, NAME, "/after").await;

    let Ok(Outcome::Answered(421, problem)) = old.outcome(3).await else { panic!("it was not denied") };
    assert!(String::from_utf8_lossy(&problem).contains("client_unverified"));
    assert_eq!(old.given_up().await, Ok(Some(0)), "it is told to go, without blame");
    assert!(!door.upstream.lines().contains(&"GET /after".to_owned()));
}

#[tokio::test]
async fn a_plain_connection_does_not_outlive_the_day_its_port_begins_to_verify() {
    let mut door = Door::new().await;
    let (plain, entry) = (door.scene.http(), door.scene.port());
    door.scene.listener(json!({ "name": "turning", "port": entry, "protocol": "HTTP" }));
    let gateway = door.scene.start().await;
    let entry = std::net::SocketAddr::new(gateway.entry.ip(), entry);
    let mut old = RawClient::connect(entry).await;
    old.send(get("b.example", "/before", "")).await;
    assert_eq!(old.answer().await.text(), "GET /before");

    door.scene.remove_listener("turning");
    door.scene.https_on(entry.port(), "b.example", "cert-b");
    door.scene.secret("cert-b", &door.servers.pair(&["b.example"]));
    door.verify(Some(validation("clients", "AllowValidOnly")));
    edited(&mut door, &gateway, plain, 1).await;
    old.send(get("b.example", "/after", "")).await;

    assert_eq!(old.answer().await.is_failure(421, "client_unverified"), Ok(()));
    assert_eq!(old.closes().await, Ok(()));
}

#[tokio::test]
async fn a_connection_whose_certificate_satisfies_the_new_authority_lives_on_and_others_do_not() {
    let (mut door, gateway, plain) = changing(Some(validation("clients", "AllowValidOnly"))).await;
    let others = Authority::new();
    let pair = door.clients.pair(&["client.example"]);
    let mut old = connected(&door.showing(&pair), &gateway).await;
    let again = async |old: &mut RawClient, target: &str| {
        old.send(get(NAME, target, "")).await;
        old.answer().await
    };

    // An authority beside the one that vouches for the client: nothing changes for it.
    door.scene.anchors("others", &others);
    let mut both = validation("clients", "AllowValidOnly");
    both["caCertificateRefs"].as_array_mut().expect("a list").push(json!({
        "group": "", "kind": "ConfigMap", "name": "others",
    }));
    door.verify(Some(both));
    edited(&mut door, &gateway, plain, 1).await;
    assert_eq!(again(&mut old, "/both").await.text(), "GET /both");

    // Nobody is asked any more, then everybody again.
    door.verify(None);
    edited(&mut door, &gateway, plain, 2).await;
    assert_eq!(again(&mut old, "/free").await.text(), "GET /free");
    door.verify(Some(validation("clients", "AllowInsecureFallback")));
    edited(&mut door, &gateway, plain, 3).await;
    assert_eq!(again(&mut old, "/fallback").await.text(), "GET /fallback");

    // The authority that vouched for it is trusted no more.
    door.verify(Some(validation("others", "AllowValidOnly")));
    edited(&mut door, &gateway, plain, 4).await;
    assert_eq!(again(&mut old, "/gone").await.is_failure(421, "client_unverified"), Ok(()));
    assert!(!door.upstream.lines().contains(&"GET /gone".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_was_only_forgiven_is_not_good_enough_once_it_must_be_valid() {
    let (mut door, gateway, plain) = changing(Some(validation("clients", "AllowInsecureFallback"))).await;
    let stranger = Authority::new().pair(&["client.example"]);
    let mut forgiven = connected(&door.showing(&stranger), &gateway).await;
    let mut valid = connected(&door.showing(&door.clients.pair(&["client.example"])), &gateway).await;

    door.verify(Some(validation("clients", "AllowValidOnly")));
    edited(&mut door, &gateway, plain, 1).await;

    forgiven.send(get(NAME, "/after", "")).await;
    assert_eq!(forgiven.answer().await.is_failure(421, "client_unverified"), Ok(()));
    valid.send(get(NAME, "/after", "")).await;
    assert_eq!(valid.answer().await.text(), "GET /after");
}
