//! One table of rules seen with two pairs of eyes (B2): a Gateway's listener and a caller's sidecar find the same rule for
//! every request, and make the same of it. And one set of policies at two doors: in front of a Service, and at the
//! sidecar of its workload.

mod support;

use std::sync::Arc;

use engine::authorization::{Authorization, Destination, Source};
use engine::config::{Action, Config, Rule, Target};
use engine::{Perspective, RequestView, Verdict};
use model::spiffe::SpiffeId;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::World;

const BASE: &str = "
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
  listeners: [{ name: http, port: 8080, protocol: HTTP }]
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
---
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: b }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: { name: web-1 }
spec: { address: 10.0.0.1, serviceAccount: web }
";

fn beside(workload: &str) -> Perspective {
    Perspective::Sidecar { namespace: "default".into(), workload: workload.into() }
}

fn compiled(perspective: Perspective, documents: &[Value]) -> Arc<Config> {
    let mut world = World::new();
    if perspective != Perspective::Gateways {
        world.see_as(perspective);
    }
    world.apply(BASE);
    for document in documents {
        world.apply(&document.to_string());
    }
    world.compile().config
}

/// A request that is asked.
#[derive(Clone, Debug)]
struct Ask {
    method: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    headers: Vec<(String, String)>,
}

impl Ask {
    fn view(&self) -> RequestView<'_, &[(String, String)]> {
        RequestView {
            method: self.method.as_bytes(),
            host: b"any.example",
            path: self.path.as_bytes(),
            query: self.query.map(str::as_bytes),
            headers: self.headers.as_slice(),
        }
    }
}

/// What a rule is and does, without the numbers that each proxy gives out for itself.
fn meaning(rule: &Rule, config: &Config) -> String {
    let target = |target: &Target| match target {
        Target::Cluster(slot) => {
            config.cluster(*slot).map_or_else(String::new, |found| found.name.to_string())
        }
        Target::Redirect(redirect) => format!("{redirect:?}"),
        Target::Invalid { reason } => (*reason).to_owned(),
    };
    let action = match &rule.action {
        Action::Forward(backends) => {
            let choices = backends.choices.iter();
            let shown =
                choices.map(|one| format!("{} {} {:?}", one.weight, target(&one.target), one.filters));
            format!("{} of {:?}", shown.collect::<Vec<_>>().join(", "), backends.weight_total)
        }
        Action::Redirect(redirect) => format!("{redirect:?}"),
        Action::Refuse { status, reason } => format!("{status} {reason}"),
        Action::Answer(_) | Action::Mock(_) => unreachable!("these tables have no APIs"),
    };
    // Who may ask is asked at other places on the two ways, and compared below.
    let Rule { slot: _, origin, filters, action: _, timeouts, retry, fault, authorization: _, .. } = rule;
    format!("{origin:?} {filters:?} {action} {timeouts:?} {retry:?} {fault:?}")
}

fn found(config: &Config, port: usize, ask: &Ask) -> Option<String> {
    let table = config.ports[port].table().expect("requests");
    match table.find(&ask.view(), None) {
        Verdict::Rule(rule) => Some(meaning(rule, config)),
        Verdict::NoMatch => None,
        Verdict::Misdirected => panic!("nobody named another host"),
    }
}

/// The port of the sidecar at which Service `a` is called.
fn called(config: &Config) -> usize {
    let name = config.names.iter().find(|name| *name.service == *"a").expect("it can be called");
    let at = (name.virtual_address, name.ports[0].open_at);
    let is = |port: &Arc<engine::config::Port>| {
        port.address.ip == std::net::IpAddr::V4(at.0) && port.address.port == at.1
    };
    config.ports.iter().position(is).expect("it is listened on")
}

fn pick<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(values)
}

const PATHS: &[&str] = &["/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/A"];
const METHODS: &[&str] = &["GET", "POST", "HEAD", "DELETE"];

fn a_match() -> impl Strategy<Value = Value> {
    let path = (pick(&["Exact", "PathPrefix", "RegularExpression"]), pick(PATHS));
    let pair = |names: &'static [&'static str]| (pick(names), pick(&["1", "2", "a,b"]));
    let parts = (
        prop::option::weighted(0.8, path),
        prop::option::weighted(0.3, pick(METHODS)),
        prop::option::weighted(0.3, pair(&["x-a", "X-B"])),
        prop::option::weighted(0.3, pair(&["q", "r"])),
    );
    parts.prop_map(|(path, method, header, query)| {
        let mut one = json!({});
        if let Some((kind, value)) = path {
            one["path"] = json!({ "type": kind, "value": value });
        }
        if let Some(method) = method {
            one["method"] = json!(method);
        }
        if let Some((name, value)) = header {
            one["headers"] = json!([{ "name": name, "value": value }]);
        }
        if let Some((name, value)) = query {
            one["queryParams"] = json!([{ "name": name, "value": value }]);
        }
        one
    })
}

/// What a rule does: backends with filters and bounds, or a redirect, or nothing that works.
fn deed() -> impl Strategy<Value = Value> {
    let backends = |list: Value| json!({ "backendRefs": list });
    prop_oneof![
        Just(backends(json!([{ "name": "a", "port": 80 }]))),
        Just(backends(
            json!([{ "name": "a", "port": 80, "weight": 3 }, { "name": "b", "port": 80, "weight": 0 }])
        )),
        Just(backends(
            json!([{ "name": "b", "port": 80, "weight": 1 }, { "name": "nobody", "port": 80, "weight": 9 }])
        )),
        Just(backends(json!([{ "name": "b", "namespace": "foreign", "port": 80 }]))),
        Just(json!({})),
        Just(
            json!({ "filters": [{ "type": "RequestRedirect", "requestRedirect": { "hostname": "x.example", "port": 1 } }] })
        ),
        Just(json!({
            "backendRefs": [{ "name": "a", "port": 80 }], "timeouts": { "request": "3s", "backendRequest": "1s" },
            "filters": [
                { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "x", "value": "1" }] } },
                { "type": "URLRewrite", "urlRewrite": { "hostname": "y.example" } },
            ],
        })),
        Just(json!({
            "backendRefs": [{ "name": "b", "port": 80, "filters": [
                { "type": "ResponseHeaderModifier", "responseHeaderModifier": { "remove": ["server"] } },
            ] }],
            "retry": { "codes": [503], "attempts": 2, "backoff": "10ms" },
        })),
    ]
}

/// Routes with both parents, some of them with a policy that speaks of them.
fn routes() -> impl Strategy<Value = Vec<Value>> {
    let rule = (prop::collection::vec(a_match(), 0..3), deed()).prop_map(|(matches, mut rule)| {
        if !matches.is_empty() {
            rule["matches"] = matches.into();
        }
        rule
    });
    let route = (prop::collection::vec(rule, 1..4), pick(&[0_u8, 1, 2]));
    prop::collection::vec(route, 1..4).prop_map(|routes| {
        let mut documents = Vec::new();
        for (number, (rules, more)) in routes.into_iter().enumerate() {
            let name = format!("r{number}");
            documents.push(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": name },
                "spec": {
                    "parentRefs": [{ "name": "edge" }, { "group": "", "kind": "Service", "name": "a", "port": 80 }],
                    "rules": rules,
                },
            }));
            let spec = match more {
                1 => ("ResiliencePolicy", json!({ "timeouts": { "attempt": "7s" }, "retries": { "attempts": 3 } })),
                2 => ("FaultPolicy", json!({ "abort": { "status": 503, "percent": 50 } })),
                _ => continue,
            };
            let (kind, mut spec) = spec;
            spec["targetRefs"] = json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name }]);
            documents.push(json!({
                "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
            }));
        }
        documents
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let headers = prop::collection::vec((pick(&["x-a", "x-b"]), pick(&["1", "2", "a,b", ""])), 0..3);
    (pick(METHODS), pick(PATHS), prop::option::of(pick(&["q=1", "r=2", "q=2&q=1", "q"])), headers).prop_map(
        |(method, path, query, headers)| {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            Ask { method, path, query, headers: headers.into_iter().map(owned).collect() }
        },
    )
}

/// Policies for the Service `own`.
fn policies() -> impl Strategy<Value = Vec<Value>> {
    let from = pick(&[
        r#"{"identities":["*/sa/web"]}"#,
        r#"{"namespaces":["shop"]}"#,
        r#"{"ipBlocks":["10.0.0.0/8"]}"#,
        r#"{"notIpBlocks":["10.1.0.0/16"]}"#,
        r#"{"workloads":["shop/*"]}"#,
    ]);
    let to = pick(&[
        r#"{"methods":["GET"]}"#,
        r#"{"paths":["/a/*"]}"#,
        r#"{"notPaths":["/a"]}"#,
        r#"{"hosts":["any.example"]}"#,
    ]);
    let when = pick(&[r#"{"header":"x-a","values":["1"]}"#, r#"{"header":"x-b","notValues":["2"]}"#]);
    let list = |text: &'static str| json!([serde_json::from_str::<Value>(text).expect("JSON")]);
    let rule = (prop::option::of(from), prop::option::of(to), prop::option::weighted(0.3, when));
    let rule = rule.prop_map(move |(from, to, when)| {
        let mut rule = json!({});
        for (name, text) in [("from", from), ("to", to), ("when", when)] {
            if let Some(text) = text {
                rule[name] = list(text);
            }
        }
        rule
    });
    let policy = (pick(&["Allow", "Deny", "Audit"]), prop::collection::vec(rule, 1..3));
    prop::collection::vec(policy, 1..4).prop_map(|policies| {
        let documents = policies.into_iter().enumerate().map(|(number, (action, rules))| {
            json!({
                "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
                "metadata": { "name": format!("p{number}") },
                "spec": {
                    "targetRefs": [{ "group": "", "kind": "Service", "name": "own" }],
                    "action": action, "rules": rules,
                },
            })
        });
        documents.collect()
    })
}

/// The Service `own`; with a workload behind it that has a sidecar, or with an address of nobody's.
fn own(with_sidecar: bool) -> Vec<Value> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "own" },
        "spec": { "selector": { "app": "own" }, "ports": [{ "name": "http", "port": 80 }] },
    });
    let mut workload = json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": "own-1", "labels": { "app": "own" } },
        "spec": { "address": "10.0.0.2", "serviceAccount": "own", "ports": [{ "name": "http", "port": 80, "protocol": "HTTP", "targetPort": 3000 }] },
    });
    if with_sidecar {
        workload["spec"]["sidecar"] = json!({});
    }
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "own" },
        "spec": { "parentRefs": [{ "name": "edge" }], "rules": [{ "backendRefs": [{ "name": "own", "port": 80 }] }] },
    });
    vec![service, workload, route]
}

fn authorization(config: &Config, port: u16) -> Option<Arc<Authorization>> {
    let port = config.ports.iter().find(|found| found.address.port == port).expect("a port");
    let carries = match &port.security {
        engine::config::Security::Mesh(mesh) => &mesh.services["80.own.default.svc.bank.example"].carries,
        engine::config::Security::Plain | engine::config::Security::Tls(_) => &port.carries,
    };
    let listeners = carries.table().expect("requests").listeners().sorted();
    let hosts = listeners[0].1.hosts.sorted();
    hosts[0].1.entries().next().expect("a rule").rule.authorization.clone()
}

/// Whether somebody may, which policy and rule said so, and which only wanted to be told.
fn decided(authorization: Option<&Arc<Authorization>>, source: &Source<'_>, ask: &Ask) -> String {
    let Some(authorization) = authorization else { return "nobody asks".to_owned() };
    let destination = Destination { port: 80, server_name: None };
    let verdict = authorization.request(source, &destination, &ask.view());
    let said = |decision: &engine::authorization::Decision<'_>| {
        let rule = decision.rule.map_or("none", |rule| &*rule.name);
        format!("{} {rule} {:?}", decision.policy.name, decision.fault)
    };
    let (by, audits) = (verdict.by.as_ref().map(said), verdict.audits.iter().map(said).collect::<Vec<_>>());
    format!("{} {by:?} {audits:?} {}", verdict.allowed, verdict.enforced)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_gateway_and_a_callers_sidecar_find_the_same_rule_for_every_request(
        documents in routes(),
        asks in prop::collection::vec(ask(), 32),
    ) {
        let gateway = compiled(Perspective::Gateways, &documents);
        let sidecar = compiled(beside("web-1"), &documents);
        let port = called(&sidecar);
        for ask in &asks {
            prop_assert_eq!(found(&gateway, 0, ask), found(&sidecar, port, ask), "{:?}", ask);
        }
    }

    #[test]
    fn policies_of_a_service_say_the_same_in_front_of_it_and_beside_its_workload(
        policies in policies(),
        asks in prop::collection::vec(ask(), 16),
        callers in prop::collection::vec((
            prop::option::of(pick(&["10.0.0.9", "10.1.0.9", "192.0.2.1"])),
            prop::option::of(pick(&["spiffe://bank.example/ns/shop/sa/web", "spiffe://other.example/ns/shop/sa/web"])),
            prop::option::of(pick(&["shop/web-1", "bank/x-1"])),
        ), 4),
    ) {
        let with = |sidecar: bool| own(sidecar).into_iter().chain(policies.iter().cloned()).collect::<Vec<_>>();
        let gateway = compiled(Perspective::Gateways, &with(false));
        let sidecar = compiled(beside("own-1"), &with(true));
        let (front, door, plain) =
            (authorization(&gateway, 8080), authorization(&sidecar, 15443), authorization(&sidecar, 80));
        for (address, identity, replica) in &callers {
            let identity: Option<SpiffeId> = identity.map(|text| text.parse().expect("an identity"));
            let address = address.map(|text| text.parse().expect("an address"));
            let source = Source { address, identity: identity.as_ref(), replica: *replica, ..Source::default() };
            for ask in &asks {
                let said = decided(front.as_ref(), &source, ask);
                prop_assert_eq!(&said, &decided(door.as_ref(), &source, ask), "the door of the mesh, {:?}", ask);
                prop_assert_eq!(&said, &decided(plain.as_ref(), &source, ask), "the plain door, {:?}", ask);
            }
        }
    }
}
