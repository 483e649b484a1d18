//! What the proxy beside a workload is compiled to: what it lets in, what it can call, and by whose routes.

mod support;

use std::sync::Arc;

use engine::config::{Action, Carries, Config, Port, Security, Target, TcpAction};
use engine::status::{ConditionStatus, ObjectStatus};
use engine::{HeaderView, Perspective, RequestView, Verdict};
use support::World;

/// A mesh, a Service with two replicas that have sidecars and one that has none, and a database.
const SHOP: &str = "
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec:
  selector: { app: cart }
  ports:
  - { name: http, port: 80, targetPort: http }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec:
  selector: { app: db }
  ports:
  - { name: postgres, port: 5432 }
---
apiVersion: v1
kind: Service
metadata: { name: ledger, namespace: bank }
spec:
  selector: { app: ledger }
  ports:
  - { name: web, port: 9000, targetPort: 9001 }
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: { name: cart-1, namespace: shop, labels: { app: cart } }
spec:
  address: 10.0.0.7
  serviceAccount: cart
  sidecar: { port: 15443 }
  ports:
  - { name: http, port: 8080, targetPort: 3000, protocol: HTTP }
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: { name: db-1, namespace: shop, labels: { app: db } }
spec:
  address: 10.0.0.9
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: { name: ledger-1, namespace: bank, labels: { app: ledger } }
spec:
  address: 10.0.1.1
  serviceAccount: ledger
  sidecar: {}
";

fn beside(namespace: &str, workload: &str) -> World {
    let mut world = World::new();
    world.see_as(Perspective::Sidecar { namespace: namespace.into(), workload: workload.into() });
    world
}

fn shop(edit: impl Fn(&str) -> String) -> World {
    let mut world = beside("shop", "cart-1");
    world.apply(&edit(SHOP));
    world
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

fn port<'c>(config: &'c Config, address: &str) -> Option<&'c Arc<Port>> {
    let found = |port: &&Arc<Port>| format!("{}:{}", port.address.ip, port.address.port) == address;
    config.ports.iter().find(found)
}

/// The port at which a Service is called.
fn called<'c>(config: &'c Config, service: &str) -> &'c Arc<Port> {
    let name = config.names.iter().find(|name| format!("{}/{}", name.namespace, name.service) == service);
    let name = name.unwrap_or_else(|| panic!("{service} cannot be called"));
    port(config, &format!("{}:{}", name.virtual_address, name.ports[0].open_at)).expect("it is listened on")
}

struct NoHeaders;

impl HeaderView for NoHeaders {
    fn values(&self, _: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn first(&self, _: &[u8]) -> Option<&[u8]> {
        None
    }
}

fn ask(carries: &Carries, path: &str) -> Option<String> {
    let request =
        RequestView { method: b"GET", host: b"any", path: path.as_bytes(), query: None, headers: &NoHeaders };
    match carries.table().expect("requests").find(&request, None) {
        Verdict::Rule(rule) => Some(format!("{}/{}", rule.origin.kind, rule.origin.route)),
        Verdict::NoMatch | Verdict::Misdirected => None,
    }
}

/// Addresses of the cluster that a port leads to straight.
fn endpoints(config: &Config, carries: &Carries) -> Vec<String> {
    let target = match carries {
        Carries::Tcp(rule) => match &rule.action {
            TcpAction::Forward(backends) => &backends.choices[0].target,
            TcpAction::Refuse { reason } => panic!("refuses: {reason}"),
        },
        Carries::Http(table) => {
            let listeners = table.listeners().sorted();
            let hosts = listeners[0].1.hosts.sorted();
            let entry = hosts[0].1.entries().next().expect("a rule");
            let Action::Forward(backends) = &entry.rule.action else { panic!("does not forward") };
            return of(config, &backends.choices[0].target);
        }
    };
    of(config, target)
}

fn of(config: &Config, target: &Target) -> Vec<String> {
    let Target::Cluster(slot) = target else { panic!("leads nowhere") };
    let cluster = config.cluster(*slot).expect("a cluster in use");
    let shown = cluster.endpoints.iter().map(|endpoint| match &endpoint.mesh {
        Some(peer) => format!("{} {} {}", endpoint.address, peer.identity, peer.server_name),
        None => endpoint.address.to_string(),
    });
    shown.collect()
}

fn route(name: &str, namespace: &str, parent: &str, path: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  parentRefs: [{{ group: '', kind: Service, {parent} }}]
  hostnames: [never.asked]
  rules:
  - matches: [{{ path: {{ type: PathPrefix, value: {path} }} }}]
    backendRefs: [{{ name: ledger, namespace: bank, port: 9000 }}]
"
    )
}

const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: all, namespace: bank }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }]
  to: [{ group: '', kind: Service }]
";

#[test]
fn the_mesh_comes_in_by_one_door_and_is_led_to_the_application() {
    let config = shop(as_it_is).compile().config;

    let door = port(&config, "10.0.0.7:15443").expect("the door");
    let Security::Mesh(mesh) = &door.security else { panic!("not for the mesh") };
    let names: Vec<&str> = mesh.services.keys().map(|name| &**name).collect();
    assert_eq!(names, ["80.cart.shop.svc.bank.example"]);
    let service = &mesh.services["80.cart.shop.svc.bank.example"];
    assert_eq!(&*service.name, "shop/cart:80");
    assert_eq!(ask(&service.carries, "/anything").as_deref(), Some("Service/shop/cart"));
    assert_eq!(endpoints(&config, &service.carries), ["127.0.0.1:3000"]);
    assert!(!mesh.cleartext);
}

#[test]
fn cleartext_comes_in_where_no_proof_is_asked_for() {
    let plain = |mode: &str| {
        let edit = |text: &str| {
            text.replace(
                "trustDomain: bank.example",
                &format!("trustDomain: bank.example, mtls: {{ mode: '{mode}' }}"),
            )
        };
        let config = shop(edit).compile().config;
        (port(&config, "10.0.0.7:8080").is_some(), services_of_door(&config))
    };

    assert_eq!(plain("Permissive"), (true, 1));
    assert_eq!(plain("Strict"), (false, 1));
    assert_eq!(plain("Off"), (true, 0));
}

fn services_of_door(config: &Config) -> usize {
    let security = port(config, "10.0.0.7:15443").map(|port| &port.security);
    if let Some(Security::Mesh(mesh)) = security { mesh.services.len() } else { 0 }
}

#[test]
fn a_port_of_the_application_is_not_taken_from_it() {
    let edit = |text: &str| {
        text.replace("address: 10.0.0.7", "address: 127.0.0.1")
            .replace("targetPort: 3000", "targetPort: 8080")
    };
    let compiled = shop(edit).compile();

    assert!(port(&compiled.config, "127.0.0.1:8080").is_none());
    assert!(port(&compiled.config, "127.0.0.1:15443").is_some());
    let workload = compiled.conditions.iter().find(|object| object.resource.key.name.as_str() == "cart-1");
    let ObjectStatus::Plain(status) = &*workload.expect("a status").status else { panic!("conditions") };
    assert_eq!(status.conditions[0].status, ConditionStatus::False);
    assert!(status.conditions[0].message.contains("127.0.0.1:8080 is the application's own"));
}

#[test]
fn every_service_is_called_at_an_address_of_its_own() {
    let config = shop(as_it_is).compile().config;

    let ledger = called(&config, "bank/ledger");
    assert!(matches!(ledger.security, Security::Plain) && matches!(ledger.carries, Carries::Tcp(_)));
    assert_eq!(
        endpoints(&config, &ledger.carries),
        ["10.0.1.1:15443 spiffe://bank.example/ns/bank/sa/ledger 9000.ledger.bank.svc.bank.example"]
    );
    let db = called(&config, "shop/db");
    assert_eq!(
        endpoints(&config, &db.carries),
        ["10.0.0.9:5432"],
        "who has no sidecar is called in cleartext"
    );
    let cart = called(&config, "shop/cart");
    assert_eq!(cart.address.port, 8080, "not everybody may listen at 80");
    assert_eq!(ask(&cart.carries, "/").as_deref(), Some("Service/shop/cart"));
}

#[test]
fn a_workload_that_says_whom_it_calls_is_told_of_nobody_else() {
    let edit = |text: &str| text.replace("serviceAccount: cart", "serviceAccount: cart\n  reaches: [bank/*]");
    let config = shop(edit).compile().config;

    let names: Vec<String> =
        config.names.iter().map(|name| format!("{}/{}", name.namespace, name.service)).collect();
    assert_eq!(names, ["bank/ledger"]);
    assert_eq!(services_of_door(&config), 1, "who calls it is another matter");
}

#[test]
fn who_is_not_ready_is_not_called() {
    let ready = |status: &str| {
        let edit =
            |text: &str| format!("{text}status: {{ conditions: [{{ type: Ready, status: '{status}' }}] }}\n");
        let config = shop(edit).compile().config;
        endpoints(&config, &called(&config, "bank/ledger").carries).len()
    };

    assert_eq!(ready("True"), 1);
    assert_eq!(ready("False"), 0);
}

#[test]
fn a_producers_route_holds_for_everybody_and_makes_http_of_what_nobody_said() {
    let mut world = shop(as_it_is);
    let before = world.compile().config;
    assert!(matches!(called(&before, "bank/ledger").carries, Carries::Tcp(_)));

    let config = world.apply(&route("r", "bank", "name: ledger", "/a")).compile().config;

    let carries = &called(&config, "bank/ledger").carries;
    assert_eq!(ask(carries, "/a/b").as_deref(), Some("HTTPRoute/bank/r"));
    assert_eq!(ask(carries, "/b"), None, "where routes stand, what fits none of them goes nowhere");
    assert!(Arc::ptr_eq(called(&before, "shop/db"), called(&config, "shop/db")));
}

#[test]
fn a_consumers_route_holds_for_its_own_namespace_and_takes_the_place_of_the_producers() {
    let routes = [
        GRANT.to_owned(),
        route("producer", "bank", "name: ledger", "/p"),
        route("consumer", "shop", "name: ledger, namespace: bank", "/c"),
        route("stranger", "other", "name: ledger, namespace: bank", "/s"),
    ]
    .join("---");
    let mut shop = shop(as_it_is);
    let mut bank = beside("bank", "ledger-1");
    bank.apply(SHOP);

    let (shop, bank) = (shop.apply(&routes).compile().config, bank.apply(&routes).compile().config);

    let by_path =
        |config: &Config| ["/p", "/c", "/s"].map(|path| ask(&called(config, "bank/ledger").carries, path));
    assert_eq!(by_path(&shop), [None, Some("HTTPRoute/shop/consumer".to_owned()), None]);
    assert_eq!(by_path(&bank), [Some("HTTPRoute/bank/producer".to_owned()), None, None]);
}

#[test]
fn a_route_of_one_port_stands_at_that_port() {
    let two = SHOP.replace(
        "  - { name: web, port: 9000, targetPort: 9001 }",
        "  - { name: web, port: 9000, targetPort: 9001 }\n  - { name: api, port: 9002 }",
    );
    let mut world = beside("shop", "cart-1");

    let config =
        world.apply(&two).apply(&route("r", "bank", "name: ledger, port: 9002", "/")).compile().config;

    let name = config.names.iter().find(|name| *name.service == *"ledger").unwrap();
    let at = |open_at: u16| port(&config, &format!("{}:{open_at}", name.virtual_address)).unwrap();
    assert!(matches!(at(9000).carries, Carries::Tcp(_)) && matches!(at(9002).carries, Carries::Http(_)));
}

#[test]
fn a_changed_endpoint_touches_no_port_and_one_cluster() {
    let mut world = shop(as_it_is);
    let before = world.compile().config;
    let moved = SHOP.split("---").last().unwrap().replace("10.0.1.1", "10.0.1.2");

    let after = world.apply(&moved).compile().config;

    assert!(before.ports.iter().zip(&after.ports).all(|(old, new)| Arc::ptr_eq(old, new)));
    assert!(Arc::ptr_eq(&before.names, &after.names));
    let same = |slot: usize| match (&before.clusters[slot], &after.clusters[slot]) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    let changed: Vec<usize> = (0..before.clusters.len()).filter(|slot| !same(*slot)).collect();
    assert_eq!(changed.len(), 1);
    assert!(endpoints(&after, &called(&after, "bank/ledger").carries)[0].starts_with("10.0.1.2:15443"));
}

#[test]
fn a_member_that_is_somebody_else_now_is_another_endpoint() {
    let mut world = shop(as_it_is);
    let endpoint = |config: &Config| {
        let Carries::Tcp(rule) = &called(config, "bank/ledger").carries else { panic!("bytes") };
        let TcpAction::Forward(backends) = &rule.action else { panic!("forwards") };
        let Target::Cluster(slot) = &backends.choices[0].target else { panic!("a cluster") };
        config.cluster(*slot).unwrap().endpoints[0].clone()
    };
    let before = endpoint(&world.compile().config);
    let other = SHOP.split("---").last().unwrap().replace("serviceAccount: ledger", "serviceAccount: other");

    let after = endpoint(&world.apply(&other).compile().config);

    assert_ne!(before, after, "a pooled connection is to whoever answered it");
}

#[test]
fn gateways_call_members_as_members() {
    let mut world = World::new();
    let edge = support::BASE.split("---").take(2).collect::<Vec<_>>().join("---");
    let to = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r, namespace: bank }
spec:
  parentRefs: [{ name: edge, namespace: default }]
  rules: [{ backendRefs: [{ name: ledger, port: 9000 }] }]
";
    let edge =
        edge.replace("protocol: HTTP }", "protocol: HTTP, allowedRoutes: { namespaces: { from: All } } }");

    let config = world.apply(&edge).apply(SHOP).apply(to).compile().config;

    assert_eq!(
        endpoints(&config, &config.ports[0].carries),
        ["10.0.1.1:15443 spiffe://bank.example/ns/bank/sa/ledger 9000.ledger.bank.svc.bank.example"]
    );
    assert!(config.names.is_empty());
}

#[test]
fn the_control_plane_says_what_becomes_of_a_route_of_a_service() {
    let said = |world: &mut World| {
        let compiled = world.compile();
        let object = compiled.conditions.iter().find(|object| *object.resource.key.kind == *"HTTPRoute");
        let ObjectStatus::Route(status) = &*object.expect("a status").status else { panic!("a route") };
        let condition = &status.parents[0].conditions[0];
        (condition.status, condition.message.clone())
    };
    let mut world = World::new();
    world.apply(&route("r", "bank", "name: ledger, port: 9000", "/"));

    assert!(said(&mut world).1.contains("there is no Mesh"));
    world.apply(SHOP.split("---").next().unwrap());
    assert!(said(&mut world).1.contains("no Service `bank/ledger` exists"));
    world.apply(SHOP);
    assert_eq!(said(&mut world).0, ConditionStatus::True);
    world.apply(&route("r", "bank", "name: ledger, port: 1", "/"));
    assert!(said(&mut world).1.contains("has no such TCP port; it has: 9000"));
}

/// Names of the policies that are asked before something comes in to cart-1.
fn protected(config: &Config, by: &str) -> bool {
    let port = port(config, by).expect("a port");
    let carries = match &port.security {
        Security::Mesh(mesh) => &mesh.services["80.cart.shop.svc.bank.example"].carries,
        Security::Plain | Security::Tls(_) => &port.carries,
    };
    let table = carries.table().expect("requests").listeners().sorted();
    let hosts = table[0].1.hosts.sorted();
    let entry = hosts[0].1.entries().next().expect("a rule");
    entry.rule.authorization.is_some()
}

#[test]
fn what_protects_a_service_protects_it_by_every_door_and_nowhere_before_its_callers() {
    let policy = |target: &str| {
        format!(
            "
apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ name: p, namespace: shop }}
spec: {{ targetRefs: [{target}], action: Deny, rules: [{{ from: [{{ namespaces: [bank] }}] }}] }}
"
        )
    };
    let of = |target: &str| {
        let mut world = shop(as_it_is);
        let config = world.apply(&policy(target)).compile().config;
        let outbound = match ask_rule(&called(&config, "shop/cart").carries) {
            Some(authorized) => authorized,
            None => panic!("no rule"),
        };
        (protected(&config, "10.0.0.7:15443"), protected(&config, "10.0.0.7:8080"), outbound)
    };

    assert_eq!(of("{ group: '', kind: Service, name: cart }"), (true, true, false));
    assert_eq!(of("{ group: mesh.selvedge.dev, kind: Workload, name: cart-1 }"), (true, true, false));
    assert_eq!(of("{ group: '', kind: Service, name: db }"), (false, false, false));
}

/// An IpPolicy for a Service of the shop.
fn keeping_out(service: &str) -> String {
    format!(
        "
apiVersion: policy.selvedge.dev/v1alpha1
kind: IpPolicy
metadata: {{ name: p, namespace: shop }}
spec: {{ targetRefs: [{{ group: '', kind: Service, name: {service} }}], deny: [10.0.0.0/8] }}
"
    )
}

/// Whether it is asked from where somebody comes who comes in that way.
fn keeps_out(carries: &Carries) -> bool {
    match carries {
        Carries::Tcp(rule) => rule.addresses.is_some(),
        Carries::Http(table) => {
            let listeners = table.listeners().sorted();
            let hosts = listeners[0].1.hosts.sorted();
            hosts[0].1.entries().next().expect("a rule").rule.addresses.is_some()
        }
    }
}

#[test]
fn from_where_a_service_may_be_called_is_asked_by_every_door_of_its_replica_and_nowhere_before_its_callers() {
    for (protocol, name) in [("HTTP", "http"), ("TCP", "postgres")] {
        let edit = |text: &str| {
            let text = text.replace("protocol: HTTP", &format!("protocol: {protocol}"));
            text.replace("name: http,", &format!("name: {name},"))
                .replace("targetPort: http", &format!("targetPort: {name}"))
        };
        let of = |service: &str| {
            let config = shop(edit).apply(&keeping_out(service)).compile().config;
            let Security::Mesh(mesh) = &port(&config, "10.0.0.7:15443").expect("a door").security else {
                panic!("the door of the mesh")
            };
            let inbound = &mesh.services["80.cart.shop.svc.bank.example"].carries;
            let plain = &port(&config, "10.0.0.7:8080").expect("a port").carries;
            assert_eq!(matches!(inbound, Carries::Tcp(_)), protocol == "TCP");
            [keeps_out(inbound), keeps_out(plain), keeps_out(&called(&config, "shop/cart").carries)]
        };

        assert_eq!(of("cart"), [true, true, false], "{protocol}");
        assert_eq!(of("db"), [false, false, false], "{protocol}");
    }
}

/// Whether the first rule of a port asks who calls.
fn ask_rule(carries: &Carries) -> Option<bool> {
    let table = carries.table()?.listeners().sorted();
    let hosts = table[0].1.hosts.sorted();
    hosts[0].1.entries().next().map(|entry| entry.rule.authorization.is_some())
}

#[test]
fn a_mesh_that_denies_denies_where_nobody_has_spoken() {
    let edit = |text: &str| {
        text.replace("trustDomain: bank.example", "trustDomain: bank.example, defaultAction: Deny")
    };
    let config = shop(edit).compile().config;

    assert!(protected(&config, "10.0.0.7:15443") && protected(&config, "10.0.0.7:8080"));
}

/// What of the cart can be had as a product, by members of the mesh.
const PRODUCT: &str = "
apiVersion: product.selvedge.dev/v1alpha1
kind: API
metadata: { name: carts, namespace: shop }
spec: { title: Carts }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: APIRevision
metadata: { name: one, namespace: shop }
spec:
  api: carts
  version: carts-v1
  documents:
  - name: carts.yaml
    content: |
      openapi: 3.1.0
      info: { title: Carts, version: '1' }
      paths:
        /items/{id}: { get: { responses: { '200': { description: one } } } }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: APIVersion
metadata: { name: carts-v1, namespace: shop }
spec:
  api: carts
  label: v1
  state: Published
  revision: one
  parentRefs: [{ group: '', kind: Service, name: cart }, { name: edge }]
---
apiVersion: product.selvedge.dev/v1alpha1
kind: APIBinding
metadata: { name: carts-v1, namespace: shop }
spec: { version: carts-v1, default: { path: /inside, backendRefs: [{ kind: Service, name: cart, port: 80 }] } }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: APIProduct
metadata: { name: carts, namespace: shop }
spec: { state: Published, apis: [{ version: carts-v1 }] }
---
apiVersion: product.selvedge.dev/v1alpha1
kind: Plan
metadata: { name: free, namespace: shop }
spec: { product: carts, state: Published, credentials: [SPIFFE] }
";

/// The rule for a path: where it was read, what it asks of callers, and whether it is counted for them.
fn asked<'c>(carries: &'c Carries, path: &str) -> Option<(&'c str, bool, bool, bool)> {
    let request =
        RequestView { method: b"GET", host: b"any", path: path.as_bytes(), query: None, headers: &NoHeaders };
    match carries.table().expect("requests").find(&request, None) {
        Verdict::Rule(rule) => {
            let is_counted = rule.operation.as_ref().is_some_and(|operation| operation.is_counted);
            Some((rule.origin.kind, rule.authentication.is_some(), rule.access.is_some(), is_counted))
        }
        Verdict::NoMatch | Verdict::Misdirected => None,
    }
}

#[test]
fn what_a_product_asks_is_asked_beside_its_provider_of_the_paths_that_it_knows() {
    let mut world = shop(as_it_is);
    world.apply(PRODUCT);
    let config = world.compile().config;

    let door = port(&config, "10.0.0.7:15443").expect("the door");
    let Security::Mesh(mesh) = &door.security else { panic!("not for the mesh") };
    let plain = port(&config, "10.0.0.7:8080").expect("the port of the workload");
    for carries in [&mesh.services["80.cart.shop.svc.bank.example"].carries, &plain.carries] {
        assert_eq!(asked(carries, "/inside/items/7"), Some(("APIVersion", true, true, true)));
        let (kind, proof, right, counted) = asked(carries, "/items/7").expect("a way in");
        assert!(kind != "APIVersion" && !proof && !right && !counted, "{kind}");
    }
    let again =
        world.apply("{ apiVersion: v1, kind: Namespace, metadata: { name: other } }").compile().config;
    assert!(Arc::ptr_eq(door, port(&again, "10.0.0.7:15443").expect("the door")), "nothing is different");
    let mut caller = beside("bank", "ledger-1");
    let config = caller.apply(SHOP).apply(PRODUCT).compile().config;
    let asked = asked(&called(&config, "shop/cart").carries, "/carts/items/7");
    assert_eq!(
        asked,
        Some(("APIVersion", false, false, false)),
        "the caller's own proxy asks and counts nothing"
    );
}
