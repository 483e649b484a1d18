//! Somebody else is asked whether a request may pass: by Envoy's protocol, spoken with grpcio and Envoy's own definitions, and
//! over HTTP. What it is shown, what becomes of what it says, and that nothing passes when it says nothing. B8.

use crate::stage::HOST;
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, fetch_with};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::servers::Server;
use tests::until::eventually_some;
use tests::upstream::Upstream;

fn policy(name: &str, mut spec: Value) -> Value {
    let target = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "all" });
    spec["targetRefs"] = json!([target]);
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "ExternalAuthorizationPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

/// A route whose requests somebody is asked about; the patience is that of a busy machine unless `more` says another.
fn scene(upstream: &Upstream, authorizer: &Server, spoken: &str, question: Value, more: Value) -> Scene {
    let mut scene = Scene::forwarding(upstream);
    scene.service("authorizer", &[authorizer.address]);
    let mut spec = json!({ "timeout": "20s" });
    let mut asked = json!({ "backendRef": { "name": "authorizer", "port": 80 } });
    for (into, from) in [(&mut asked, question), (&mut spec, more)] {
        if let (Value::Object(into), Value::Object(from)) = (into, from) {
            into.extend(from);
        }
    }
    spec[spoken] = asked;
    scene.document(policy("asked", spec));
    scene
}

/// What the authorizer was shown last.
fn shown(authorizer: &Server) -> Value {
    let text = std::fs::read_to_string(authorizer.folder().join("shown")).unwrap_or_default();
    text.lines().next_back().map_or(Value::Null, |line| serde_json::from_str(line).expect("JSON"))
}

async fn asks(gateway: &Gateway, verdict: &str) -> Answer {
    fetch_with(gateway.entry, HOST, "/", &format!("X-Verdict: {verdict}\r\n")).await
}

#[tokio::test]
async fn an_authorizer_over_grpc_is_shown_the_request_and_what_it_says_is_done() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("grpc").await);
    let question = json!({ "contextExtensions": { "tenant": "shop" } });
    let body = json!({ "includeRequestBody": { "maxBytes": 100 } });
    let gateway = scene(&upstream, &authorizer, "grpc", question, body).start().await;

    let request = format!(
        "POST /a/./%7Eb?debug=1&x=2 HTTP/1.1\r\nHost: {HOST}\r\nX-Verdict: allow\r\nX-User: root\r\nX-Role: admin\r\n\
         X-Secret: s\r\nX-Once: client\r\nConnection: x-private\r\nX-Private: 1\r\nContent-Length: 5\r\n\r\nhello"
    );
    let answer = exchange(gateway.entry, request).await.expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header_all("x-checked"), ["yes"]);
    let asked = shown(&authorizer);
    let http = &asked["attributes"]["request"]["http"];
    assert_eq!(http["method"], "POST", "{asked:#}");
    assert_eq!(http["path"], "/a/~b?debug=1&x=2", "the canonical path is shown");
    assert_eq!(http["host"], HOST);
    assert_eq!(http["scheme"], "http");
    assert_eq!(http["protocol"], "HTTP/1.1");
    assert_eq!((&http["body"], &http["size"]), (&json!("hello"), &json!("5")));
    assert_eq!(http["headers"][":path"], "/a/~b?debug=1&x=2");
    assert_eq!(http["headers"]["x-user"], "root");
    assert_eq!(http["headers"]["x-private"], Value::Null, "what ends here is not shown");
    assert_eq!(asked["attributes"]["context_extensions"], json!({ "tenant": "shop" }));
    let source = &asked["attributes"]["source"]["address"]["socket_address"];
    assert_eq!(source["address"], "127.0.0.1", "{asked:#}");
    let seen = upstream.last();
    assert_eq!(seen.line(), "POST /a/~b?x=2&tenant=a%26b");
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.header_all("x-user"), ["kim"]);
    assert_eq!(seen.header_all("x-role"), ["admin", "reader"]);
    assert_eq!(seen.header_all("x-once"), ["authorizer"], "a client cannot keep it out");
    assert_eq!(seen.header("x-secret"), None);

    let refused = asks(&gateway, "deny").await;
    assert_eq!((refused.status, refused.header("location")), (302, Some("/login")));
    assert_eq!(refused.text(), "who are you?");
    assert_eq!((refused.header("x-why"), refused.header_all("content-length")), (None, vec!["12"]));
    let line = gateway.logged("the refusal", |line| line["failure"] == "externally_denied").await;
    assert_eq!((&line["external_policy"], &line["status"]), (&json!("default/asked"), &json!(302)), "{line}");
    assert_eq!(asks(&gateway, "forbidden").await.status, 403);
    assert_eq!(asks(&gateway, "plain").await.status, 200);
    let metrics = gateway.admin("/metrics").await.text();
    for wanted in ["selvedge_authorizers_allowed_total 2", "selvedge_authorizers_denied_total 2"] {
        assert!(metrics.contains(wanted), "{wanted}\n{metrics}");
    }
}

#[tokio::test]
async fn nothing_passes_of_which_an_authorizer_over_grpc_says_nothing() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("grpc").await);
    let gateway = scene(&upstream, &authorizer, "grpc", json!({}), json!({})).start().await;
    for (verdict, fault) in [
        ("status", "status"),
        ("garbage", "status"),
        ("empty", "malformed"),
        ("framing", "field_refused"),
        ("splits", "field_refused"),
        ("huge", "too_large"),
        ("enormous", "too_large"),
    ] {
        let refused = asks(&gateway, verdict).await;
        assert_eq!(
            (refused.status, refused.code().as_deref()),
            (403, Some("authorizer_failed")),
            "{verdict}"
        );
        let line = gateway
            .logged(verdict, |line| {
                line["authorizer_fault"] == fault && line["failure"] == "authorizer_failed"
            })
            .await;
        assert_eq!(line["external_policy"], "default/asked", "{line}");
    }
    gateway.counts_failure("authorizer_failed").await;

    let other = json!({ "timeout": "100ms", "statusOnError": 503 });
    let gateway = scene(&upstream, &authorizer, "grpc", json!({}), other).start().await;
    assert_eq!(asks(&gateway, "slow").await.status, 503, "there is a bound to how long it may take");
    gateway.logged("why", |line| line["authorizer_fault"] == "timeout").await;
    assert!(upstream.requests().is_empty());

    let open = json!({ "failureMode": "Allow" });
    let gateway = scene(&upstream, &authorizer, "grpc", json!({}), open).start().await;
    assert_eq!(asks(&gateway, "framing").await.status, 200, "the policy says that they pass");
    assert_eq!(asks(&gateway, "forbidden").await.status, 403, "what it does say counts");
    let line = gateway.logged("why", |line| line["authorizer_fault"] == "field_refused").await;
    assert_eq!(line["status"], 200, "{line}");
}

#[tokio::test]
async fn an_authorizer_over_http_is_asked_with_the_clients_request_and_answers_for_it() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("http").await);
    let question = json!({
        "pathPrefix": "/check/", "allowedRequestHeaders": ["X-Verdict"], "allowedUpstreamHeaders": ["x-user", "x-role"],
        "allowedClientHeaders": ["set-cookie"], "allowedClientHeadersOnSuccess": ["Set-Cookie"],
    });
    let body = json!({ "includeRequestBody": { "maxBytes": 4, "allowPartial": true } });
    let gateway = scene(&upstream, &authorizer, "http", question, body).start().await;

    let request = format!(
        "PUT /a?b=1 HTTP/1.1\r\nHost: {HOST}\r\nX-Verdict: allow\r\nX-User: root\r\nX-Secret: s\r\nAuthorization: Bearer t\r\n\
         Content-Length: 5\r\n\r\nhello"
    );
    let answer = exchange(gateway.entry, request).await.expect("an answer");

    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header_all("set-cookie"), ["s=1"]);
    assert_eq!(answer.header("x-other"), None);
    let asked = shown(&authorizer);
    assert_eq!((&asked["method"], &asked["path"]), (&json!("PUT"), &json!("/check/a?b=1")), "{asked}");
    assert_eq!(asked["body"], "hell");
    let fields = asked["fields"].as_array().expect("fields");
    let of = |name: &str| fields.iter().filter(|field| field[0] == name).count();
    assert_eq!((of("authorization"), of("x-verdict"), of("x-user"), of("x-secret")), (1, 1, 0, 0), "{asked}");
    assert!(
        fields.contains(&json!(["host", HOST])) && fields.contains(&json!(["x-forwarded-for", "127.0.0.1"]))
    );
    let seen = upstream.last();
    assert_eq!((seen.header_all("x-user"), seen.header_all("x-role")), (vec!["kim"], vec!["a", "b"]));
    assert_eq!((seen.header("x-secret"), &*seen.body), (Some("s"), &b"hello"[..]));

    let refused = asks(&gateway, "deny").await;
    assert_eq!((refused.status, &*refused.text()), (401, "who are you?"));
    assert_eq!(refused.header("www-authenticate"), Some("Login"), "without it a 401 would mean nothing");
    assert_eq!((refused.header("set-cookie"), refused.header("x-why")), (Some("s=2"), None));
    assert_eq!(asks(&gateway, "created").await.status, 201, "only 200 is a yes");
    let head = format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nX-Verdict: deny\r\nConnection: close\r\n\r\n");
    let mut client = tests::client::RawClient::connect(gateway.entry).await;
    client.send(head).await;
    assert_eq!(client.answer_to("HEAD").await.status, 401);
}

#[tokio::test]
async fn nothing_passes_of_which_an_authorizer_over_http_says_nothing() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("http").await);
    let question = json!({ "allowedRequestHeaders": ["x-verdict"], "allowedUpstreamHeaders": ["x-user"] });
    let short = json!({ "timeout": "2s" });
    let mut scene = scene(&upstream, &authorizer, "http", question, short);
    let gateway = scene.start().await;
    for verdict in ["status", "garbage", "closes", "huge", "enormous", "slow"] {
        let refused = asks(&gateway, verdict).await;
        assert_eq!(
            (refused.status, refused.code().as_deref()),
            (403, Some("authorizer_failed")),
            "{verdict}"
        );
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(asks(&gateway, "allow").await.status, 200, "and it is asked again");

    // Nobody is there.
    scene.remove("EndpointSlice", "authorizer-0");
    let before = upstream.requests().len();
    let failed = |answer: &Answer| answer.code().as_deref() == Some("authorizer_failed");
    gateway.edit(&scene.yaml()).await;
    gateway.until(HOST, "/", failed).await;
    gateway.logged("why", |line| line["authorizer_fault"] == "unreachable").await;
    // The policy leads nowhere: that is no failure of an authorizer, whatever is said of those.
    scene.remove("ExternalAuthorizationPolicy", "asked");
    let spec = json!({ "http": { "backendRef": { "name": "nobody", "port": 80 } }, "failureMode": "Allow" });
    scene.document(policy("asked", spec));
    gateway.edit(&scene.yaml()).await;
    eventually_some("the policy", || async {
        asks(&gateway, "allow").await;
        gateway.access_log().iter().any(|line| line["authorizer_fault"] == "unresolved").then_some(())
    })
    .await;
    assert!(failed(&asks(&gateway, "allow").await));
    assert_eq!(upstream.requests().len(), before);
}

#[tokio::test]
async fn policies_judge_what_an_authorizer_has_said_and_a_route_cannot_take_away_what_its_gateway_asks() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("http").await);
    let question = json!({ "allowedRequestHeaders": ["x-verdict"], "allowedUpstreamHeaders": ["x-user"] });
    let mut scene = scene(&upstream, &authorizer, "http", question, json!({}));
    scene.policy(
        "kim",
        json!({ "action": "Allow", "rules": [{ "when": [{ "header": "x-user", "values": ["kim"] }] }] }),
    );
    let gateway = scene.start().await;
    let claims = "X-Verdict: allow\r\nX-User: root\r\n";
    assert_eq!(fetch_with(gateway.entry, HOST, "/", claims).await.status, 200);

    // The Gateway asks one who is not there.
    let target = json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge" });
    let mut first = policy("first", json!({ "grpc": { "backendRef": { "name": "nobody", "port": 1 } } }));
    first["spec"]["targetRefs"] = json!([target]);
    scene.document(first);
    gateway.edit(&scene.yaml()).await;
    let refused =
        gateway.until(HOST, "/", |answer| answer.code().as_deref() == Some("authorizer_failed")).await;
    assert_eq!(refused.status, 403);
    gateway.logged("whose", |line| line["external_policy"] == "default/first").await;
}

/// Envoy before the same upstream and the same authorizer.
async fn envoy(upstream: &Upstream, authorizer: &Server) -> Server {
    let cluster = |name: &str, address: std::net::SocketAddr, http2: bool| {
        let (ip, port) = (address.ip(), address.port());
        let options = json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        } });
        let endpoint = json!({ "endpoint": { "address": { "socket_address": {
            "address": ip.to_string(), "port_value": port,
        } } } });
        let mut cluster = json!({
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
        });
        if http2 {
            cluster["typed_extension_protocol_options"] = options;
        }
        cluster
    };
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge", "normalize_path": true,
        "route_config": { "virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "shop" } }],
        }] },
        "http_filters": [
            { "name": "ext_authz", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
                "transport_api_version": "V3",
                "grpc_service": { "envoy_grpc": { "cluster_name": "authorizer" }, "timeout": "20s" },
            } },
            { "name": "router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            } },
        ],
    });
    let clusters =
        [cluster("shop", upstream.address, false), cluster("authorizer", authorizer.address, true)];
    Server::envoy(|address| {
        let config = json!({ "static_resources": {
            "clusters": clusters,
            "listeners": [{
                "name": "edge",
                "address": { "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } },
                "filter_chains": [{ "filters": [{ "name": "http", "typed_config": manager }] }],
            }],
        } });
        config.to_string()
    })
    .await
}

/// Of a request at one of two proxies: the answer, what the authorizer was shown and what the upstream was sent.
async fn outcome(
    entry: std::net::SocketAddr,
    verdict: &str,
    (upstream, authorizer): (&Upstream, &Server),
) -> Value {
    let before = upstream.requests().len();
    let more =
        format!("X-Verdict: {verdict}\r\nX-User: root\r\nX-Role: admin\r\nX-Once: client\r\nX-Secret: s\r\n");
    let answer = fetch_with(entry, HOST, "/a?debug=1&x=2", &more).await;
    let http = shown(authorizer)["attributes"]["request"]["http"].clone();
    let names = [":method", ":path", ":authority", ":scheme", "x-verdict", "x-user", "x-role", "x-secret"];
    let headers: Vec<&Value> = names.iter().map(|name| &http["headers"][name]).collect();
    let sent = upstream.requests().get(before).map(|seen| {
        let fields = ["x-user", "x-role", "x-once", "x-never", "x-secret"];
        let fields: Vec<String> = fields.iter().map(|name| seen.header_all(name).join(",")).collect();
        let line = seen.line();
        // Envoy puts parameters that are set first and does not escape them.
        json!({ "line": line.split('?').next(), "fields": fields })
    });
    let told = ["location", "x-checked", "x-note"].map(|name| answer.header(name));
    json!({
        "status": answer.status,
        "told": told,
        "body": if answer.status == 302 { answer.text() } else { String::new() },
        "shown": [&http["method"], &http["path"], &http["host"], &http["scheme"], &http["protocol"]],
        "headers": headers,
        "sent": sent,
    })
}

#[tokio::test]
async fn an_authorizer_that_was_written_for_envoy_cannot_tell_us_from_it() {
    let (upstream, authorizer) = (Upstream::recording().await, Server::authorizer("grpc").await);
    let gateway = scene(&upstream, &authorizer, "grpc", json!({}), json!({})).start().await;
    let envoy = envoy(&upstream, &authorizer).await;
    for verdict in ["allow", "plain", "deny", "forbidden", "status"] {
        let ours = outcome(gateway.entry, verdict, (&upstream, &authorizer)).await;
        let theirs = outcome(envoy.address, verdict, (&upstream, &authorizer)).await;
        assert_eq!(ours, theirs, "{verdict}: {ours:#} and {theirs:#}");
    }
}
