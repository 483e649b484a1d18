//! Doors of the mesh: what callers' connections are led by, what an application is told, and who protects a Service of
//! which only some replicas have a proxy beside them.

mod support;

use std::sync::Arc;

use engine::Perspective;
use engine::config::{Action, Carries, Config, Port, Security, Target, TcpAction, TcpRule};
use engine::status::{ConditionStatus, ObjectStatus};
use support::{BASE, World};

const MESH: &str = "
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
";

/// A Service `name` in the shop, with a port of this name, and its replica behind a sidecar.
fn service(name: &str, port: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: shop }}
spec:
  selector: {{ app: {name} }}
  ports: [{{ name: {port}, port: 9000 }}]
---{}",
        workload(&format!("{name}-1"), name, "sidecar: {}")
    )
}

fn workload(name: &str, app: &str, more: &str) -> String {
    format!(
        "
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: {{ name: {name}, namespace: shop, labels: {{ app: {app} }} }}
spec: {{ address: 10.0.0.7, serviceAccount: {app}, {more} }}
"
    )
}

/// A TCPRoute before the Service `db` of the shop, to these backends of the shop.
fn route(name: &str, namespace: &str, backends: &[(&str, u32)]) -> String {
    let backends: Vec<String> = backends
        .iter()
        .map(|(name, weight)| format!("{{ name: {name}, namespace: shop, port: 9000, weight: {weight} }}"))
        .collect();
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  parentRefs: [{{ group: '', kind: Service, name: db, namespace: shop, port: 9000 }}]
  rules: [{{ backendRefs: [{}] }}]
",
        backends.join(", ")
    )
}

const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: all, namespace: shop }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: TCPRoute, namespace: bank }]
  to: [{ group: '', kind: Service }]
";

/// What the proxy beside the workload `own-1` of a namespace sees.
fn beside(namespace: &str) -> World {
    let mut world = World::new();
    world.see_as(Perspective::Sidecar { namespace: namespace.into(), workload: "own-1".into() });
    world.apply(MESH);
    world
}

fn called<'c>(config: &'c Config, service: &str) -> &'c Arc<Port> {
    let name = config.names.iter().find(|name| &*name.service == service).expect("it can be called");
    let at = |port: &&Arc<Port>| {
        port.address.ip == std::net::IpAddr::V4(name.virtual_address)
            && port.address.port == name.ports[0].open_at
    };
    config.ports.iter().find(at).expect("it is listened on")
}

fn connections(port: &Port) -> &Arc<TcpRule> {
    port.carries.rule().expect("connections")
}

/// The clusters that a rule leads to, by weight.
fn leads(config: &Config, rule: &TcpRule) -> Vec<(String, u32)> {
    let TcpAction::Forward(backends) = &rule.action else { panic!("refuses") };
    let led = |backend: &engine::config::Backend| {
        let Target::Cluster(slot) = &backend.target else { panic!("leads nowhere") };
        (config.cluster(*slot).expect("in use").name.to_string(), backend.weight)
    };
    backends.choices.iter().map(led).collect()
}

#[test]
fn connections_to_a_service_go_by_its_tcp_route_with_its_weights() {
    let mut world = beside("shop");
    world.apply(&service("db", "tcp")).apply(&service("db2", "tcp"));
    let before = world.compile().config;
    let straight = leads(&before, connections(called(&before, "db")));

    let config = world.apply(&route("split", "shop", &[("db", 1), ("db2", 3)])).compile().config;

    assert_eq!(straight, [("Service/shop/db:9000".to_owned(), 1)]);
    let rule = connections(called(&config, "db"));
    assert_eq!((rule.origin.kind, &*rule.origin.route), ("TCPRoute", "shop/split"));
    let split = [("Service/shop/db:9000".to_owned(), 1), ("Service/shop/db2:9000".to_owned(), 3)];
    assert_eq!(leads(&config, rule), split);
    assert!(Arc::ptr_eq(called(&before, "db2"), called(&config, "db2")), "nobody else feels it");
    let gone = world.remove("TCPRoute", "shop/split").compile().config;
    assert_eq!(leads(&gone, connections(called(&gone, "db"))), straight);
}

#[test]
fn a_consumers_tcp_route_takes_the_place_of_the_producers_in_its_own_namespace() {
    let mut everything = String::new();
    for text in [
        service("db", "tcp"),
        service("db2", "tcp"),
        GRANT.to_owned(),
        route("producer", "shop", &[("db", 1)]),
        route("consumer", "bank", &[("db2", 1)]),
    ] {
        everything += &format!("---{text}");
    }
    let route_of = |namespace: &str| {
        let config = beside(namespace).apply(&everything).compile().config;
        connections(called(&config, "db")).origin.route.to_string()
    };

    assert_eq!(route_of("shop"), "shop/producer");
    assert_eq!(route_of("bank"), "bank/consumer");
    assert_eq!(route_of("other"), "shop/producer");
}

#[test]
fn a_tcp_route_stands_before_ports_that_carry_bytes_and_the_status_says_so() {
    let said = |port: &str| {
        let mut world = World::new();
        world.apply(MESH).apply(&service("db", port)).apply(&route("r", "shop", &[("db", 1)]));
        let compiled = world.compile();
        let object = compiled.conditions.iter().find(|object| *object.resource.key.kind == *"TCPRoute");
        let ObjectStatus::Route(status) = &*object.expect("a status").status else { panic!("a route") };
        let condition = &status.parents[0].conditions[0];
        (condition.status, condition.message.clone())
    };

    assert_eq!(said("postgres").0, ConditionStatus::True);
    assert_eq!(said("whatever").0, ConditionStatus::True, "a port that says nothing may carry bytes");
    let refused = said("http");
    assert_eq!(refused.0, ConditionStatus::False);
    assert!(refused.1.contains("carries what a TCPRoute is about"), "{}", refused.1);
}

#[test]
fn where_a_port_says_nothing_a_route_of_requests_comes_before_one_of_connections() {
    let requests = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: requests, namespace: shop }
spec:
  parentRefs: [{ group: '', kind: Service, name: db }]
  rules: [{ backendRefs: [{ name: db, port: 9000 }] }]
";
    let mut world = beside("shop");
    world.apply(&service("db", "unsaid")).apply(&route("r", "shop", &[("db", 1)]));
    let bytes = world.compile().config;
    let both = world.apply(requests).compile().config;

    assert_eq!(&*connections(called(&bytes, "db")).origin.route, "shop/r");
    assert!(matches!(called(&both, "db").carries, Carries::Http(_)));
}

#[test]
fn an_application_that_asks_is_told_who_calls_by_the_door_of_the_mesh_and_by_no_other() {
    let told = |application: &str| {
        let ports = "sidecar: {}, ports: [{ name: http, port: 9000, protocol: HTTP, targetPort: 3000 }]";
        let mut world = beside("shop");
        world.apply(&service("own", "http")).apply(&workload(
            "own-1",
            "own",
            &format!("{ports}{application}"),
        ));
        let config = world.compile().config;
        let ports = config.ports.iter().map(|port| (port.address.port, port.settings.caller_header));
        let mut told: Vec<(u16, bool)> = ports.collect();
        told.sort_unstable();
        told.dedup();
        told
    };

    assert_eq!(told(""), [(9000, false), (15443, false)]);
    assert_eq!(told(", application: { callerHeader: true }"), [(9000, false), (15443, true)]);
}

/// Whether the Gateway asks the policies of the Service `cart` before it sends anybody there.
fn gateway_asks(world: &mut World) -> bool {
    let config = world.compile().config;
    let table = config.ports[0].table().expect("requests").listeners().sorted();
    let hosts = table[0].1.hosts.sorted();
    let rule = hosts[0].1.entries().next().expect("a rule").rule.clone();
    assert!(matches!(rule.action, Action::Forward(_)));
    rule.authorization.is_some()
}

#[test]
fn a_gateway_asks_the_policies_of_a_service_until_every_replica_has_a_sidecar_to_ask_them() {
    let edge = support::BASE.split("---").take(2).collect::<Vec<_>>().join("---");
    let edge =
        edge.replace("protocol: HTTP }", "protocol: HTTP, allowedRoutes: { namespaces: { from: All } } }");
    let mut world = World::new();
    world.apply(&edge).apply(MESH).apply(&service("cart", "http")).apply(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r, namespace: shop }
spec:
  parentRefs: [{ name: edge, namespace: default }]
  rules: [{ backendRefs: [{ name: cart, port: 9000 }] }]
---
apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: p, namespace: shop }
spec: { targetRefs: [{ group: '', kind: Service, name: cart }], action: Deny, rules: [{ to: [{ methods: [DELETE] }] }] }
",
    );
    assert!(!gateway_asks(&mut world), "the sidecar asks, and sees who calls it");

    world.apply(&workload("cart-2", "cart", "ports: []"));
    assert!(gateway_asks(&mut world), "nobody stands beside cart-2");
    world.apply(&workload("cart-2", "cart", "sidecar: {}"));
    assert!(!gateway_asks(&mut world));

    let pod = "
apiVersion: v1
kind: Pod
metadata: { name: cart-3, namespace: shop, labels: { app: cart } }
spec: { containers: [{ name: cart, image: cart }] }
";
    world.apply(pod);
    assert!(gateway_asks(&mut world), "nor beside a Pod");
    world.apply(&pod.replace("app: cart", "app: other"));
    assert!(!gateway_asks(&mut world), "which the Service does not select any more");
    world.apply(
        "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: cart-x, namespace: shop, labels: { kubernetes.io/service-name: cart } }
addressType: IPv4
ports: [{ name: http, port: 9000 }]
endpoints: [{ addresses: [10.0.0.9] }]
",
    );
    assert!(gateway_asks(&mut world), "nor at an address of a slice");
    world.remove("EndpointSlice", "shop/cart-x").remove("Workload", "shop/cart-1");
    world.remove("Workload", "shop/cart-2");
    assert!(gateway_asks(&mut world), "and where nobody is yet, somebody without a sidecar may come");
}

#[test]
fn a_gateway_opens_a_door_to_members_once_there_is_a_mesh_and_takes_any_name_there() {
    let mut world = World::new();
    let refused = world.apply(&BASE.replace("protocol: HTTP", "protocol: mesh.selvedge.dev/HTTP")).compile();
    assert!(refused.config.ports.is_empty(), "without a mesh nobody could come in");

    let opened = world.apply(MESH).compile().config;

    let door = &opened.ports[0];
    let Security::Mesh(mesh) = &door.security else { panic!("not for members") };
    assert!(!mesh.cleartext, "whoever shows nothing does not come in");
    let (name, carries) = door.asked_for("8080.whatever.elsewhere.svc.bank.example").expect("any name");
    assert_eq!(&**name, "default/edge:8080");
    assert!(carries.table().is_some());
    assert!(world.remove("Mesh", "default").compile().config.ports.is_empty());
}
