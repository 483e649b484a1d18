//! Promises about traces, with a gateway and sidecars as processes and a collector that reads by the official schema.

mod collector;
mod meshes;
mod plane;
mod scene;
mod sidecars;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};

use collector::Collector;
use meshes::{Mesh, SHOP, Speaks};
use scene::{echo, free_address, get};
use serde_json::Value;
use sidecars::until;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[test]
fn one_trace_goes_from_the_client_through_gateway_and_sidecars_and_every_parent_is_right() {
    let (mesh, collector) = (Mesh::start(), Collector::start());
    mesh.apply(&policy("Mesh", "selvedge-system", &collector, 100));
    let cart_application = echo("cart");
    let web_application = Forwarder::start();
    let mut cart = mesh.member("cart", Speaks::Http, cart_application.address());
    let mut web = mesh.member("web", Speaks::Http, web_application.address);
    cart.run(&[]);
    web.run(&[]);
    web_application.to.set(web.finds("cart")).expect("said once");
    web.calls("cart", "/ready", 200);
    let entry = free_address();
    mesh.apply(&edge(entry, "web", web.port()));
    let _gateway = mesh.gateway("shop/edge");
    let ask = |path: &str, more: &str| {
        TcpStream::connect(entry).ok()?;
        let (status, body) = get(entry, &format!("GET {path} HTTP/1.1\r\nHost: shop.example{more}"));
        (status == 200).then_some(body)
    };
    until("the whole way to be open", || ask("/ready", ""));

    let traced = format!("\r\ntraceparent: 00-{TRACE}-{CLIENT}-01\r\ntracestate: vendor=1,other=2");
    let told = ask("/traced", &traced).expect("an answer");

    // Server and client spans of the gateway, of web's sidecar twice, and of cart's: eight.
    let spans = collector.trace(TRACE, 8);
    assert_eq!(spans.len(), 8, "{spans:#?}");
    let mut parent = CLIENT.to_owned();
    for (service, kind, instance) in [
        ("edge", "SPAN_KIND_SERVER", "gateway/shop/edge"),
        ("edge", "SPAN_KIND_CLIENT", "gateway/shop/edge"),
        ("web", "SPAN_KIND_SERVER", "shop/web-1"),
        ("web", "SPAN_KIND_CLIENT", "shop/web-1"),
        ("web", "SPAN_KIND_SERVER", "shop/web-1"),
        ("web", "SPAN_KIND_CLIENT", "shop/web-1"),
        ("cart", "SPAN_KIND_SERVER", "shop/cart-1"),
        ("cart", "SPAN_KIND_CLIENT", "shop/cart-1"),
    ] {
        let span = spans.iter().find(|span| span["parent"] == *parent).unwrap_or_else(|| {
            panic!("nobody has the parent {parent}: {spans:#?}");
        });
        assert_eq!(span["resource"]["service.name"], service, "{span:#}");
        assert_eq!(span["resource"]["service.namespace"], "shop", "{span:#}");
        assert_eq!(span["resource"]["service.instance.id"], instance, "{span:#}");
        assert_eq!((&span["kind"], &span["status"]), (&Value::from(kind), &Value::from(0)), "{span:#}");
        assert_eq!(span["state"], "vendor=1,other=2", "{span:#}");
        assert_eq!(span["attributes"]["http.response.status_code"], 200, "{span:#}");
        parent = span["span"].as_str().expect("an id").to_owned();
    }
    assert!(
        told.contains(&format!("00-{TRACE}-{parent}-01")),
        "the application is told the last span: {told}"
    );
    let called = |service: &str, attribute: &str| {
        let servers = spans.iter().filter(|span| span["kind"] == "SPAN_KIND_SERVER");
        let mut found = servers.filter(|span| span["resource"]["service.name"] == service);
        found.find_map(|span| span["attributes"][attribute].as_str().map(str::to_owned))
    };
    assert_eq!(called("cart", "selvedge.source.identity"), Some(format!("{SHOP}/web")));
    assert_eq!(called("web", "selvedge.source.identity"), Some(format!("{SHOP}/gateway-edge")));
    assert_eq!(called("edge", "selvedge.route"), Some("shop/all".to_owned()));
    assert!(cart.logged(&["\"/traced\"", TRACE]).contains("\"trace_id\":"));
}

#[test]
fn a_collector_that_cannot_take_spans_now_gets_them_later_and_a_stranger_cannot_have_himself_recorded() {
    let (mesh, collector) = (Mesh::start(), Collector::refusing(2));
    let application = echo("cart");
    let mut cart = mesh.member("cart", Speaks::Http, application.address());
    cart.run(&[]);
    let entry = free_address();
    mesh.apply(&edge(entry, "cart", cart.port()));
    mesh.apply(&policy("Gateway", "shop", &collector, 100));
    let _gateway = mesh.gateway("shop/edge");
    let ask = |path: &str| {
        TcpStream::connect(entry).ok()?;
        let trace = format!("traceparent: 00-{TRACE}-{CLIENT}-01");
        let (status, body) = get(entry, &format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{trace}"));
        (status == 200).then_some(body)
    };

    until("a traced request", || {
        ask("/one?secret=yes").filter(|told| told.contains(&format!("00-{TRACE}-")) && !told.contains(CLIENT))
    });
    collector.find("two refusals", |line| line["refused"] == 2);
    let span = collector.find("the request's span", |line| {
        line["kind"] == "SPAN_KIND_SERVER" && line["attributes"]["url.path"] == "/one"
    });
    assert_eq!((&span["trace"], &span["parent"]), (&Value::from(TRACE), &Value::from(CLIENT)), "{span:#}");
    assert_eq!((&span["name"], &span["path"]), (&Value::from("GET shop/all"), &Value::from("/v1/traces")));
    assert!(!span.to_string().contains("secret"), "{span:#}");

    mesh.apply(&policy("Gateway", "shop", &collector, 0));
    until("a request that is continued and not recorded", || {
        let told = ask("/two")?;
        let traced = told.split(&format!("00-{TRACE}-")).nth(1)?;
        traced.get(16..19).is_some_and(|flags| flags == "-00").then_some(())
    });
}

#[test]
fn a_connection_that_carries_bytes_is_one_span_at_each_of_its_sidecars() {
    let (mesh, collector) = (Mesh::start(), Collector::start());
    mesh.apply(&policy("Mesh", "selvedge-system", &collector, 100));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut db = mesh.member("db", Speaks::Tcp, listener.local_addr().expect("an address"));
    let mut web = mesh.member("web", Speaks::Http, free_address());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4];
            if stream.read_exact(&mut asked).is_ok() {
                stream.write_all(b"answer").ok();
            }
        }
    });
    db.run(&[]);
    web.run(&[]);
    let address = web.finds("db");
    until("an answer", || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(b"what").ok()?;
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).ok()
    });

    for (service, key, identity) in [
        ("db", "selvedge.source.identity", format!("{SHOP}/web")),
        ("web", "selvedge.destination.identity", format!("{SHOP}/db")),
    ] {
        let span = collector.find(&format!("the span of {service}"), |line| {
            let of_it = line["name"] == "TCP shop/db" && line["resource"]["service.name"] == service;
            of_it && line["attributes"]["selvedge.sent_bytes"] == 6
        });
        assert_eq!((&span["kind"], &span["parent"]), (&Value::from("SPAN_KIND_SERVER"), &Value::from("")));
        assert_eq!(span["attributes"][key], Value::from(identity), "{span:#}");
        assert_eq!(span["attributes"]["selvedge.received_bytes"], 4, "{span:#}");
        assert_eq!(span["attributes"]["network.transport"], "tcp", "{span:#}");
    }
}

#[test]
fn a_collector_behind_grpc_is_known_by_its_own_authority_and_shown_the_tenant_and_the_token() {
    let mesh = Mesh::start();
    let made = rcgen::generate_simple_self_signed(["collector.internal".to_owned()]).expect("a certificate");
    let (certificate, key) = (mesh.folder().join("collector.crt"), mesh.folder().join("collector.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let collector = Collector::over_grpc(&certificate, &key);
    let application = echo("cart");
    let mut cart = mesh.member("cart", Speaks::Http, application.address());
    cart.run(&[]);
    let entry = free_address();
    mesh.apply(&edge(entry, "cart", cart.port()));
    let policy = policy("Gateway", "shop", &collector, 100)
        .replace(&collector.endpoint(), &collector.endpoint().replace("http:", "https:"))
        .replace("sampling:", &format!("{PROTECTED}, sampling:"));
    let anchors = made.cert.pem().replace('\n', "\n    ");
    mesh.apply(&format!(
        "{policy}---
apiVersion: v1
kind: Secret
type: policy.selvedge.dev/upstream-credential
metadata: {{ namespace: shop, name: collector }}
stringData: {{ token: hunter2 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {{ namespace: shop, name: own-ca }}
data:
  ca.crt: |
    {anchors}
"
    ));
    let _gateway = mesh.gateway("shop/edge");
    until("a traced request", || {
        TcpStream::connect(entry).ok()?;
        let (status, _) = get(entry, "GET /traced HTTP/1.1\r\nHost: shop.example");
        (status == 200).then_some(())
    });

    collector.find("a refusal", |line| line["refused"] == 1);
    let span = collector.find("the request's span", |line| {
        line["kind"] == "SPAN_KIND_SERVER" && line["attributes"]["url.path"] == "/traced"
    });
    assert_eq!(span["shown"]["authorization"], "Bearer hunter2", "{span:#}");
    assert_eq!(span["shown"]["x-scope-orgid"], "shop", "{span:#}");
    assert!(span["shown"]["user-agent"].as_str().is_some_and(|agent| agent.starts_with("OTel-OTLP")));
}

/// How a collector is spoken to that is protected.
const PROTECTED: &str = "protocol: grpc, headers: [{ name: X-Scope-OrgID, value: shop }], \
    credential: { scheme: Bearer, secretRef: { name: collector } }, \
    tls: { hostname: collector.internal, caCertificateRefs: [{ name: own-ca }] }";

/// A policy that has a Gateway or the mesh tell a collector.
fn policy(kind: &str, namespace: &str, collector: &Collector, percent: u32) -> String {
    let (group, name) = match kind {
        "Mesh" => ("mesh.selvedge.dev", "default"),
        _ => ("gateway.networking.k8s.io", "edge"),
    };
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace} }}
---
apiVersion: policy.selvedge.dev/v1alpha1
kind: TelemetryPolicy
metadata: {{ namespace: {namespace}, name: traces }}
spec:
  targetRefs: [{{ group: {group}, kind: {kind}, name: {name} }}]
  tracing: {{ endpoint: \"{}\", sampling: {{ percent: {percent} }} }}
",
        collector.endpoint()
    )
}

/// A Gateway of the shop that leads to one of its Services.
fn edge(entry: SocketAddr, service: &str, port: u16) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ namespace: shop, name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners: [{{ name: http, protocol: HTTP, port: {} }}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ namespace: shop, name: all }}
spec:
  parentRefs: [{{ name: edge }}]
  rules: [{{ backendRefs: [{{ name: {service}, port: {port} }}] }}]
",
        entry.ip(),
        entry.port()
    )
}

/// An application that asks another one, with what it was told of the trace, and answers what that answers.
struct Forwarder {
    address: SocketAddr,
    to: Arc<OnceLock<SocketAddr>>,
}

impl Forwarder {
    fn start() -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let to = Arc::<OnceLock<SocketAddr>>::default();
        let asked = to.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let to = asked.clone();
                std::thread::spawn(move || while forward(&stream, &to).is_some() {});
            }
        });
        Forwarder { address, to }
    }
}

fn forward(mut stream: &TcpStream, to: &OnceLock<SocketAddr>) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    let trace: String =
        head.lines().filter(|line| line.starts_with("trace")).map(|line| format!("\r\n{line}")).collect();
    let (status, body) = get(*to.get()?, &format!("GET {path} HTTP/1.1\r\nHost: cart.shop{trace}"));
    let answer = format!("HTTP/1.1 {status} OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).ok()
}
