//! AuthenticationPolicy through a real gateway: who is let in by what, what the backend and the log see of it, which of
//! several policies holds, and what happens where one cannot do what it says. E1 to E4, E13.

use std::sync::{Arc, Mutex};

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::client::{fetch, fetch_with};
use tests::gateway::Gateway;
use tests::issuer::Issuer;
use tests::scene::Scene;
use tests::script;
use tests::until::eventually_some;
use tests::upstream::Upstream;

const KEY: &str = "0123456789abcdef-partner";

/// A gateway with one route, these Secrets and these policies.
async fn asking(secrets: &[Value], policies: &[(&str, Value)]) -> (Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let scene = scene(&upstream, secrets, policies);
    (scene.start().await, upstream)
}

fn scene(upstream: &Upstream, secrets: &[Value], policies: &[(&str, Value)]) -> Scene {
    let mut scene = Scene::forwarding(upstream);
    secrets.iter().for_each(|secret| scene.document(secret.clone()));
    for (name, spec) in policies {
        scene.document(policy(name, spec.clone()));
    }
    scene
}

fn policy(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

fn secret(name: &str, of_type: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": format!("policy.selvedge.dev/{of_type}"),
        "metadata": { "name": name, "namespace": "default" }, "stringData": data,
    })
}

fn partner() -> Value {
    secret("partners", "api-keys", json!({ "partner": KEY }))
}

fn keys(more: Value) -> Value {
    let mut method = json!({
        "in": [{ "header": "X-Key" }, { "query": "key" }, { "cookie": "key" }], "secretRef": { "name": "partners" },
    });
    if let (Value::Object(method), Value::Object(more)) = (&mut method, more) {
        method.extend(more);
    }
    json!({ "apiKey": method })
}

async fn status(gateway: &Gateway, target: &str, more: &str) -> u16 {
    fetch_with(gateway.entry, HOST, target, more).await.status
}

#[tokio::test]
async fn a_key_is_found_in_each_of_its_places_and_goes_no_further() {
    let methods = json!({ "methods": [keys(json!({}))] });
    let (gateway, upstream) = asking(&[partner()], &[("keys", methods)]).await;

    assert_eq!(status(&gateway, "/header", &format!("X-Key: {KEY}\r\n")).await, 200);
    assert_eq!(upstream.last().header("x-key"), None);
    assert_eq!(status(&gateway, &format!("/query?a=1&key={KEY}&b=2"), "").await, 200);
    assert_eq!(upstream.last().line(), "GET /query?a=1&b=2");
    assert_eq!(status(&gateway, &format!("/only?key={KEY}"), "").await, 200);
    assert_eq!(upstream.last().line(), "GET /only");
    assert_eq!(status(&gateway, "/cookie", &format!("Cookie: a=b; key={KEY}; c=d\r\n")).await, 200);
    assert_eq!(upstream.last().header("cookie"), Some("a=b; c=d"));

    let line = gateway.logged("the query", |line| line["path"] == "/query").await;
    assert_eq!((&line["principal"], &line["query"]), (&json!("apiKey:partner"), &json!("a=1&b=2")), "{line}");
    assert!(!gateway.access_log().iter().any(|line| line.to_string().contains(KEY)), "the log has the key");
}

#[tokio::test]
async fn who_shows_nothing_or_something_false_is_told_what_to_show() {
    let methods = json!({ "methods": [keys(json!({}))] });
    let (gateway, upstream) = asking(&[partner()], &[("keys", methods)]).await;

    let nothing = fetch(gateway.entry, HOST, "/").await;
    assert_eq!(nothing.is_failure(401, "credential_missing"), Ok(()));
    assert_eq!(
        nothing.header("www-authenticate"),
        Some("ApiKey realm=\"api\", in=\"header\", name=\"x-key\"")
    );
    let twice = format!("X-Key: {KEY}\r\nX-Key: {KEY}\r\n");
    for wrong in ["X-Key: 0123456789abcdef-partneR\r\n", "X-Key:\r\n", &twice, "Cookie: key=x\r\n"] {
        let answer = fetch_with(gateway.entry, HOST, "/wrong?q", wrong).await;
        assert_eq!(answer.is_failure(401, "credential_invalid"), Ok(()), "{wrong}");
    }
    assert_eq!(status(&gateway, "/hidden?key=guess", "").await, 401);

    let line = gateway.logged("the guess", |line| line["path"] == "/hidden").await;
    assert_eq!((&line["authentication"], &line["query"]), (&json!("key_unknown"), &json!("")), "{line}");
    let grpc = fetch_with(gateway.entry, HOST, "/a.B/C", "Content-Type: application/grpc\r\n").await;
    assert_eq!((grpc.status, grpc.header("grpc-status")), (200, Some("16")));
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_false_credential_is_not_made_good_by_another_one_or_by_letting_anybody_in() {
    let people = secret("people", "passwords", json!({ "kim": tests::issuer::BCRYPT_OF_SECRET }));
    let methods = json!({
        "methods": [keys(json!({ "keep": true })), { "basic": { "secretRef": { "name": "people" }, "realm": "shop" } }],
        "anonymous": "Allow",
    });
    let (gateway, upstream) = asking(&[partner(), people], &[("both", methods)]).await;
    let kim = "Authorization: Basic a2ltOnNlY3JldA==\r\n"; // kim:secret

    assert_eq!(status(&gateway, "/anybody", "").await, 200);
    assert_eq!(status(&gateway, "/key", &format!("X-Key: {KEY}\r\n")).await, 200);
    assert_eq!(upstream.last().header("x-key"), Some(KEY), "the policy keeps it");
    for _ in 0..3 {
        assert_eq!(status(&gateway, "/kim", kim).await, 200);
        assert_eq!(upstream.last().header("authorization"), None);
    }
    let seen = upstream.requests().len();
    let wrong = fetch_with(gateway.entry, HOST, "/", "Authorization: Basic a2ltOnNlY3JlVA==\r\n").await;
    assert_eq!(wrong.is_failure(401, "credential_invalid"), Ok(()));
    let challenges = wrong.header_all("www-authenticate");
    assert!(challenges.contains(&"Basic realm=\"shop\", charset=\"UTF-8\""), "{challenges:?}");
    for bad in ["Basic bm9ib2R5OnNlY3JldA==", "Basic !!!!", "Basic a2lt", "basic"] {
        assert_eq!(status(&gateway, "/", &format!("Authorization: {bad}\r\n")).await, 401, "{bad}");
    }
    assert_eq!(status(&gateway, "/", &format!("X-Key: wrong\r\n{kim}")).await, 401);

    assert_eq!(upstream.requests().len(), seen);
    let line = gateway.logged("kim", |line| line["path"] == "/kim").await;
    assert_eq!(line["principal"], "basic:kim", "{line}");
}

#[tokio::test]
async fn a_token_of_the_issuer_counts_and_its_claims_are_told_to_backend_and_policies() {
    let issuer = Issuer::new("https://issuer.example");
    let methods = json!({ "methods": [{ "jwt": {
        "issuer": "https://issuer.example", "audiences": ["shop"], "jwks": { "inline": issuer.jwks() },
        "claimToHeaders": [{ "claim": "sub", "header": "X-User" }, { "claim": "roles", "header": "X-Roles" }],
    } }] });
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream, &[], &[("tokens", methods)]);
    scene.policy(
        "admins",
        json!({ "action": "Deny", "rules": [{
        "to": [{ "paths": ["/admin"] }], "when": [{ "claim": "roles", "notValues": ["admin"] }],
    }, { "from": [{ "principals": ["jwt:https://issuer.example#eve"] }] }] }),
    );
    let gateway = scene.start().await;
    let bearer =
        |claims: Value| format!("X-User: root\r\nAuthorization: Bearer {}\r\n", issuer.token(claims));
    let of = |subject: &str, roles: Value| bearer(json!({ "sub": subject, "aud": "shop", "roles": roles }));

    assert_eq!(status(&gateway, "/", &of("kim", json!(["reader", "admin"]))).await, 200);
    let seen = upstream.last();
    assert_eq!(seen.header_all("x-user"), ["kim"], "what the client claims itself is taken out");
    assert_eq!((seen.header("x-roles"), seen.header("authorization")), (Some("reader,admin"), None));
    assert_eq!(status(&gateway, "/admin", &of("kim", json!(["reader", "admin"]))).await, 200);
    assert_eq!(status(&gateway, "/admin", &of("lee", json!(["reader"]))).await, 403);
    assert_eq!(status(&gateway, "/", &of("eve", json!(["admin"]))).await, 403);
    assert_eq!(status(&gateway, "/", &bearer(json!({ "sub": "kim", "aud": "bank" }))).await, 401);
    assert_eq!(status(&gateway, "/", &bearer(json!({ "sub": "kim", "aud": "shop", "exp": 1 }))).await, 401);
    let other = Issuer::new("https://issuer.example");
    let forged = fetch_with(
        gateway.entry,
        HOST,
        "/",
        &format!("Authorization: Bearer {}\r\n", other.token(json!({ "aud": "shop" }))),
    )
    .await;
    assert_eq!(forged.is_failure(401, "credential_invalid"), Ok(()));
    assert_eq!(forged.header("www-authenticate"), Some("Bearer realm=\"api\", error=\"invalid_token\""));
    let missing = fetch(gateway.entry, HOST, "/").await;
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"api\""));

    let line = gateway.logged("kim", |line| line["path"] == "/admin").await;
    assert_eq!(line["principal"], "jwt:https://issuer.example#kim", "{line}");
    gateway.logged("why", |line| line["authentication"] == "token_audience").await;
    gateway.logged("why", |line| line["authentication"] == "token_expired").await;
}

#[tokio::test]
async fn keys_are_asked_for_where_the_policy_allows_it_and_nowhere_else() {
    let issuer = Issuer::new("https://issuer.example");
    let jwks = issuer.jwks();
    let server = Upstream::always(script::answer("200 OK", &[], jwks.as_bytes())).await;
    let forbidden = Upstream::recording().await;
    let method = |server: &Upstream, allowed: &str| {
        json!({ "methods": [{ "jwt": {
            "issuer": "https://issuer.example",
            "jwks": { "uri": format!("http://{}/keys", server.address), "allowedAddresses": [allowed] },
        } }] })
    };
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    for name in ["open", "shut"] {
        let matches = json!([{ "path": { "type": "PathPrefix", "value": format!("/{name}") } }]);
        let rules = json!([{ "matches": matches, "backendRefs": [{ "name": "shop", "port": 80 }] }]);
        scene.route(name, json!({ "rules": rules }));
    }
    for (name, mut spec) in
        [("open", method(&server, "127.0.0.0/8")), ("shut", method(&forbidden, "10.0.0.0/8"))]
    {
        spec["targetRefs"] =
            json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name }]);
        scene.document(policy(name, spec));
    }
    let gateway = scene.start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", issuer.token(json!({ "sub": "kim" })));

    assert_eq!(status(&gateway, "/open", &bearer).await, 200);
    let shut = fetch_with(gateway.entry, HOST, "/shut", &bearer).await;

    assert_eq!(shut.is_failure(503, "authentication_unavailable"), Ok(()));
    assert_eq!(forbidden.connections().len(), 0, "nobody is to be asked there");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.last().line(), "GET /keys");
}

#[tokio::test]
async fn new_keys_of_an_issuer_count_once_a_token_names_them_and_its_old_ones_end() {
    let issuer = |key: &str| Issuer::with_key("https://issuer.example", key);
    let (old, new) = (issuer("one"), issuer("two"));
    let published = Arc::new(Mutex::new(old.jwks()));
    let shown = published.clone();
    let server = Upstream::scripted(move |_| {
        script::answer("200 OK", &[], shown.lock().expect("nobody panics").as_bytes())
    })
    .await;
    let methods = json!({ "methods": [{ "jwt": {
        "issuer": "https://issuer.example",
        "jwks": { "uri": format!("http://{}/", server.address), "allowedAddresses": ["127.0.0.0/8"] },
    } }] });
    let (gateway, _upstream) = asking(&[], &[("tokens", methods)]).await;
    let bearer =
        |issuer: &Issuer| format!("Authorization: Bearer {}\r\n", issuer.token(json!({ "sub": "kim" })));
    let (by_old, by_new) = (bearer(&old), bearer(&new));
    assert_eq!(status(&gateway, "/", &by_old).await, 200);
    assert_eq!(status(&gateway, "/", &by_new).await, 401);

    *published.lock().expect("nobody panics") = new.jwks();

    // The issuer is asked again because of the token, though not at once.
    eventually_some("the new key", || async { (status(&gateway, "/", &by_new).await == 200).then_some(()) })
        .await;
    assert_eq!(
        status(&gateway, "/", &by_old).await,
        401,
        "what was verified by keys that are gone is verified no more"
    );
}

#[tokio::test]
async fn a_redirect_to_keys_is_not_followed() {
    let target = Upstream::recording().await;
    let location = format!("http://{}/keys", target.address);
    let server = Upstream::always(script::answer("302 Found", &[("location", &location)], b"")).await;
    let issuer = Issuer::new("https://issuer.example");
    let methods = json!({ "methods": [{ "jwt": {
        "issuer": "https://issuer.example",
        "jwks": { "uri": format!("http://{}/", server.address), "allowedAddresses": ["127.0.0.0/8"] },
    } }] });
    let (gateway, _upstream) = asking(&[], &[("tokens", methods)]).await;

    let bearer = format!("Authorization: Bearer {}\r\n", issuer.token(json!({})));
    assert_eq!(status(&gateway, "/", &bearer).await, 503);

    server.seen(1).await;
    assert_eq!(target.connections().len(), 0);
}

#[tokio::test]
async fn an_answer_that_is_no_set_of_keys_lets_nobody_in_and_is_not_taken_in_whole() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n";
    let endless = vec![
        script::Step::ReadBody,
        script::Step::Send(head.into()),
        script::Step::Repeat(vec![b' '; 1 << 20], 100),
    ];
    let answers = [
        script::answer("200 OK", &[("content-type", "text/html")], b"<html>keys</html>"),
        script::answer(
            "200 OK",
            &[],
            br#"{"keys":[{"kty":"oct","k":"c2VjcmV0LXRoYXQtaXMtd2VsbC1rbm93bg"}]}"#,
        ),
        script::answer("500 Internal Server Error", &[], br#"{"keys":[]}"#),
        endless,
        vec![script::Step::ReadBody, script::Step::Hang],
    ];
    let (issuer, upstream) = (Issuer::new("https://issuer.example"), Upstream::recording().await);
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    let mut servers = Vec::new();
    for (at, answer) in answers.into_iter().enumerate() {
        let server = Upstream::always(answer).await;
        let name = format!("r{at}");
        let matches = json!([{ "path": { "type": "PathPrefix", "value": format!("/{at}") } }]);
        let rules = json!([{ "matches": matches, "backendRefs": [{ "name": "shop", "port": 80 }] }]);
        scene.route(&name, json!({ "rules": rules }));
        let target = json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name }]);
        let keys =
            json!({ "uri": format!("http://{}/", server.address), "allowedAddresses": ["127.0.0.0/8"] });
        let methods = json!([{ "jwt": { "issuer": "https://issuer.example", "jwks": keys } }]);
        scene.document(policy(&name, json!({ "targetRefs": target, "methods": methods })));
        servers.push(server);
    }
    let gateway = scene.start().await;
    let before = gateway.resident_bytes();
    let bearer = format!("Authorization: Bearer {}\r\n", issuer.token(json!({ "sub": "kim" })));

    let all: Vec<_> = (0..servers.len())
        .map(|at| {
            let (entry, bearer) = (gateway.entry, bearer.clone());
            tokio::spawn(async move { fetch_with(entry, HOST, &format!("/{at}"), &bearer).await.status })
        })
        .collect();
    for (at, asked) in all.into_iter().enumerate() {
        assert_eq!(asked.await.expect("an answer"), 503, "{at}");
    }

    for server in &servers {
        server.seen(1).await;
    }
    let grown = gateway.resident_bytes_peak().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_a_token_says_of_its_key_has_nobody_asked() {
    let inside = Upstream::recording().await;
    let signer = Issuer::new("https://issuer.example");
    let methods = json!({ "methods": [{ "jwt": {
        "issuer": "https://issuer.example", "jwks": { "inline": signer.jwks() },
    } }] });
    let (gateway, upstream) = asking(&[], &[("tokens", methods)]).await;
    let encoded = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let sound = signer.token(json!({ "sub": "kim" }));
    let (_, rest) = sound.split_once('.').expect("a head");
    let address = inside.address;
    for head in [
        format!(r#"{{"alg":"ES256","jku":"http://{address}/keys"}}"#),
        format!(r#"{{"alg":"ES256","x5u":"http://{address}/chain"}}"#),
        format!(r#"{{"alg":"ES256","kid":"http://{address}/key"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "../".repeat(3_400)),
        r#"{"alg":"ES256","kid":"' OR 1=1 --"}"#.to_owned(),
        r#"{"alg":"ES256","crit":["http://x.example/unknown"],"http://x.example/unknown":1}"#.to_owned(),
    ] {
        let forged = format!("Authorization: Bearer {}.{rest}\r\n", encoded(&head));
        assert_eq!(status(&gateway, "/", &forged).await, 401, "{head}");
    }
    // Encrypted by a password, with as many rounds as a header can name (CVE-2022-36083): never begun.
    let head = r#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"AAAA","p2c":2147483647}"#;
    let encrypted = format!("Authorization: Bearer {}.AAAA.AAAA.AAAA.AAAA\r\n", encoded(head));
    assert_eq!(status(&gateway, "/", &encrypted).await, 401);
    assert!(inside.connections().is_empty() && upstream.requests().is_empty());
    let bearer = format!("Authorization: Bearer {sound}\r\n");
    assert_eq!(status(&gateway, "/", &bearer).await, 200);
}

#[tokio::test]
async fn the_nearest_policy_holds_unless_a_wider_one_overrides_it() {
    let nobody = |more: Value| {
        let mut spec = json!({ "methods": [keys(json!({}))] });
        if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
            spec.extend(more);
        }
        spec
    };
    let route = json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "all" }]);
    let open = json!({ "targetRefs": route, "anonymous": "Allow" });
    let upstream = Upstream::recording().await;
    let scene_of = |wide: Value| scene(&upstream, &[partner()], &[("wide", wide), ("open", open.clone())]);
    let mut first = scene_of(nobody(json!({})));
    let gateway = first.start().await;

    assert_eq!(status(&gateway, "/", "").await, 200, "the route says that anybody may come");
    first.remove("AuthenticationPolicy", "wide");
    first.document(policy("wide", nobody(json!({ "precedence": "Override" }))));
    gateway.edit(&first.yaml()).await;
    gateway.until(HOST, "/", |answer| answer.status == 401).await;
    first.remove("Secret", "partners");
    gateway.edit(&first.yaml()).await;
    let invalid = gateway.until(HOST, "/", |answer| answer.status == 500).await;

    assert_eq!(invalid.is_failure(500, "authentication_invalid"), Ok(()));
}
