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
