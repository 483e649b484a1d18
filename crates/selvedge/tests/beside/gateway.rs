//! Promises of a gateway that is a member of the mesh, as processes: a control plane, a gateway, and sidecars that take
//! members only.

use crate::meshes::{Mesh, SHOP, Speaks};
use crate::psql::{Database, Session};
use crate::scene::{echo, free_address as nobody};
use crate::sidecars::until;

const STRICT: &str = "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example, mtls: { mode: Strict } }
";

/// A route of the gateway, or of a Service, to one of the Services of the shop.
fn route(kind: &str, name: &str, parent: &str, to: &str, port: u16) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{ namespace: shop, name: {name} }}
spec:
  parentRefs: [{{ {parent} }}]
  rules: [{{ backendRefs: [{{ name: {to}, port: {port} }}] }}]
"
    )
}

/// A policy that lets these members in to a Service, and nobody else.
fn only(service: &str, members: &[&str]) -> String {
    let identities: Vec<String> = members.iter().map(|name| format!("\"{SHOP}/{name}\"")).collect();
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ namespace: shop, name: only }}
spec:
  targetRefs: [{{ group: \"\", kind: Service, name: {service} }}]
  action: Allow
  rules: [{{ name: those, from: [{{ identities: [{}] }}] }}]
",
        identities.join(", ")
    )
}

#[test]
fn a_gateway_calls_a_strict_service_as_a_member_and_policies_go_by_its_name() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    mesh.apply(STRICT);
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);
    web.run(&[]);
    let edge = mesh.edge();
    mesh.apply(&route("HTTPRoute", "r", "name: edge, sectionName: http", "cart", cart.address().port()));

    let forged = format!("X-Forwarded-Client-Cert: URI={SHOP}/vault");
    let told = edge.answers(&format!("GET /open HTTP/1.1\r\nHost: shop.example\r\n{forged}"), 200);
    assert!(told.contains(&format!("URI={SHOP}/gateway-edge")), "the application is told who calls: {told}");
    assert!(!told.contains("vault"), "what a client says of itself is not: {told}");
    let line = cart.logged(&["\"/open\"", "\"status\":200"]);
    assert!(line.contains(&format!("\"source_identity\":\"{SHOP}/gateway-edge\"")), "{line}");
    assert!(line.contains("\"source_workload\":\"shop/edge-1\""), "{line}");
    assert!(edge.logged(&["\"/open\"", "\"status\":200"]).contains("\"upstream_workload\":\"shop/cart-1\""));
    assert!(std::net::TcpStream::connect(cart.address()).is_err(), "nobody comes in without proof");

    mesh.apply(&only("cart", &["gateway-edge"]));
    web.finds_no("cart");
    edge.answers("GET /still HTTP/1.1\r\nHost: shop.example", 200);

    mesh.apply(&only("cart", &["web"]));
    edge.answers("GET /no-more HTTP/1.1\r\nHost: shop.example", 403);
    web.calls("cart", "/mine", 200);
    let line = cart.logged(&["\"/no-more\"", "\"status\":403"]);
    assert!(line.contains("denied_by_policy") && line.contains("\"policy\":\"shop/only\""), "{line}");
}

#[test]
fn an_authorizer_in_the_mesh_is_asked_by_the_providers_sidecar_as_a_member() {
    let (mesh, upstream, says_yes) = (Mesh::start(), echo("cart"), echo("guard"));
    mesh.apply(STRICT);
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut guard = mesh.member("guard", Speaks::Http, says_yes.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    for member in [&mut cart, &mut guard, &mut web] {
        member.run(&[]);
    }
    mesh.apply(&format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: ExternalAuthorizationPolicy
metadata: {{ namespace: shop, name: asked }}
spec:
  targetRefs: [{{ group: \"\", kind: Service, name: cart }}]
  timeout: 20s
  http: {{ backendRef: {{ name: guard, port: {} }}, pathPrefix: /check }}
",
        guard.port()
    ));

    until("the authorizer to be asked", || {
        web.calls("cart", "/items", 200);
        guard.has_logged(&["/check/items"]).then_some(())
    });
    let line = guard.logged(&["/check/items", "\"status\":200"]);
    assert!(line.contains(&format!("\"source_identity\":\"{SHOP}/cart\"")), "it asks as itself: {line}");
    assert!(line.contains("\"source_workload\":\"shop/cart-1\""), "{line}");
    assert!(std::net::TcpStream::connect(guard.address()).is_err(), "nobody asks it without proof");

    // What the authorizer's own sidecar refuses is no yes, and neither is an authorizer that is gone.
    mesh.apply(&only("guard", &["web"]));
    web.calls("cart", "/refused", 403);
    let line = cart.logged(&["\"/refused\"", "\"status\":403"]);
    assert!(!line.contains("\"upstream\":"), "it reaches nobody: {line}");
    mesh.apply(&only("guard", &["cart"]));
    web.calls("cart", "/again", 200);
    guard.kill();
    web.calls("cart", "/gone", 403);
    let line = cart.logged(&["\"/gone\"", "\"status\":403"]);
    assert!(line.contains("authorizer_failed") && line.contains("shop/asked"), "{line}");
}

#[test]
fn a_database_behind_a_sidecar_is_reached_from_outside_by_a_tcp_route_of_a_gateway() {
    let (mesh, database) = (Mesh::start(), Database::start());
    mesh.apply(STRICT);
    let mut db = mesh.member("db", Speaks::Tcp, database.address());
    db.run(&[]);
    let edge = mesh.edge();
    mesh.apply(&route("TCPRoute", "r", "name: edge, sectionName: tcp", "db", db.address().port()));

    let mut session = until("a session", || Session::open(edge.tcp));
    assert_eq!(session.asks("select 6 * 7"), Some("42".to_owned()));
    drop(session);
    db.logged(&[&format!("\"source_identity\":\"{SHOP}/gateway-edge\"")]);
}

#[test]
fn connections_to_a_service_go_where_its_tcp_route_says_by_the_callers_sidecar() {
    let (mesh, old, new) = (Mesh::start(), echo("old"), echo("new"));
    let mut db = mesh.member("db", Speaks::Tcp, old.address());
    let mut db2 = mesh.member("dbtwo", Speaks::Tcp, new.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    for member in [&mut db, &mut db2, &mut web] {
        member.run(&[]);
    }
    assert!(web.calls("db", "/before", 200).contains("old"));

    let port = db2.address().port();
    mesh.apply(&route("TCPRoute", "moved", "group: \"\", kind: Service, name: db", "dbtwo", port));

    until("connections to be led elsewhere", || web.calls("db", "/after", 200).contains("new").then_some(()));
    let line = mesh.must("get tcproute moved -n shop -o yaml");
    assert!(line.contains("reason: Accepted"), "{line}");
}
