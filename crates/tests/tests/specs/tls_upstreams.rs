//! TLS towards upstreams, by BackendTLSPolicy and by Backend: verified or not at all.

use serde_json::{Value, json};
use tests::certificates::Authority;
use tests::client::fetch;
use tests::scene::Scene;
use tests::script;
use tests::tls::acceptor;
use tests::upstream::Upstream;

async fn upstream(authority: &Authority, name: &str) -> Upstream {
    Upstream::tls(acceptor(&authority.pair(&[name]), &["http/1.1"]), script::honest).await
}

fn scene(upstream: &Upstream, ca: Option<&Authority>, validation: Value) -> Scene {
    let mut scene = Scene::forwarding(upstream);
    if let Some(ca) = ca {
        scene.document(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca", "namespace": "default" },
            "data": { "ca.crt": ca.pem },
        }));
    }
    scene.document(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
        "metadata": { "name": "tls", "namespace": "default" },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": "shop" }],
            "validation": validation,
        },
    }));
    scene
}

fn by_config_map(hostname: &str) -> Value {
    json!({ "hostname": hostname, "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "ca" }] })
}

#[tokio::test]
async fn an_upstream_that_proves_its_name_is_reached() {
    let authority = Authority::new();
    let upstream = upstream(&authority, "inside.example").await;
    let gateway = scene(&upstream, Some(&authority), by_config_map("inside.example")).start().await;

    let answer = fetch(gateway.entry, "outside.example", "/").await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "GET /"));
    assert_eq!(
        upstream.last().header("host"),
        Some("outside.example"),
        "TLS names the upstream, Host the resource"
    );
}

#[tokio::test]
async fn an_upstream_with_another_name_or_authority_is_a_502_and_gets_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let wrong_name = upstream(&authority, "other.example").await;
    let wrong_authority = upstream(&stranger, "inside.example").await;
    for upstream in [wrong_name, wrong_authority] {
        let gateway = scene(&upstream, Some(&authority), by_config_map("inside.example")).start().await;

        let answer = fetch(gateway.entry, "h", "/").await;

        assert_eq!(answer.is_failure(502, "upstream_tls"), Ok(()));
        assert_eq!(upstream.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_policy_that_is_invalid_closes_and_is_never_skipped() {
    let authority = Authority::new();
    let missing = by_config_map("inside.example");
    let wrong_kind = json!({ "hostname": "inside.example", "caCertificateRefs": [{ "group": "", "kind": "Service", "name": "ca" }] });
    for validation in [missing, wrong_kind] {
        let upstream = upstream(&authority, "inside.example").await;
        let gateway = scene(&upstream, None, validation).start().await;

        let answer = fetch(gateway.entry, "h", "/").await;

        assert!((500..=599).contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.code().as_deref(), Some("backend_tls_invalid"));
        assert_eq!(upstream.requests().len(), 0);
    }
}

#[tokio::test]
async fn subject_alternative_names_replace_the_host_name_in_the_check() {
    let authority = Authority::new();
    let upstream = upstream(&authority, "san.example").await;
    let with = |name: &str| {
        let mut validation = by_config_map("sni.example");
        validation["subjectAltNames"] = json!([{ "type": "Hostname", "hostname": name }]);
        validation
    };

    let good = scene(&upstream, Some(&authority), with("san.example")).start().await;
    let bad = scene(&upstream, Some(&authority), with("else.example")).start().await;

    assert_eq!(fetch(good.entry, "h", "/").await.status, 200);
    assert_eq!(fetch(bad.entry, "h", "/").await.is_failure(502, "upstream_tls"), Ok(()));
}

#[tokio::test]
async fn a_backend_names_its_own_tls() {
    let authority = Authority::new();
    let upstream = upstream(&authority, "inside.example").await;
    let mut scene = Scene::new();
    scene.http();
    scene.document(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca", "namespace": "default" },
        "data": { "ca.crt": authority.pem },
    }));
    scene.document(json!({
        "apiVersion": tests::scene::OWN_VERSION, "kind": "Backend", "metadata": { "name": "shop", "namespace": "default" },
        "spec": {
            "endpoints": [upstream.address.to_string()],
            "tls": { "hostname": "inside.example", "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": "ca" }] },
        },
    }));
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "group": "mesh.selvedge.dev", "kind": "Backend", "name": "shop" }] }] }));
    let gateway = scene.start().await;

    assert_eq!(fetch(gateway.entry, "h", "/").await.text(), "GET /");
}

#[tokio::test]
async fn an_upstream_that_offers_http2_over_tls_is_spoken_to_in_http2() {
    let authority = Authority::new();
    let pair = authority.pair(&["inside.example"]);
    let upstream = tests::h2_upstream::H2Upstream::tls(acceptor(&pair, &["h2"]), |request| {
        tests::h2_upstream::Reply::Whole {
            status: 200,
            headers: Vec::new(),
            body: request.line().into_bytes(),
            trailers: Vec::new(),
        }
    })
    .await;
    let placeholder = Upstream::recording().await;
    let mut scene = scene(&placeholder, Some(&authority), by_config_map("inside.example"));
    scene.remove("EndpointSlice", "shop-0");
    scene.remove("Service", "shop");
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    let gateway = scene.start().await;

    assert_eq!(fetch(gateway.entry, "h", "/secure").await.text(), "GET /secure");
    assert_eq!(upstream.requests()[0].header(":authority"), Some("h"));
}
