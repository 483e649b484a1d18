//! What a Service promises that selects Pods: every change of a Pod, and of who selects it, reaches the endpoints,
//! and nothing else is built again.

mod support;

use std::sync::Arc;

use engine::Config;
use engine::config::Cluster;
use support::{World, route};

const CLASS_AND_GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners:
  - { name: http, port: 8080, protocol: HTTP }
";

fn service(name: &str, selector: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name} }}\n\
         spec: {{ selector: {{ {selector} }}, ports: [ {{ port: 80, targetPort: 8000 }} ] }}\n"
    )
}

fn pod(name: &str, labels: &str, ip: &str, ready: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, labels: {{ {labels} }} }}\n\
         status: {{ podIP: {ip}, conditions: [ {{ type: Ready, status: '{ready}' }} ] }}\n"
    )
}

/// A route to each of these Services, which are the whole world.
fn world(services: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.apply(CLASS_AND_GATEWAY);
    for (name, selector) in services {
        let lead =
            route(name, &format!("{name}.example"), "/").replace("name: cart,", &format!("name: {name},"));
        world.apply(&service(name, selector)).apply(&lead);
    }
    world
}

fn cluster<'c>(config: &'c Config, service: &str) -> &'c Arc<Cluster> {
    let name = format!("Service/default/{service}:80");
    config.clusters.iter().flatten().find(|cluster| *cluster.name == *name).expect("a cluster")
}

fn endpoints(config: &Config, service: &str) -> Vec<String> {
    cluster(config, service).endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

#[test]
fn a_pod_counts_from_the_moment_it_is_ready_until_it_begins_to_end() {
    let mut world = world(&[("cart", "app: cart")]);
    let mut seen = Vec::new();
    let mut look = |world: &mut World| seen.push(endpoints(&world.compile().config, "cart").join(" "));

    look(&mut world);
    look(world.apply(&pod("one", "app: cart", "10.0.0.1", "False")));
    look(world.apply(&pod("one", "app: cart", "10.0.0.1", "True")));
    look(world.apply(&pod("two", "app: cart", "10.0.0.2", "True")));
    let ending = pod("one", "app: cart", "10.0.0.1", "True");
    look(world.apply(&ending.replace("name: one,", "name: one, deletionTimestamp: 2026-01-01T00:00:00Z,")));
    look(world.remove("Pod", "default/one"));
    look(world.remove("Pod", "default/two"));

    let two = "10.0.0.2:8000";
    assert_eq!(seen, ["", "", "10.0.0.1:8000", "10.0.0.1:8000 10.0.0.2:8000", two, two, ""]);
}

#[test]
fn a_pod_follows_its_labels_from_one_service_to_another() {
    let mut world = world(&[("blue", "app: cart, colour: blue"), ("green", "app: cart, colour: green")]);
    world.apply(&pod("one", "app: cart, colour: blue", "10.0.0.1", "True"));
    let before = world.compile().config;

    let after = world.apply(&pod("one", "app: cart, colour: green", "10.0.0.1", "True")).compile().config;

    assert_eq!([endpoints(&before, "blue").len(), endpoints(&before, "green").len()], [1, 0]);
    assert_eq!([endpoints(&after, "blue").len(), endpoints(&after, "green").len()], [0, 1]);
}

#[test]
fn a_selector_that_is_edited_selects_again() {
    let mut world = world(&[("cart", "app: cart")]);
    world.apply(&pod("one", "app: cart", "10.0.0.1", "True"));
    world.apply(&pod("two", "app: till", "10.0.0.2", "True"));
    world.compile();

    let moved = world.apply(&service("cart", "app: till")).compile().config;
    let later = world.apply(&pod("two", "app: till", "10.0.0.3", "True")).compile().config;
    let stranger = world.apply(&pod("one", "app: cart", "10.0.0.4", "True")).compile().config;

    assert_eq!(endpoints(&moved, "cart"), ["10.0.0.2:8000"]);
    assert_eq!(endpoints(&later, "cart"), ["10.0.0.3:8000"]);
    assert!(Arc::ptr_eq(cluster(&later, "cart"), cluster(&stranger, "cart")), "it is selected no more");
}

#[test]
fn slices_win_as_soon_as_they_come_and_pods_count_again_when_they_go() {
    let slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                 metadata: { name: cart-1, labels: { kubernetes.io/service-name: cart } }\n\
                 addressType: IPv4\nendpoints: [ { addresses: [10.9.9.9] } ]\nports: [ { port: 80 } ]\n";
    let mut world = world(&[("cart", "app: cart")]);
    world.apply(&pod("one", "app: cart", "10.0.0.1", "True")).compile();

    let sliced = world.apply(slice).compile().config;
    let back = world.remove("EndpointSlice", "default/cart-1").compile().config;

    assert_eq!(endpoints(&sliced, "cart"), ["10.9.9.9:80"]);
    assert_eq!(endpoints(&back, "cart"), ["10.0.0.1:8000"]);
}

#[test]
fn a_change_of_a_pod_touches_no_route_and_no_other_destination() {
    let mut world = world(&[("cart", "app: cart"), ("till", "app: till")]);
    world.apply(&pod("one", "app: cart", "10.0.0.1", "True")).apply(&pod(
        "two",
        "app: till",
        "10.0.0.2",
        "True",
    ));
    let before = world.compile().config;

    let after = world.apply(&pod("one", "app: cart", "10.0.0.3", "True")).compile().config;
    let told_more = pod("one", "app: cart", "10.0.0.3", "True").replace("podIP", "hostIP: 192.0.2.1, podIP");
    let same = world.apply(&told_more).compile().config;

    assert!(Arc::ptr_eq(&before.ports[0], &after.ports[0]), "the whole port is the same");
    assert!(Arc::ptr_eq(cluster(&before, "till"), cluster(&after, "till")));
    assert!(!Arc::ptr_eq(cluster(&before, "cart"), cluster(&after, "cart")));
    assert!(Arc::ptr_eq(cluster(&after, "cart"), cluster(&same, "cart")), "nothing that counts has changed");
}
