//! Tokens that only their issuer understands, with Authlib's introspection endpoint as the issuer (RFC 7662): how often it is
//! asked, what is made of its answers, and where nobody is asked at all. E4.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, fetch_with};
use tests::gateway::Gateway;
use tests::issuer::Issuer;
use tests::scene::Scene;
use tests::servers::Server;
use tests::until::eventually_some;
use tests::upstream::Upstream;

fn secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "policy.selvedge.dev/upstream-credential",
        "metadata": { "name": "client", "namespace": "default" },
        "stringData": { "username": "gateway", "password": "s3cr:t & more" },
    })
}

fn asking(address: SocketAddr, path: &str, mut more: Value) -> Value {
    let all = json!({
        "uri": format!("http://{address}{path}"), "allowedAddresses": ["127.0.0.0/8"], "secretRef": { "name": "client" },
    });
    if let (Value::Object(more), Value::Object(all)) = (&mut more, all) {
        more.extend(all);
    }
    json!({ "introspection": more })
}

fn policy(kind: &str, mut spec: Value) -> Value {
    let target = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "all" });
    spec["targetRefs"] = json!([target]);
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": "tokens", "namespace": "default" }, "spec": spec,
    })
}

fn scene(upstream: &Upstream, methods: &[Value]) -> Scene {
    let mut scene = Scene::forwarding(upstream);
    scene.document(secret());
    scene.document(policy("AuthenticationPolicy", json!({ "methods": methods })));
    scene
}

/// Has the issuer do something.
async fn told(issuer: &Server, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: issuer\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    exchange(issuer.address, head + body).await.expect("an answer of the issuer").text()
}

async fn issued(issuer: &Server, about: Value) -> String {
    told(issuer, "/issue", &about.to_string()).await
}

/// How often the issuer was asked.
async fn asked(issuer: &Server) -> u32 {
    fetch_with(issuer.address, "issuer", "/asked", "Connection: close\r\n")
        .await
        .text()
        .parse()
        .expect("a number")
}

async fn shown(gateway: &Gateway, token: &str) -> Answer {
    fetch_with(gateway.entry, HOST, "/", &format!("Authorization: Bearer {token}\r\n")).await
}

#[tokio::test]
async fn a_token_counts_as_its_issuer_says_and_its_issuer_is_asked_once() {
    let (upstream, issuer) = (Upstream::recording().await, Server::issuer().await);
    let more = json!({
        "issuer": "https://login.example", "audiences": ["shop"],
        "claimToHeaders": [{ "claim": "sub", "header": "X-User" }],
    });
    let mut scene = scene(&upstream, &[asking(issuer.address, "/introspect", more)]);
    let condition = "'write' in request.auth.claims.scope && request.auth.claims['tier'] == 'gold'";
    let allow = json!({ "action": "Allow", "rules": [{ "condition": condition }] });
    scene.document(policy("AuthorizationPolicy", allow));
    let gateway = scene.start().await;
    let about = json!({ "iss": "https://login.example", "aud": "shop", "sub": "kim", "scope": "read write", "tier": "gold" });
    let other = |name: &str, value: Value| {
        let mut about = about.clone();
        about[name] = value;
        about
    };

    let token = issued(&issuer, about.clone()).await;
    for _ in 0..3 {
        assert_eq!(shown(&gateway, &token).await.status, 200);
    }
    assert_eq!(asked(&issuer).await, 1);
    assert_eq!(upstream.last().header("x-user"), Some("kim"));
    assert_eq!(upstream.last().header("authorization"), None);
    let line = gateway.logged("the principal", |line| line["status"] == 200).await;
    assert_eq!(line["principal"], "introspection:https://login.example#kim", "{line}");
    assert!(
        !gateway.access_log().iter().any(|line| line.to_string().contains(&token)),
        "the log has the token"
    );

    for (about, status) in [
        (other("iss", json!("https://other.example")), 401),
        (other("aud", json!("else")), 401),
        (other("nbf", json!(4_000_000_000_u64)), 401),
        (other("sub", json!(7)), 401),
        (other("scope", json!("read")), 403),
        (other("tier", json!(["gold"])), 403),
        (other("tier", Value::Null), 403),
    ] {
        let token = issued(&issuer, about.clone()).await;
        assert_eq!(shown(&gateway, &token).await.status, status, "{about}");
    }
}

#[tokio::test]
async fn what_does_not_count_is_not_asked_about_again_at_once_and_is_asked_about_once_at_a_time() {
    let (upstream, issuer) = (Upstream::recording().await, Server::issuer().await);
    let scene = scene(&upstream, &[asking(issuer.address, "/introspect", json!({}))]);
    let gateway = Gateway::start_with(&scene.yaml(), scene.entry(), &["--workers", "2"]).await;

    let revoked = issued(&issuer, json!({ "sub": "kim" })).await;
    told(&issuer, "/revoke", &revoked).await;
    let answer = shown(&gateway, &revoked).await;
    assert_eq!((answer.status, answer.code().as_deref()), (401, Some("credential_invalid")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\", error=\"invalid_token\""));
    gateway.logged("why", |line| line["authentication"] == "token_inactive").await;

    // Nothing that is no token is asked about.
    let before = asked(&issuer).await;
    assert_eq!(shown(&gateway, "a&token=b").await.status, 401);
    assert_eq!(asked(&issuer).await, before);

    // The issuer takes its time, and everybody asks at once, of both workers.
    told(&issuer, "/slow", "0.5").await;
    let token = issued(&issuer, json!({ "sub": "kim" })).await;
    let fields = format!("Authorization: Bearer {token}\r\n");
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (entry, fields) = (gateway.entry, fields.clone());
            tokio::spawn(async move { fetch_with(entry, HOST, "/", &fields).await.status })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.expect("a caller"), 200);
    }
    assert!(asked(&issuer).await - before <= 2, "each worker asks once, or they share a question");
}

#[tokio::test]
async fn nobody_is_let_in_while_the_issuer_does_not_say() {
    let (upstream, issuer) = (Upstream::recording().await, Server::issuer().await);
    let token = issued(&issuer, json!({ "sub": "kim" })).await;
    let gateway = scene(&upstream, &[asking(issuer.address, "/introspect", json!({}))]).start().await;
    for answer in ["<html>", "{}", "{\"active\":\"true\"}", "{\"active\":false,\"active\":true}"] {
        told(&issuer, "/answer", answer).await;
        let refused = shown(&gateway, &token).await;
        assert_eq!(
            (refused.status, refused.code().as_deref()),
            (503, Some("authentication_unavailable")),
            "{answer}"
        );
    }
    told(&issuer, "/answer", "").await;
    told(&issuer, "/slow", "600").await;
    assert_eq!(shown(&gateway, &token).await.status, 503, "there is a bound to how long it may take");
    told(&issuer, "/slow", "0").await;
    assert_eq!(shown(&gateway, &token).await.status, 200, "and it is asked again");

    // What redirects is not followed.
    let before = asked(&issuer).await;
    let gateway = scene(&upstream, &[asking(issuer.address, "/moved", json!({}))]).start().await;
    assert_eq!(shown(&gateway, &token).await.status, 503);
    assert_eq!(asked(&issuer).await, before);
}

#[tokio::test]
async fn an_issuer_that_takes_too_long_is_felt_by_those_alone_whose_tokens_it_knows() {
    let (upstream, issuer) = (Upstream::recording().await, Server::issuer().await);
    let signer = Issuer::new("https://signed.example");
    let signed =
        json!({ "jwt": { "issuer": "https://signed.example", "jwks": { "inline": signer.jwks() } } });
    let scene = scene(&upstream, &[signed, asking(issuer.address, "/introspect", json!({}))]);
    let gateway = Gateway::start_with(&scene.yaml(), scene.entry(), &["--workers", "1"]).await;
    let known = issued(&issuer, json!({ "sub": "robin" })).await;
    assert_eq!(shown(&gateway, &known).await.status, 200);
    let signed = signer.token(json!({ "sub": "kim" }));
    told(&issuer, "/slow", "600").await;

    // One worker carries all of them. On a machine that is slower than the issuer's bound it is tried again.
    let mut unhindered = false;
    for _ in 0..4 {
        let (before, entry) = (asked(&issuer).await, gateway.entry);
        let fields = format!("Authorization: Bearer {}\r\n", issued(&issuer, json!({ "sub": "kim" })).await);
        let waiting = tokio::spawn(async move { fetch_with(entry, HOST, "/", &fields).await });
        eventually_some("the issuer to be asked", || async { (asked(&issuer).await > before).then_some(()) })
            .await;
        for token in [&signed, &known] {
            assert_eq!(shown(&gateway, token).await.status, 200);
        }
        unhindered = !waiting.is_finished();
        let refused = waiting.await.expect("a caller");
        assert_eq!((refused.status, refused.code().as_deref()), (503, Some("authentication_unavailable")));
        if unhindered {
            break;
        }
    }
    assert!(unhindered, "others have waited with them");
}

#[tokio::test]
async fn no_policy_has_the_proxy_connect_to_itself() {
    let upstream = Upstream::recording().await;
    let inside = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = inside.local_addr().expect("an address").port();
    let keys = |uri: &str| json!({ "jwt": { "issuer": "https://i.example", "jwks": { "uri": uri } } });
    let tokens = |uri: &str| json!({ "introspection": { "uri": uri, "secretRef": { "name": "client" } } });
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "localhost.", "[::1]", "[64:ff9b::7f00:1]"] {
        let uri = format!("https://{host}:{port}/");
        for method in [keys(&uri), tokens(&uri)] {
            let gateway = scene(&upstream, &[method]).start().await;
            let token = Issuer::new("https://i.example").token(json!({ "sub": "kim" }));
            assert_eq!(shown(&gateway, &token).await.status, 503, "{host}");
        }
    }
    let knocked = poll_fn(|cx| Poll::Ready(inside.poll_accept(cx).is_ready())).await;
    assert!(!knocked, "somebody connected");
}

#[tokio::test]
async fn tokens_that_can_be_verified_here_are_not_asked_about() {
    let (upstream, issuer) = (Upstream::recording().await, Server::issuer().await);
    let signer = Issuer::new("https://signed.example");
    let signed =
        json!({ "jwt": { "issuer": "https://signed.example", "jwks": { "inline": signer.jwks() } } });
    let gateway = scene(&upstream, &[signed, asking(issuer.address, "/introspect", json!({}))]).start().await;

    assert_eq!(shown(&gateway, &signer.token(json!({ "sub": "kim" }))).await.status, 200);
    assert_eq!(shown(&gateway, &signer.token(json!({ "sub": "kim", "exp": 1 }))).await.status, 401);
    assert_eq!(asked(&issuer).await, 0);
    let opaque = issued(&issuer, json!({ "sub": "robin" })).await;
    assert_eq!(shown(&gateway, &opaque).await.status, 200);
    assert_eq!(asked(&issuer).await, 1);
}
