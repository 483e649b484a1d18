//! Identities of client certificates at a Gateway's own TLS listeners: believed when the chain is, and only then.

use serde_json::{Value, json};
use tests::certificates::{Authority, Pair};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::tls::TlsClient;
use tests::upstream::Upstream;

const NAME: &str = "a.example";
const WEB: &str = "spiffe://bank.example/ns/shop/sa/web";

struct Door {
    servers: Authority,
    clients: Authority,
    gateway: Gateway,
    _upstream: Upstream,
}

impl Door {
    async fn new(mode: &str, policy: Value) -> Door {
        let (servers, clients) = (Authority::new(), Authority::new());
        let upstream = Upstream::recording().await;
        let mut scene = Scene::new();
        scene.https(NAME, "cert");
        scene.secret("cert", &servers.pair(&[NAME]));
        scene.anchors("clients", &clients);
        scene.service("shop", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        let validation = json!({
            "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "clients" }], "mode": mode,
        });
        scene.tls(json!({ "frontend": { "default": { "validation": validation } } }));
        scene.policy("who", policy);
        let gateway = scene.start().await;
        Door { servers, clients, gateway, _upstream: upstream }
    }

    async fn status(&self, shown: Option<&Pair>) -> u16 {
        let nobody = TlsClient::trusting(&self.servers, &["http/1.1"]);
        let client = shown.map_or(nobody.clone(), |pair| nobody.showing(pair));
        client.fetch(self.gateway.entry, NAME, "/").await.expect("an answer").status
    }
}

fn allow(from: Value) -> Value {
    json!({ "action": "Allow", "rules": [{ "from": [from] }] })
}

#[tokio::test]
async fn a_verified_identity_is_who_it_says() {
    for from in [
        json!({ "identities": [WEB] }),
        json!({ "identities": ["*/sa/web"] }),
        json!({ "identities": ["spiffe://*/ns/shop/sa/*"] }),
        json!({ "namespaces": ["shop"] }),
        json!({ "meshes": ["bank.example"] }),
        json!({ "notIdentities": ["*/sa/other"] }),
    ] {
        let door = Door::new("AllowValidOnly", allow(from.clone())).await;
        let web = door.clients.naming(&[WEB]);

        assert_eq!(door.status(Some(&web)).await, 200, "{from}");
        for (what, pair) in [
            ("somebody else", door.clients.naming(&["spiffe://evil.example/ns/bank/sa/other"])),
            ("two names", door.clients.naming(&[WEB, WEB])),
            ("no SPIFFE ID", door.clients.naming(&["https://bank.example/ns/shop/sa/web"])),
            ("another spelling", door.clients.naming(&["SPIFFE://bank.example/ns/shop/sa/web"])),
            ("a DNS name", door.clients.pair(&["web.shop.bank.example"])),
        ] {
            assert_eq!(door.status(Some(&pair)).await, 403, "{from}: {what}");
        }
    }
}

#[tokio::test]
async fn who_is_let_in_unverified_has_no_identity() {
    let door = Door::new("AllowInsecureFallback", allow(json!({ "identities": [WEB] }))).await;

    assert_eq!(door.status(Some(&door.clients.naming(&[WEB]))).await, 200);
    assert_eq!(door.status(Some(&Authority::new().naming(&[WEB]))).await, 403, "anybody can sign that");
    assert_eq!(door.status(None).await, 403);
}

#[tokio::test]
async fn a_deny_of_everybody_but_one_denies_who_shows_nothing() {
    let deny = json!({ "action": "Deny", "rules": [{ "from": [{ "notIdentities": [WEB] }] }] });
    let door = Door::new("AllowInsecureFallback", deny).await;

    assert_eq!(door.status(Some(&door.clients.naming(&[WEB]))).await, 200);
    assert_eq!(door.status(None).await, 403);
}

#[tokio::test]
async fn names_with_dots_and_brackets_are_names() {
    let door =
        Door::new("AllowValidOnly", allow(json!({ "identities": ["spiffe://bank.example/ns/shop/sa/a.b"] })))
            .await;

    assert_eq!(door.status(Some(&door.clients.naming(&["spiffe://bank.example/ns/shop/sa/a.b"]))).await, 200);
    assert_eq!(door.status(Some(&door.clients.naming(&["spiffe://bank.example/ns/shop/sa/axb"]))).await, 403);
    assert_eq!(door.status(Some(&door.clients.naming(&["spiffe://bankxexample/ns/shop/sa/a.b"]))).await, 403);
}

#[tokio::test]
async fn server_names_and_ports_are_those_of_the_connection() {
    let to = json!({ "action": "Allow", "rules": [{ "to": [{ "serverNames": [NAME], "notPorts": [1] }] }] });
    let door = Door::new("AllowInsecureFallback", to).await;

    assert_eq!(door.status(None).await, 200);
}
