//! Connections that carry bytes: what a change costs, who has them, and what people are told.

mod support;

use std::sync::Arc;

use engine::Config;
use engine::authorization::Source;
use engine::config::TcpRule;
use engine::explain::{Question, changes, explain};
use support::{BASE, World};

const EDGE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners:
  - { name: database, port: 5432, protocol: TCP }
  - { name: cache, port: 6379, protocol: TCP }
";

fn route(name: &str, listener: &str, backend: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{ name: {name} }}
spec:
  parentRefs: [ {{ name: edge, sectionName: {listener} }} ]
  rules:
  - name: all
    backendRefs: [ {{ name: {backend}, port: 80 }} ]
"
    )
}

fn world() -> World {
    let mut world = World::new();
    world
        .apply(BASE)
        .apply(EDGE)
        .apply(&route("orders", "database", "cart"))
        .apply(&route("hot", "cache", "cart"));
    world
}

fn rule(config: &Config, port: u16) -> Arc<TcpRule> {
    let port = config.ports.iter().find(|known| known.address.port == port).expect("a port");
    port.carries.rule().expect("bytes").clone()
}

#[test]
fn a_change_of_one_route_leaves_the_ports_of_others_as_they_are() {
    let mut world = world();
    let before = world.compile().config;

    let after = world.apply(&route("hot", "cache", "absent")).compile().config;

    assert!(Arc::ptr_eq(&rule(&before, 5432), &rule(&after, 5432)));
    assert!(Arc::ptr_eq(&before.ports[0], &after.ports[0]));
    assert!(!Arc::ptr_eq(&rule(&before, 6379), &rule(&after, 6379)));
    assert_eq!(rule(&before, 6379).slot, rule(&after, 6379).slot, "counters go on");
}

#[test]
fn a_new_endpoint_changes_a_cluster_and_no_rule() {
    let mut world = world();
    let before = world.compile().config;

    let slice = BASE.split("---").last().expect("a slice").replace("10.0.0.1", "10.0.0.2");
    let after = world.apply(&slice).compile().config;

    assert!(Arc::ptr_eq(&before.ports[0], &after.ports[0]));
    let slot = before.clusters.iter().flatten().next().expect("a cluster").slot;
    assert!(!Arc::ptr_eq(before.cluster(slot).unwrap(), after.cluster(slot).unwrap()));
}

#[test]
fn a_route_that_goes_leaves_the_listener_to_the_next_oldest() {
    let mut world = world();
    world.apply(&route("another", "database", "cart"));
    let both = world.compile();
    assert_eq!(*rule(&both.config, 5432).origin.route, *"default/orders");
    let conflicted = |compiled: &engine::Compiled| {
        let objects = compiled.conditions.iter();
        let told = objects.flat_map(|object| {
            object.status.conditions().map(|(_, told)| told.message.clone()).collect::<Vec<_>>()
        });
        told.filter(|message| message.contains("older TCPRoute")).count()
    };
    assert_eq!(conflicted(&both), 1);

    let one = world.remove("TCPRoute", "default/orders").compile();

    assert_eq!(*rule(&one.config, 5432).origin.route, *"default/another");
    assert_eq!(conflicted(&one), 0);
    let none = world.remove("TCPRoute", "default/another").compile();
    assert_eq!(*rule(&none.config, 5432).origin.route, *"default/edge/database");
}

#[test]
fn a_policy_for_a_tcp_route_or_its_gateway_holds_for_its_connections() {
    for (kind, name, section) in [
        ("TCPRoute", "orders", ""),
        ("TCPRoute", "orders", ", sectionName: all"),
        ("Gateway", "edge", ", sectionName: database"),
    ] {
        let mut world = world();
        let open = world.compile().config;
        assert!(rule(&open, 5432).authorization.is_none());

        let policy = format!(
            "
apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ name: closed }}
spec:
  targetRefs: [ {{ group: gateway.networking.k8s.io, kind: {kind}, name: {name}{section} }} ]
  action: Deny
  rules: [ {{ name: all, from: [ {{ ipBlocks: [10.0.0.0/8] }} ] }} ]
"
        );
        let closed = world.apply(&policy).compile().config;

        assert!(rule(&closed, 5432).authorization.is_some(), "{kind} {name}{section}");
        let other = rule(&closed, 6379);
        assert!(other.authorization.is_none(), "{kind} {name}{section}");
        assert!(Arc::ptr_eq(&rule(&open, 6379), &other), "what it is not about is the same");
        let open_again = world.remove("AuthorizationPolicy", "default/closed").compile().config;
        assert!(rule(&open_again, 5432).authorization.is_none());
    }
}

/// An IpPolicy that denies one block at a target.
fn keeping_out(name: &str, target: &str) -> String {
    format!(
        "
apiVersion: policy.selvedge.dev/v1alpha1
kind: IpPolicy
metadata: {{ name: {name} }}
spec: {{ targetRefs: [ {{ {target} }} ], deny: [10.0.0.0/8] }}
"
    )
}

/// Names of the policies that say from where the connections of a port may come.
fn kept_by(config: &Config, port: u16) -> Vec<String> {
    let rule = rule(config, port);
    let named = rule.addresses.iter().flat_map(|rules| rules.iter()).map(|rule| rule.policy.to_string());
    named.collect()
}

const ROUTES: &str = "group: gateway.networking.k8s.io, kind: TCPRoute";

#[test]
fn a_policy_about_addresses_holds_for_the_connections_of_its_route_and_for_no_others() {
    for target in [format!("{ROUTES}, name: orders"), format!("{ROUTES}, name: orders, sectionName: all")] {
        let mut world = world();
        let open = world.compile().config;
        assert!(kept_by(&open, 5432).is_empty());

        let kept = world.apply(&keeping_out("office", &target)).compile().config;

        assert_eq!(kept_by(&kept, 5432), ["default/office"], "{target}");
        assert!(Arc::ptr_eq(&rule(&open, 6379), &rule(&kept, 6379)), "what it is not about is the same");
        let open_again = world.remove("IpPolicy", "default/office").compile().config;
        assert!(kept_by(&open_again, 5432).is_empty());
    }
}

#[test]
fn what_is_said_of_a_route_its_gateway_and_its_service_all_holds() {
    let mut world = world();
    world
        .apply(&keeping_out("service", "group: '', kind: Service, name: cart"))
        .apply(&keeping_out("gateway", "group: gateway.networking.k8s.io, kind: Gateway, name: edge"))
        .apply(&keeping_out("route", &format!("{ROUTES}, name: orders")));

    let config = world.compile().config;

    assert_eq!(kept_by(&config, 5432), ["default/route", "default/gateway", "default/service"]);
    assert_eq!(kept_by(&config, 6379), ["default/gateway", "default/service"]);
}

#[test]
fn what_is_said_of_a_service_is_asked_by_every_route_that_leads_there_and_follows_its_ports() {
    let mut world = world();
    let http = EDGE
        .replace("{ name: cache, port: 6379, protocol: TCP }", "{ name: http, port: 8080, protocol: HTTP }");
    world.remove("TCPRoute", "default/hot").apply(&http).apply(&support::route("r", "a.example", "/"));
    let held = |world: &mut World| {
        let config = world.compile().config;
        let port = config.ports.iter().find(|port| port.address.port == 8080).expect("a port");
        let listeners = port.carries.table().expect("requests").listeners().sorted();
        let hosts = listeners[0].1.hosts.sorted();
        let requests = hosts[0].1.entries().next().expect("a rule").rule.addresses.is_some();
        (requests, !kept_by(&config, 5432).is_empty())
    };
    assert_eq!(held(&mut world), (false, false));

    world.apply(&keeping_out("p", "group: '', kind: Service, name: cart"));
    assert_eq!(held(&mut world), (true, true));

    world.apply(&keeping_out("p", "group: '', kind: Service, name: cart, sectionName: web"));
    assert_eq!(held(&mut world), (false, false));

    let named = "
apiVersion: v1
kind: Service
metadata: { name: cart }
spec: { ports: [ { name: web, port: 80, targetPort: 8000 } ] }
";
    assert_eq!(held(world.apply(named)), (true, true));
    assert_eq!(held(world.remove("IpPolicy", "default/p")), (false, false));
}

#[test]
fn a_policy_for_a_route_of_connections_says_what_became_of_it() {
    let said = |target: &str| {
        let compiled = world().apply(&keeping_out("p", target)).compile();
        let object = compiled.conditions.iter().find(|object| *object.resource.key.kind == *"IpPolicy");
        let told = object.expect("a status").status.conditions().next().map(|(_, told)| told.message.clone());
        told.expect("a condition")
    };

    assert_eq!(said(&format!("{ROUTES}, name: orders, sectionName: all")), "");
    assert!(said(&format!("{ROUTES}, name: absent")).contains("no TCPRoute `default/absent` exists"));
    let missing = said(&format!("{ROUTES}, name: orders, sectionName: some"));
    assert!(missing.contains("has no rule named `some`; there are: all"), "{missing}");
}

#[test]
fn a_connection_that_is_kept_out_is_explained() {
    let config = world().apply(&keeping_out("office", &format!("{ROUTES}, name: orders"))).compile().config;
    let told = |address: &str| {
        let source = Source { address: address.parse().ok(), ..Source::default() };
        let question = Question { method: "CONNECT", url: "tcp://127.0.0.1:5432", headers: &[], source };
        explain(&config, &question).unwrap().to_string()
    };

    assert!(told("10.1.2.3").contains("the connection is reset, address_denied by default/office"));
    let passes = told("192.0.2.1");
    assert!(passes.contains("addresses default/office") && passes.contains("10.0.0.1:8000"), "{passes}");
}

#[test]
fn a_connection_is_explained_by_its_route_and_its_endpoints() {
    let mut world = world();
    let config = world.remove("TCPRoute", "default/hot").compile().config;
    let told = |url| {
        explain(&config, &Question { method: "CONNECT", url, headers: &[], source: Source::default() })
            .unwrap()
            .to_string()
    };

    assert_eq!(
        told("tcp://127.0.0.1:5432"),
        "tcp://127.0.0.1:5432\n  \
         port      127.0.0.1:5432 (tcp)\n  \
         route     TCPRoute default/orders (in.yaml:8)\n  \
         backend   1/1 Service/default/cart:80 at 10.0.0.1:8000"
    );
    assert!(told("tcp://127.0.0.1:6379").contains("the connection is reset, no_route"));
    let nobody = told("tls://127.0.0.1:5432");
    assert!(nobody.contains("nobody listens there") && nobody.contains("tcp://127.0.0.1:5432"), "{nobody}");
    assert!(told("http://127.0.0.1:5432/").contains("nobody listens there"));
}

#[test]
fn a_change_tells_which_connections_lead_elsewhere() {
    let mut world = world();
    let before = world.compile().config;

    let after = world.remove("TCPRoute", "default/hot").compile().config;

    let found = changes(&before, &after).changes;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].request, "tcp://127.0.0.1:6379");
    assert_eq!(found[0].before, "TCPRoute default/hot: Service/default/cart:80");
    assert_eq!(found[0].after, "Gateway default/edge/cache: no_route");
}
