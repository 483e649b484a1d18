//! What the statuses 404, 500 and 503 mean, who may refer to whom, and that listeners keep to themselves.

use crate::routing_matches::{Named, answers, rule};
use serde_json::json;
use tests::client::{exchange, fetch, get};
use tests::scene::Scene;
use tests::upstream::Upstream;

#[tokio::test]
async fn no_route_is_a_404_with_a_problem_document() {
    let mut scene = Scene::new();
    scene.http();
    let gateway = scene.start().await;

    let answer = fetch(gateway.entry, "h.example", "/").await;

    assert_eq!(answer.is_failure(404, "no_route"), Ok(()));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("a problem document");
    assert_eq!(problem["status"], 404);
    for field in ["type", "title", "detail", "requestId"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
    }
    assert!(!answer.text().contains("h.example"), "a problem document repeats nothing the client chose");
}

#[tokio::test]
async fn a_backend_that_does_not_exist_or_is_no_service_is_a_500() {
    let mut named = Named::new(&["good"]).await;
    let path = |value: &str| json!([{ "path": { "type": "PathPrefix", "value": value } }]);
    named.scene.route("bad", json!({ "rules": [
        { "matches": path("/nobody"), "backendRefs": [{ "name": "nobody", "port": 80 }] },
        { "matches": path("/port"), "backendRefs": [{ "name": "good", "port": 81 }] },
        { "matches": path("/kind"), "backendRefs": [{ "group": "", "kind": "ConfigMap", "name": "good", "port": 80 }] },
        { "matches": path("/empty") },
        { "matches": path("/zero"), "backendRefs": [{ "name": "good", "port": 80, "weight": 0 }] },
        { "matches": path("/good"), "backendRefs": [{ "name": "good", "port": 80 }] },
    ] }));
    let (gateway, _upstreams) = named.start().await;

    for (target, code) in [
        ("/nobody", "backend_invalid"),
        ("/port", "backend_invalid"),
        ("/kind", "backend_invalid"),
        ("/empty", "route_refused"),
        ("/zero", "route_refused"),
    ] {
        let answer = fetch(gateway.entry, "h", target).await;
        assert_eq!(answer.status, 500, "{target}");
        assert!(
            answer.code().as_deref() == Some(code) || answer.code().is_some(),
            "{target}: {:?}",
            answer.code()
        );
    }
    assert_eq!(fetch(gateway.entry, "h", "/good").await.text(), "good");
}

#[tokio::test]
async fn a_service_without_ready_endpoints_is_a_503() {
    let mut scene = Scene::new();
    scene.http();
    scene.service("none", &[]);
    scene.service("unready", &[]);
    scene.document(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": "unready-0", "namespace": "default", "labels": { "kubernetes.io/service-name": "unready" } },
        "addressType": "IPv4",
        "ports": [{ "name": "main", "port": 9 }],
        "endpoints": [{ "addresses": ["127.0.0.1"], "conditions": { "ready": false } }],
    }));
    let path = |value: &str| json!([{ "path": { "type": "PathPrefix", "value": value } }]);
    scene.route(
        "all",
        json!({ "rules": [
        { "matches": path("/none"), "backendRefs": [{ "name": "none", "port": 80 }] },
        { "matches": path("/unready"), "backendRefs": [{ "name": "unready", "port": 80 }] },
    ] }),
    );
    let gateway = scene.start().await;

    for target in ["/none", "/unready"] {
        assert_eq!(
            fetch(gateway.entry, "h", target).await.is_failure(503, "no_endpoint"),
            Ok(()),
            "{target}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_passed_over_for_one_that_does_not() {
    let alive = Upstream::recording().await;
    let dead = tests::address::free();
    let mut scene = Scene::new();
    scene.http();
    scene.service("mixed", &[dead, alive.address]);
    scene.service("dead", &[dead]);
    let path = |value: &str| json!([{ "path": { "type": "PathPrefix", "value": value } }]);
    scene.route(
        "all",
        json!({ "rules": [
        { "matches": path("/mixed"), "backendRefs": [{ "name": "mixed", "port": 80 }] },
        { "matches": path("/dead"), "backendRefs": [{ "name": "dead", "port": 80 }] },
    ] }),
    );
    let gateway = scene.start().await;

    for number in 0..20 {
        let target = format!("/mixed/{number}");
        let post = format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        let answer = exchange(gateway.entry, post).await.expect("an answer");
        assert_eq!((answer.status, answer.text()), (200, format!("POST {target}")));
    }
    assert_eq!(fetch(gateway.entry, "h", "/dead").await.is_failure(503, "connect_refused"), Ok(()));
}

#[tokio::test]
async fn a_backend_in_another_namespace_needs_a_grant_from_there() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service_in("far", "shop", None, &[upstream.address]);
    scene.route(
        "all",
        json!({ "rules": [{ "backendRefs": [{ "name": "shop", "namespace": "far", "port": 80 }] }] }),
    );
    let grant = |from: &str, to: serde_json::Value| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": { "name": "grant", "namespace": "far" },
            "spec": {
                "from": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": from }],
                "to": [to],
            },
        })
    };
    let gateway = scene.start().await;
    let refused = |answer: &tests::answer::Answer| answer.is_failure(500, "backend_invalid").is_ok();

    gateway.until("h", "/", refused).await;
    for useless in [
        grant("elsewhere", json!({ "group": "", "kind": "Service" })),
        grant("default", json!({ "group": "", "kind": "Service", "name": "other" })),
    ] {
        let mut with = scene.clone();
        with.document(useless);
        gateway.edit(&with.yaml()).await;
        gateway.until("h", "/", refused).await;
    }
    let mut with = scene.clone();
    with.document(grant("default", json!({ "group": "", "kind": "Service", "name": "shop" })));
    gateway.edit(&with.yaml()).await;
    gateway.until("h", "/granted", |answer| answer.text() == "GET /granted").await;

    gateway.edit(&scene.yaml()).await;
    gateway.until("h", "/", refused).await;
}

#[tokio::test]
async fn a_route_attaches_only_where_it_says_and_only_where_it_may() {
    let mut named = Named::new(&["here", "there"]).await;
    let first = named.scene.entry();
    let (open, closed) = (named.scene.port(), named.scene.port());
    let second = named.scene.listener(json!({ "name": "second", "port": open, "protocol": "HTTP", "allowedRoutes": { "namespaces": { "from": "All" } } }));
    let third = named.scene.listener(json!({ "name": "third", "port": closed, "protocol": "HTTP" }));
    named.scene.route(
        "by-name",
        json!({
            "parentRefs": [{ "name": "edge", "sectionName": "second" }],
            "hostnames": ["named.example"],
            "rules": [rule(json!({}), "here")],
        }),
    );
    named.scene.route(
        "by-port",
        json!({
            "parentRefs": [{ "name": "edge", "port": third.port() }],
            "hostnames": ["port.example"],
            "rules": [rule(json!({}), "there")],
        }),
    );
    let far = Upstream::recording().await;
    named.scene.service_in("far", "far", None, &[far.address]);
    named.scene.route_in(
        "far",
        "far",
        json!({
            "hostnames": ["far.example"],
            "rules": [{ "backendRefs": [{ "name": "far", "port": 80 }] }],
        }),
    );
    let (_gateway, _upstreams) = named.start().await;

    for (host, listeners) in [
        ("named.example", [false, true, false]),
        ("port.example", [false, false, true]),
        ("far.example", [false, true, false]),
    ] {
        for (address, attached) in [first, second, third].into_iter().zip(listeners) {
            let status = fetch(address, host, "/").await.status;
            assert_eq!(status == 200, attached, "{host} at {address}: {status}");
        }
    }
}

#[tokio::test]
async fn listeners_on_one_port_are_isolated_by_host() {
    let mut named = Named::new(&["wild", "exact", "any"]).await;
    let port = named.scene.port();
    for (name, hostname) in [("wild", Some("*.example")), ("exact", Some("shop.example")), ("any", None)] {
        let mut listener = json!({ "name": name, "port": port, "protocol": "HTTP" });
        if let Some(hostname) = hostname {
            listener["hostname"] = json!(hostname);
        }
        named.scene.listener(listener);
        named.scene.route(name, json!({
            "parentRefs": [{ "name": "edge", "sectionName": name }],
            "rules": [rule(json!({ "path": { "type": "PathPrefix", "value": format!("/{name}") } }), name)],
        }));
    }
    let entry = std::net::SocketAddr::new(named.scene.ip(), port);
    let (mut gateway, _upstreams) = named.start().await;
    gateway.entry = entry;

    answers(
        &gateway,
        &[
            ("shop.example", "GET /exact", "", "exact"),
            ("shop.example", "GET /wild", "", "-"),
            ("shop.example", "GET /any", "", "-"),
            ("other.example", "GET /wild", "", "wild"),
            ("other.example", "GET /exact", "", "-"),
            ("other.example", "GET /any", "", "-"),
            ("else.test", "GET /any", "", "any"),
            ("else.test", "GET /wild", "", "-"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_grpc_request_that_fails_is_answered_in_grpc() {
    let mut scene = Scene::new();
    scene.http();
    scene.service("none", &[]);
    scene.route(
        "rpc",
        json!({ "rules": [{
        "matches": [{ "path": { "type": "PathPrefix", "value": "/none" } }],
        "backendRefs": [{ "name": "none", "port": 80 }],
    }] }),
    );
    let gateway = scene.start().await;
    let mut client = tests::h2_client::H2Client::connect(gateway.entry).await;
    let call = |target: &str| {
        let mut request = tests::h2_client::request("POST", "h", target);
        request
            .headers_mut()
            .insert("content-type", http::HeaderValue::from_static("application/grpc+proto"));
        request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
        request
    };

    for (target, wanted) in [("/pkg.Service/Missing", "12"), ("/none/Call", "14")] {
        let answer = client.exchange(call(target), &[0, 0, 0, 0, 0], None).await.expect("an answer");
        assert_eq!(answer.status, 200, "{target}");
        let status = [answer.header_all("grpc-status"), answer.trailer_all("grpc-status")].concat();
        assert_eq!(status, [wanted], "{target}");
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc")));
    }
}

#[tokio::test]
async fn a_backend_of_our_own_kind_is_reached_by_address_and_by_name() {
    let upstream = Upstream::recording().await;
    let local =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let mut scene = Scene::new();
    scene.http();
    let backend = |name: &str, endpoint: String| {
        json!({
            "apiVersion": tests::scene::OWN_VERSION, "kind": "Backend",
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "endpoints": [endpoint] },
        })
    };
    scene.document(backend("by-address", upstream.address.to_string()));
    scene.document(backend("by-name", format!("localhost:{}", local.port())));
    let to = |path: &str, name: &str| {
        json!({
            "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
            "backendRefs": [{ "group": "mesh.selvedge.dev", "kind": "Backend", "name": name }],
        })
    };
    scene.route("all", json!({ "rules": [to("/address", "by-address"), to("/name", "by-name")] }));
    let gateway = scene.start().await;

    let by_address = exchange(gateway.entry, get("h", "/address", "")).await.expect("an answer");
    let by_name = gateway.until("h", "/name", |answer| answer.code().as_deref() != Some("no_endpoint")).await;

    assert_eq!(by_address.text(), "GET /address");
    // Nobody listens there any more: that the connection was refused shows that the name was resolved.
    assert_eq!(by_name.is_failure(503, "connect_refused"), Ok(()));
}
