//! The Gateway's own certificate towards backends that ask for one, and its renewal under traffic.

use serde_json::json;
use tests::certificates::{Authority, Pair};
use tests::client::{RawClient, fetch, get};
use tests::scene::Scene;
use tests::script;
use tests::tls::asking_acceptor;
use tests::until::eventually_some;
use tests::upstream::Upstream;

/// A backend that asks for a certificate of `gateways`, and a Gateway that can verify it.
struct Backend {
    gateways: Authority,
    upstream: Upstream,
    scene: Scene,
}

impl Backend {
    async fn new() -> Backend {
        Backend::closing(false).await
    }

    /// With `each`, the backend ends every connection after one answer.
    async fn closing(each: bool) -> Backend {
        let (servers, gateways) = (Authority::new(), Authority::new());
        let acceptor = asking_acceptor(&servers.pair(&["inside.example"]), &["http/1.1"], &gateways);
        let upstream = Upstream::tls(acceptor, move |request| {
            let mut script = script::honest(request);
            script.extend(each.then_some(script::Step::Close));
            script
        })
        .await;
        let mut scene = Scene::forwarding(&upstream);
        scene.anchors("ca", &servers);
        scene.document(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": { "name": "tls", "namespace": "default" },
            "spec": {
                "targetRefs": [{ "group": "", "kind": "Service", "name": "shop" }],
                "validation": {
                    "hostname": "inside.example",
                    "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "ca" }],
                },
            },
        }));
        Backend { gateways, upstream, scene }
    }

    fn showing(&mut self, pair: &Pair) {
        self.scene.secret("own", pair);
        self.scene.tls(json!({ "backend": { "clientCertificateRef": { "name": "own" } } }));
    }

    /// What the backend was shown last.
    fn shown(&self) -> Option<Vec<u8>> {
        self.upstream.connections().into_iter().rev().find_map(|connection| connection.certificate)
    }
}

#[tokio::test]
async fn a_backend_that_asks_sees_the_gateways_certificate() {
    let mut backend = Backend::new().await;
    let own = backend.gateways.pair(&["gateway.example"]);
    backend.showing(&own);
    let gateway = backend.scene.start().await;

    let answer = fetch(gateway.entry, "h", "/asked").await;

    assert_eq!(answer.text(), "GET /asked");
    assert_eq!(backend.shown(), Some(own.certificate.to_vec()));
}

#[tokio::test]
async fn a_backend_that_is_shown_nothing_or_a_strangers_certificate_gets_no_request() {
    let strange = Authority::new().pair(&["gateway.example"]);
    for own in [None, Some(strange)] {
        let mut backend = Backend::new().await;
        own.iter().for_each(|own| backend.showing(own));
        let gateway = backend.scene.start().await;

        let answer = fetch(gateway.entry, "h", "/").await;

        assert_eq!(answer.status / 100, 5, "{answer:?}");
        assert_eq!(backend.upstream.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_gateway_whose_own_certificate_is_missing_does_not_call_without_it() {
    let mut backend = Backend::new().await;
    backend.scene.tls(json!({ "backend": { "clientCertificateRef": { "name": "own" } } }));
    let gateway = backend.scene.start().await;

    let answer = fetch(gateway.entry, "h", "/").await;

    assert_eq!(answer.status / 100, 5, "{answer:?}");
    assert_eq!(backend.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_without_a_failed_request() {
    let mut backend = Backend::closing(true).await;
    let (first, second) = (backend.gateways.pair(&["one.example"]), backend.gateways.pair(&["two.example"]));
    backend.showing(&first);
    let gateway = backend.scene.start().await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get("h", "/", "")).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(backend.shown(), Some(first.certificate.to_vec()));

    backend.scene.remove("Secret", "own");
    backend.showing(&second);
    gateway.edit(&backend.scene.yaml()).await;
    let renewed = second.certificate.to_vec();
    let backend = &backend;
    let client = tokio::sync::Mutex::new(client);
    eventually_some("the renewed certificate to be shown", || async {
        let mut client = client.lock().await;
        client.send(get("h", "/", "")).await;
        assert_eq!(client.answer().await.status, 200, "a request failed during the renewal");
        (backend.shown().as_ref() == Some(&renewed)).then_some(())
    })
    .await;
}
