//! The examples of `docs/resilience.md` are accepted as they stand, and do what the page says.

mod support;

use engine::config::{Abort, Action, Rule, Target};
use engine::{RequestView, Verdict};
use support::World;

const AROUND: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: selvedge}
spec: {controllerName: selvedge.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: selvedge
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - name: checkout
    matches: [{path: {type: PathPrefix, value: /checkout}}]
    backendRefs: [{name: cart, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: cart, port: 80}]
";

fn rule<'c>(config: &'c engine::Config, path: &str) -> &'c Rule {
    let headers: [(String, String); 0] = [];
    let (method, path) = (&b"GET"[..], path.as_bytes());
    let view = RequestView { method, host: b"a.example", path, query: None, headers: headers.as_slice() };
    match config.ports[0].table().expect("requests").find(&view, None) {
        Verdict::Rule(rule) => rule,
        Verdict::NoMatch | Verdict::Misdirected => panic!("no rule"),
    }
}

#[test]
fn the_examples_of_the_page_are_good_and_mean_what_it_says() {
    let page = include_str!("../../../docs/resilience.md");
    let examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut world = World::new();
    world.apply(AROUND);
    let mut count = 0;
    for example in examples {
        world.apply(example);
        count += 1;
    }

    let compiled = world.compile();

    assert_eq!(count, 3, "every example of the page");
    assert!(compiled.conditions.all_good(), "{}", compiled.conditions);
    let attempts = |path| rule(&compiled.config, path).retry.as_ref().map(|retry| retry.attempts);
    assert_eq!((attempts("/checkout"), attempts("/")), (Some(0), None));
    let Action::Forward(backends) = &rule(&compiled.config, "/").action else { panic!("it forwards") };
    let Target::Cluster(slot) = backends.choices[0].target else { panic!("it leads to a cluster") };
    let said =
        compiled.config.cluster(slot).and_then(|cluster| cluster.resilience.clone()).expect("policies");
    assert_eq!(said.retry.as_ref().map(|retry| (retry.attempts, retry.budget.percent)), Some((2, 20)));
    assert_eq!(said.fault.as_ref().and_then(|fault| fault.abort), Some((Abort::Status(503), 10)));
    assert_eq!(said.limits.endpoint_requests, Some(50));
    assert_eq!(said.overflow_percent, Some(70));
}
