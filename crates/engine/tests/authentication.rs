//! Which AuthenticationPolicy holds where, which ExternalAuthorizationPolicies are asked where, and what becomes of those that
//! cannot do what they say.

mod support;

use std::sync::Arc;

use engine::authentication::{Authentication, Method, TokenKeys};
use engine::config::Rule;
use engine::status::ObjectStatus;
use serde_json::{Value, json};
use support::{BASE, World, route};

fn policy(namespace: &str, name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
    .to_string()
}

fn secret(name: &str, key: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "policy.selvedge.dev/api-keys",
        "metadata": { "name": name, "namespace": "default" }, "stringData": { "one": key },
    })
    .to_string()
}

fn to(kind: &str, name: &str) -> Value {
    let group = match kind {
        "Service" => "",
        "Mesh" => "mesh.selvedge.dev",
        _ => "gateway.networking.k8s.io",
    };
    json!([{ "group": group, "kind": kind, "name": name }])
}

fn spiffe(targets: Value) -> Value {
    let mut spec = json!({ "methods": [{ "spiffe": {} }] });
    if !targets.is_null() {
        spec["targetRefs"] = targets;
    }
    spec
}

/// The first rule of the one route.
fn rule(world: &mut World) -> Arc<Rule> {
    let config = world.compile().config;
    let listeners = config.ports[0].table().expect("requests").listeners().sorted();
    let hosts = listeners[0].1.hosts.sorted();
    hosts[0].1.entries().next().expect("an entry").rule.clone()
}

fn holding(world: &mut World) -> Option<Arc<Authentication>> {
    rule(world).authentication.clone()
}

fn name(world: &mut World) -> Option<String> {
    holding(world).map(|authentication| authentication.policy.to_string())
}

fn world() -> World {
    let mut world = World::new();
    world.apply(BASE).apply(&route("r", "", "/"));
    world
}

#[test]
fn the_nearest_of_all_policies_holds() {
    let mut world = world();
    assert_eq!(name(&mut world), None);
    let levels = [
        ("selvedge-system", "mesh", Value::Null),
        ("default", "gateway", to("Gateway", "edge")),
        // The Service's namespace too, which is nearer than the Gateway.
        ("default", "namespace", Value::Null),
        ("default", "route", to("HTTPRoute", "r")),
        ("default", "service", to("Service", "cart")),
    ];
    for (namespace, level, targets) in levels {
        world.apply(&policy(namespace, level, &spiffe(targets)));
        assert_eq!(name(&mut world), Some(format!("{namespace}/{level}")));
    }
    let mut strict = spiffe(to("Gateway", "edge"));
    strict["precedence"] = "Override".into();
    world.apply(&policy("default", "gateway", &strict));
    assert_eq!(name(&mut world), Some("default/gateway".into()));
}

#[test]
fn a_policy_that_misses_its_secret_lets_nobody_in_until_it_is_there() {
    let mut world = world();
    let keys =
        json!({ "methods": [{ "apiKey": { "secretRef": { "name": "keys" } } }], "anonymous": "Allow" });
    world.apply(&policy("default", "keys", &keys));

    let without = holding(&mut world).expect("a policy");
    assert!(without.unusable.as_deref().is_some_and(|why| why.contains("Secret `keys`: there is none")));
    let told = world.compile().conditions;
    let told = told.iter().find_map(|object| match &*object.status {
        ObjectStatus::Policy(policy) => Some(policy.ancestors[0].conditions[0].message.clone()),
        _ => None,
    });
    assert!(told.is_some_and(|text| text.contains("nobody is let in")), "the status says so");

    world.apply(&secret("keys", "0123456789abcdef"));
    let with = holding(&mut world).expect("a policy");
    assert_eq!(with.unusable, None);
    let Method::ApiKey(method) = &with.methods[0] else { panic!("keys") };
    let found = method.given.as_ref().and_then(|given| given.find(b"0123456789abcdef"));
    assert_eq!(found.map(|name| &**name), Some("apiKey:one"));
}

#[test]
fn what_did_not_change_stays_the_same_by_pointer() {
    let mut world = world();
    let keys =
        json!({ "methods": [{ "jwt": { "issuer": "a", "jwks": { "uri": "https://a.example/keys" } } }] });
    world.apply(&policy("default", "keys", &keys));
    let first = holding(&mut world).expect("a policy");

    world.apply(&policy("default", "other", &spiffe(to("HTTPRoute", "elsewhere"))));
    let second = holding(&mut world).expect("a policy");

    assert!(Arc::ptr_eq(&first, &second));
    let Method::Jwt(jwt) = &second.methods[0] else { panic!("tokens") };
    let TokenKeys::Remote(source) = &jwt.keys else { panic!("keys of a URL") };
    let config = world.compile().config;
    assert!(Arc::ptr_eq(source, &config.key_sources[0]));
}

#[test]
fn nothing_secret_stands_in_the_dump() {
    let mut world = world();
    let keys = json!({ "methods": [{ "apiKey": { "secretRef": { "name": "keys" } } }] });
    world.apply(&policy("default", "keys", &keys)).apply(&secret("keys", "0123456789abcdef"));

    let config = world.compile().config;

    let dump = engine::dump::dump(&config).to_string();
    assert!(dump.contains("\"policy\":\"default/keys\"") && !dump.contains("0123456789"), "{dump}");
    assert!(!format!("{config:?}").contains("0123456789"));
}

fn asking(namespace: &str, name: &str, targets: Value, backend: Value) -> String {
    let mut spec = json!({ "grpc": { "backendRef": backend } });
    if !targets.is_null() {
        spec["targetRefs"] = targets;
    }
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "ExternalAuthorizationPolicy",
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
    .to_string()
}

fn cart() -> Value {
    json!({ "name": "cart", "port": 80 })
}

/// Names of the policies whose authorizers are asked, in this order.
fn asked(world: &mut World) -> Vec<String> {
    rule(world).authorizers.iter().flat_map(|all| all.iter()).map(|one| one.policy.to_string()).collect()
}

#[test]
fn all_authorizers_are_asked_from_the_widest_to_the_nearest() {
    let mut world = world();
    assert!(asked(&mut world).is_empty());
    for (namespace, level, targets) in [
        ("default", "service", to("Service", "cart")),
        ("default", "route", to("HTTPRoute", "r")),
        ("default", "gateway", to("Gateway", "edge")),
        ("selvedge-system", "mesh", Value::Null),
    ] {
        world.apply(&asking(
            namespace,
            level,
            targets,
            json!({ "name": "cart", "namespace": "default", "port": 80 }),
        ));
    }
    let all = ["selvedge-system/mesh", "default/gateway", "default/route", "default/service"];
    assert_eq!(asked(&mut world), all);
}

#[test]
fn an_authorizer_is_called_over_http2_whatever_its_port_says_and_kept_in_use_by_its_policy() {
    let mut world = world();
    world.apply(&asking("default", "one", to("HTTPRoute", "r"), cart()));

    let config = world.compile().config;
    let authorizer = rule(&mut world).authorizers.as_ref().expect("somebody is asked")[0].clone();
    let cluster = config.cluster(authorizer.cluster.expect("it leads somewhere")).expect("it is in use");

    assert_eq!(&*cluster.name, "Service/default/cart:80/grpc");
    assert_eq!(cluster.protocol, engine::config::UpstreamProtocol::Http2);
    assert_eq!(authorizer.timeout, std::time::Duration::from_millis(200));
    assert!(!authorizer.passes_on_failure && authorizer.status_on_error == 403);
}

#[test]
fn a_policy_whose_authorizer_is_not_there_lets_nobody_in_until_it_is() {
    let mut world = world();
    world.apply(&asking("default", "one", to("HTTPRoute", "r"), json!({ "name": "nobody", "port": 1 })));

    let without = rule(&mut world).authorizers.as_ref().expect("somebody is asked")[0].clone();
    let told = world.compile().conditions;
    let told = told.iter().find_map(|object| match &*object.status {
        ObjectStatus::Policy(policy) => Some(policy.ancestors[0].conditions[0].message.clone()),
        _ => None,
    });

    assert_eq!(without.cluster, None);
    assert!(told.is_some_and(|text| text.contains("no Service `default/nobody` exists; nobody is let in")));
    world.apply(
        &json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "nobody", "namespace": "default" },
            "spec": { "ports": [{ "name": "main", "port": 1 }] },
        })
        .to_string(),
    );
    assert!(rule(&mut world).authorizers.as_ref().expect("somebody is asked")[0].cluster.is_some());

    // Another namespace has to allow it.
    world.apply(&asking(
        "default",
        "one",
        to("HTTPRoute", "r"),
        json!({ "name": "cart", "namespace": "other", "port": 80 }),
    ));
    assert!(rule(&mut world).authorizers.as_ref().expect("somebody is asked")[0].cluster.is_none());
}
