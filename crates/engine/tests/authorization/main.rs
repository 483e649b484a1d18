//! The compiled policies against a second evaluator that is written straight from docs/authorization.md: slowly, with
//! owned text and no cleverness. Where the two differ, one of them does not do what the page says.

mod made;
mod naive;
#[path = "../support/mod.rs"]
mod support;

use std::net::IpAddr;
use std::sync::Arc;

use engine::authorization::{Authorization, Destination, Source};
use engine::config::Rule;
use engine::request::RequestView;
use model::spiffe::SpiffeId;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{BASE, World, route};

/// A request with everything that policies can look at.
#[derive(Clone, Debug)]
struct Ask {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    address: Option<IpAddr>,
    identity: Option<String>,
    replica: Option<String>,
    port: u16,
    server_name: Option<String>,
}

fn policy(name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
    .to_string()
}

/// The rule of the one route, with these policies on it.
fn rule(policies: &[Value]) -> Arc<Rule> {
    let mut world = World::new();
    world.apply(BASE).apply(&route("r", "", "/"));
    for (number, spec) in policies.iter().enumerate() {
        world.apply(&policy(&format!("p{number}"), spec));
    }
    only_rule(&world.compile().config)
}

fn only_rule(config: &engine::Config) -> Arc<Rule> {
    let listeners = config.ports[0].table().expect("requests").listeners().sorted();
    let hosts = listeners[0].1.hosts.sorted();
    hosts[0].1.entries().next().expect("an entry").rule.clone()
}

fn asked(
    authorization: Option<&Authorization>,
    ask: &Ask,
    is_connection: bool,
) -> (bool, Option<String>, usize) {
    let Some(authorization) = authorization else { return (true, None, 0) };
    let identity: Option<SpiffeId> = ask.identity.as_ref().map(|text| text.parse().expect("an id"));
    let source = Source {
        address: ask.address,
        identity: identity.as_ref(),
        replica: ask.replica.as_deref(),
        ..Source::default()
    };
    let destination = Destination { port: ask.port, server_name: ask.server_name.as_deref() };
    let request = RequestView {
        method: ask.method.as_bytes(),
        host: ask.host.as_bytes(),
        path: ask.path.as_bytes(),
        query: None,
        headers: ask.headers.as_slice(),
    };
    let verdict = match is_connection {
        true => authorization.connection(&source, &destination),
        false => authorization.request(&source, &destination, &request),
    };
    (verdict.allowed, verdict.by.map(|by| by.policy.name.to_string()), verdict.audits.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policies_say_what_the_page_says(
        policies in made::policies(),
        asks in prop::collection::vec(made::ask(), 24),
    ) {
        let rule = rule(&policies);
        for ask in &asks {
            for is_connection in [false, true] {
                let (allowed, _, audits) = asked(rule.authorization.as_deref(), ask, is_connection);

                prop_assert_eq!(allowed, naive::allowed(&policies, ask, is_connection), "{:?} {}", ask, is_connection);
                prop_assert_eq!(audits, naive::audits(&policies, ask, is_connection), "{:?}", ask);
            }
        }
    }
}

fn plain() -> Ask {
    Ask {
        method: "GET".into(),
        host: "shop.example".into(),
        path: "/".into(),
        headers: Vec::new(),
        address: Some(IpAddr::from([10, 0, 0, 1])),
        identity: None,
        replica: None,
        port: 8080,
        server_name: None,
    }
}

#[test]
fn an_allow_without_rules_allows_nothing_and_a_deny_with_an_empty_rule_denies_everything() {
    for spec in [json!({ "action": "Allow" }), json!({ "action": "Deny", "rules": [{}] })] {
        let rule = rule(&[spec]);
        assert_eq!(
            asked(rule.authorization.as_deref(), &plain(), false),
            (false, Some("default/p0".into()), 0)
        );
    }
}

fn conditional(action: &str, condition: &str) -> Arc<Rule> {
    rule(&[json!({ "action": action, "rules": [{ "condition": condition }] })])
}

#[test]
fn a_condition_that_cannot_be_evaluated_denies_either_way() {
    let cases = [
        ("request.headers['x-a'] == 'b'", Vec::new()),
        ("request.headers['x-a'].startsWith('b')", vec![]),
        ("int(request.method) > 0", vec![]),
        ("1 / (destination.port - 8080) == 0", vec![]),
        ("source.identity == 'x'", vec![]),
    ];
    for (condition, headers) in cases {
        let ask = Ask { headers, ..plain() };
        for action in ["Allow", "Deny"] {
            let rule = conditional(action, condition);
            let authorization = rule.authorization.as_deref().expect("a policy");
            assert!(!asked(Some(authorization), &ask, false).0, "{action} {condition}");
        }
    }
}

#[test]
fn conditions_see_the_request_the_caller_and_the_destination() {
    let ask = Ask {
        headers: vec![("X-A".into(), "1".into()), ("x-a".into(), "2".into())],
        identity: Some("spiffe://a.example/ns/shop/sa/web".into()),
        replica: Some("shop/web-1".into()),
        server_name: Some("shop.example".into()),
        path: "/items/7".into(),
        ..plain()
    };
    for condition in [
        "request.method == 'GET' && request.host.endsWith('.example') && request.path.matches('^/items/[0-9]+$')",
        "request.headers['x-a'] == '1, 2' && !('x-b' in request.headers) && !has(request.headers.b)",
        "source.identity == 'spiffe://a.example/ns/shop/sa/web' && source.trustDomain == 'a.example'",
        "source.namespace == 'shop' && source.serviceAccount == 'web' && source.workload == 'shop/web-1'",
        "source.address == '10.0.0.1' && destination.port == 8080 && destination.serverName == 'shop.example'",
        "size(request.path) == 8 && (request.method in ['PUT', 'GET'] ? true : false) && !has(request.query)",
    ] {
        assert!(
            asked(conditional("Allow", condition).authorization.as_deref(), &ask, false).0,
            "{condition}"
        );
        assert!(
            !asked(conditional("Deny", condition).authorization.as_deref(), &ask, false).0,
            "{condition}"
        );
    }
}

/// Whether a policy with this condition lets somebody by whose token claims this; nothing of one who has none.
fn lets(action: &str, condition: &str, claims: Option<&Value>) -> bool {
    let rule = conditional(action, condition);
    let claims = claims.and_then(Value::as_object);
    let source = Source { principal: claims.map(|_| "jwt:https://i#kim"), claims, ..Source::default() };
    let headers: [(String, String); 0] = [];
    let request = RequestView {
        method: b"GET",
        host: b"a.example",
        path: b"/",
        query: None,
        headers: headers.as_slice(),
    };
    let destination = Destination { port: 80, server_name: None };
    let authorization = rule.authorization.as_deref().expect("a policy");
    authorization.request(&source, &destination, &request).allowed
}

#[test]
fn conditions_see_what_a_token_claims_and_a_claim_that_is_missing_or_something_else_denies() {
    let claims = json!({
        "tier": "gold", "roles": ["admin", "dev"], "level": 7, "verified": true, "scope": "read write", "team": "blue",
        "mixed": ["a", 1], "object": {}, "half": 1.5,
    });
    for condition in [
        "request.auth.claims['tier'] == 'gold' && request.auth.claims.tier.startsWith('go')",
        "'admin' in request.auth.claims['roles'] && !('root' in request.auth.claims.roles)",
        "request.auth.claims.level >= 7 && request.auth.claims.verified",
        "'write' in request.auth.claims.scope && 'blue' in request.auth.claims.team",
        "has(request.auth.claims.object) && !has(request.auth.claims.nothing) && 'mixed' in request.auth.claims",
        "request.auth.principal == 'jwt:https://i#kim'",
    ] {
        assert!(lets("Allow", condition, Some(&claims)), "{condition}");
        assert!(!lets("Deny", condition, Some(&claims)), "{condition}");
    }
    for condition in [
        "request.auth.claims.missing == 'a'",
        "request.auth.claims.missing != 'a'",
        "request.auth.claims.roles != 'guest'",
        "request.auth.claims.level != 'guest'",
        "request.auth.claims.half > 1",
        "!('a' in request.auth.claims.mixed)",
        "request.auth.claims.object != 'guest'",
    ] {
        for action in ["Allow", "Deny"] {
            assert!(!lets(action, condition, Some(&claims)), "{action} {condition}");
            assert!(!lets(action, condition, None), "{action} {condition} without a token");
        }
    }
}

#[test]
fn names_of_another_mesh_are_somebody_elses() {
    // Without a Mesh every verified name counts; `compile` learns the trust domain from it.
    let allow =
        rule(&[json!({ "rules": [{ "from": [{ "namespaces": ["shop"], "meshes": ["a.example"] }] }] })]);
    let ours = Ask { identity: Some("spiffe://a.example/ns/shop/sa/web".into()), ..plain() };
    let theirs = Ask { identity: Some("spiffe://b.example/ns/shop/sa/web".into()), ..plain() };

    assert!(asked(allow.authorization.as_deref(), &ours, false).0);
    assert!(!asked(allow.authorization.as_deref(), &theirs, false).0);
}

#[test]
fn a_change_of_a_policy_is_felt_by_what_it_protects_and_by_nothing_else() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("one", "one.example", "/")).apply(&route("two", "two.example", "/"));
    let table = |config: &engine::Config, host: &str| {
        let listeners = config.ports[0].table().expect("requests").listeners().sorted();
        let hosts = listeners[0].1.hosts.sorted();
        hosts.into_iter().find(|(name, _)| name.to_string() == host).expect("the host").1.clone()
    };
    let target =
        |route: &str| json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route }]);
    let deny = |route: &str, path: &str| {
        policy(
            "p",
            &json!({ "action": "Deny", "targetRefs": target(route), "rules": [{ "to": [{ "paths": [path] }] }] }),
        )
    };
    let first = world.compile().config;
    let second = world.apply(&deny("one", "/a")).compile().config;
    let third = world.apply(&deny("one", "/b")).compile().config;
    let fourth = world.remove("AuthorizationPolicy", "default/p").compile().config;

    for (before, after) in [(&first, &second), (&second, &third), (&third, &fourth)] {
        assert!(Arc::ptr_eq(&table(before, "two.example"), &table(after, "two.example")));
        assert!(!Arc::ptr_eq(&table(before, "one.example"), &table(after, "one.example")));
    }
    let guarded = |config: &engine::Config, host: &str| {
        table(config, host).entries().all(|entry| entry.rule.authorization.is_some())
    };
    assert!(guarded(&second, "one.example") && !guarded(&second, "two.example"));
    assert!(!guarded(&fourth, "one.example"));
}

#[test]
fn rules_that_are_protected_alike_share_one_value() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("one", "one.example", "/")).apply(&route("two", "two.example", "/"));
    world.apply(&policy("all", &json!({ "action": "Deny", "rules": [{ "to": [{ "paths": ["/x"] }] }] })));
    let config = world.compile().config;

    let listeners = config.ports[0].table().expect("requests").listeners().sorted();
    let values: Vec<_> = listeners[0]
        .1
        .hosts
        .sorted()
        .iter()
        .map(|(_, table)| {
            table.entries().next().expect("an entry").rule.authorization.clone().expect("a policy")
        })
        .collect();

    assert_eq!(values.len(), 2);
    assert!(Arc::ptr_eq(&values[0], &values[1]));
}

#[test]
fn backends_that_are_protected_differently_must_all_agree() {
    let mut world = World::new();
    world.apply(BASE).apply(
        "
apiVersion: v1
kind: Service
metadata: { name: cart-next }
spec: { ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: cart, port: 80, weight: 99 }, { name: cart-next, port: 80, weight: 1 }] }]
",
    );
    let service = |name: &str| json!([{ "group": "", "kind": "Service", "name": name }]);
    let get = json!([{ "to": [{ "methods": ["GET"] }] }]);
    let any = json!([{ "to": [{ "methods": ["GET", "POST"] }] }]);
    world.apply(&policy("now", &json!({ "targetRefs": service("cart"), "rules": any })));
    world.apply(&policy("next", &json!({ "targetRefs": service("cart-next"), "rules": get })));
    let rule = only_rule(&world.compile().config);

    assert!(asked(rule.authorization.as_deref(), &plain(), false).0);
    let post = Ask { method: "POST".into(), ..plain() };
    assert_eq!(asked(rule.authorization.as_deref(), &post, false), (false, Some("default/next".into()), 0));
}

#[test]
fn a_target_that_is_not_there_is_told_and_a_listener_is_a_part_of_its_gateway() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("r", "", "/"));
    let gateway = |section: &str| json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "sectionName": section }]);
    world.apply(&policy("there", &json!({ "action": "Deny", "targetRefs": gateway("http"), "rules": [{}] })));
    world
        .apply(&policy("wrong", &json!({ "action": "Deny", "targetRefs": gateway("https"), "rules": [{}] })));
    world.apply(&policy(
        "mesh",
        &json!({ "action": "Deny", "rules": [{}],
        "targetRefs": [{ "group": "", "kind": "Service", "name": "gone" }] }),
    ));
    let compiled = world.compile();

    let text = compiled.conditions.to_string();
    assert!(text.contains("ok  AuthorizationPolicy default/there"), "{text}");
    assert!(
        text.contains("TargetNotFound: Gateway `default/edge` has no section `https`; there are: http"),
        "{text}"
    );
    assert!(text.contains("TargetNotFound: no Service `default/gone` exists"), "{text}");
    let names: Vec<String> = only_rule(&compiled.config)
        .authorization
        .as_ref()
        .expect("a policy")
        .policies()
        .map(|policy| policy.name.to_string())
        .collect();
    assert_eq!(names, ["default/there"]);
}

#[test]
fn deciding_allocates_nothing_without_a_condition() {
    let rule = rule(&[
        json!({ "action": "Deny", "rules": [{ "from": [{ "notIpBlocks": ["10.0.0.0/8"] }] }, { "to": [{ "paths": ["/admin", "/a/*/b"] }] }] }),
        json!({ "action": "Allow", "rules": [
            { "from": [{ "identities": ["*/sa/web"], "namespaces": ["shop"] }], "when": [{ "header": "x-a", "values": ["a*"] }],
              "to": [{ "methods": ["GET"], "hosts": ["*.example"], "paths": ["/items/*"] }] }] }),
    ]);
    let authorization = rule.authorization.as_deref().expect("policies");
    let identity: SpiffeId = "spiffe://a.example/ns/shop/sa/web".parse().expect("an id");
    let source =
        Source { address: Some(IpAddr::from([10, 0, 0, 1])), identity: Some(&identity), ..Source::default() };
    let destination = Destination { port: 80, server_name: None };
    let headers = [("x-a".to_owned(), "a, ab".to_owned()), ("x-a".to_owned(), "ac".to_owned())];
    let request = RequestView {
        method: b"GET",
        host: b"shop.example",
        path: b"/items/7;x=1",
        query: None,
        headers: headers.as_slice(),
    };

    let mut allowed = false;
    let counted = allocation_counter::measure(|| {
        allowed = authorization.request(&source, &destination, &request).allowed;
    });

    assert!(allowed);
    assert_eq!(counted.count_total, 0);
}
