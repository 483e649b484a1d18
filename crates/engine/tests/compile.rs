//! What a compiler promises over many compiles: what did not change is shared, numbers keep their meaning, and
//! the order in which things came makes no difference.

mod support;

use std::sync::Arc;

use engine::config::{Action, ClusterSlot, Config, Rule, Target};
use engine::matching::{HostPattern, HostTable};
use engine::status::{ConditionType, ObjectStatus, Reason};
use engine::{RequestView, Verdict};
use proptest::prelude::*;
use serde_json::Value;
use support::{BASE, World, route};

fn host(config: &Config, name: &str) -> Arc<HostTable> {
    let (_, listener) = config.ports[0].table().expect("requests").listeners().sorted().remove(0);
    listener.hosts.at(&HostPattern::new(Some(name))).unwrap_or_else(|| panic!("no host {name}")).clone()
}

fn ask<'c>(config: &'c Config, host: &str, path: &str) -> Option<&'c Rule> {
    let headers: [(String, String); 0] = [];
    let view = RequestView {
        method: b"GET",
        host: host.as_bytes(),
        path: path.as_bytes(),
        query: None,
        headers: headers.as_slice(),
    };
    match config.ports[0].table().expect("requests").find(&view, None) {
        Verdict::Rule(rule) => Some(rule),
        Verdict::NoMatch | Verdict::Misdirected => None,
    }
}

fn cluster_of(rule: &Rule) -> ClusterSlot {
    match &rule.action {
        Action::Forward(backends) => match &backends.choices[0].target {
            Target::Cluster(slot) => *slot,
            other @ (Target::Invalid { .. } | Target::Redirect(_)) => panic!("leads to {other:?}"),
        },
        other @ (Action::Redirect(_) | Action::Answer(_) | Action::Mock(_) | Action::Refuse { .. }) => {
            panic!("does {other:?}")
        }
    }
}

fn reason(world: &mut World, place: &str, kind: ConditionType) -> Reason {
    let compiled = world.compile();
    let object = compiled.conditions.iter().find(|o| o.resource.key.to_string() == place).expect(place);
    let ObjectStatus::Gateway(status) = &*object.status else { panic!("{place} is no Gateway") };
    let conditions = &status.listeners[0].conditions;
    conditions.iter().find(|condition| condition.kind == kind).unwrap().reason
}

#[test]
fn an_edit_of_one_route_leaves_all_other_hosts_as_they_are() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("a", "a.example", "/")).apply(&route("b", "b.example", "/"));
    let before = world.compile().config;

    let after = world.apply(&route("a", "a.example", "/new")).compile().config;

    assert!(!Arc::ptr_eq(&host(&before, "a.example"), &host(&after, "a.example")));
    assert!(Arc::ptr_eq(&host(&before, "b.example"), &host(&after, "b.example")));
    assert!(Arc::ptr_eq(&before.clusters[0].clone().unwrap(), &after.clusters[0].clone().unwrap()));
    assert!(ask(&after, "a.example", "/old").is_none());
    assert!(ask(&after, "a.example", "/new").is_some());
    assert!(after.epoch > before.epoch);
}

#[test]
fn a_policy_for_one_route_leaves_all_other_hosts_as_they_are() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("a", "a.example", "/")).apply(&route("b", "b.example", "/"));
    let before = world.compile().config;

    let after = world.apply(RESILIENCE).compile().config;
    let edited = world.apply(&RESILIENCE.replace("attempts: 4", "attempts: 5")).compile().config;

    let attempts = |config: &Config, host: &str| {
        ask(config, host, "/").expect("a rule").retry.as_ref().map(|retry| retry.attempts)
    };
    assert_eq!((attempts(&before, "a.example"), attempts(&after, "a.example")), (None, Some(4)));
    assert_eq!(attempts(&edited, "a.example"), Some(5));
    assert!(Arc::ptr_eq(&host(&before, "b.example"), &host(&after, "b.example")));
    assert!(Arc::ptr_eq(&host(&before, "b.example"), &host(&edited, "b.example")));
    assert!(Arc::ptr_eq(before.clusters[0].as_ref().unwrap(), after.clusters[0].as_ref().unwrap()));
}

const RESILIENCE: &str = "
apiVersion: policy.selvedge.dev/v1alpha1
kind: ResiliencePolicy
metadata: { name: again }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: a }]
  retries: { attempts: 4 }
";

#[test]
fn a_change_of_endpoints_touches_no_route() {
    let mut world = World::new();
    let before = world.apply(BASE).apply(&route("a", "a.example", "/")).compile().config;

    let slice = BASE.split("---").last().unwrap().replace("10.0.0.1", "10.0.0.2");
    let after = world.apply(&slice).compile().config;

    assert!(Arc::ptr_eq(&before.ports[0], &after.ports[0]), "the whole port is the same");
    let slot = cluster_of(ask(&after, "a.example", "/").unwrap());
    let (old, new) = (before.cluster(slot).unwrap(), after.cluster(slot).unwrap());
    assert_eq!(new.endpoints[0].address.to_string(), "10.0.0.2:8000");
    assert_ne!(old.endpoints, new.endpoints);
}

#[test]
fn nothing_changed_means_everything_is_shared() {
    let mut world = World::new();
    let before = world.apply(BASE).apply(&route("a", "a.example", "/")).compile().config;

    let after = world.compile().config;

    assert!(Arc::ptr_eq(&before.ports[0], &after.ports[0]));
    assert!(Arc::ptr_eq(before.clusters[0].as_ref().unwrap(), after.clusters[0].as_ref().unwrap()));
}

#[test]
fn what_only_moves_down_its_file_is_shared_and_told_with_its_new_lines() {
    let secured = TLS.replace("name: edge", "name: safe");
    let text = format!("{BASE}---{secured}---\n{}\n---{}", secret("good"), route("a", "a.example", "/"));
    let source = |config: &Config| config.sources.of(ask(config, "a.example", "/").unwrap()).unwrap();
    let line = |config: &Config| source(config).strip_prefix("in.yaml:").unwrap().parse::<u32>().unwrap();
    let mut world = World::new();
    let before = world.apply(&text).compile();

    let after = world.apply(&format!("# one\n# two\n{text}")).compile();

    let (old, new) = (before.config, after.config);
    assert_eq!(line(&new), line(&old) + 2, "and the config before still tells its own lines");
    assert!(old.ports.iter().zip(&new.ports).all(|(old, new)| Arc::ptr_eq(old, new)));
    assert!(Arc::ptr_eq(old.clusters[0].as_ref().unwrap(), new.clusters[0].as_ref().unwrap()));
    assert_eq!(world.words.pairs_read, 1, "a Secret that moved is not read again");
    let told = |conditions: &engine::Conditions| {
        let sources = conditions.iter().filter_map(|object| object.resource.source.clone());
        sources.map(|source| source.line).collect::<Vec<_>>()
    };
    let below: Vec<u32> = told(&before.conditions).iter().map(|line| line + 2).collect();
    assert_eq!(told(&after.conditions), below);
}

#[test]
fn a_slot_means_the_same_for_ever_and_is_given_to_nobody_else() {
    let mut world = World::new();
    let first = world.apply(BASE).apply(&route("a", "a.example", "/")).compile().config;
    let rule = ask(&first, "a.example", "/").unwrap();
    let (rule_slot, cluster_slot) = (rule.slot, cluster_of(rule));

    let without = world.remove("HTTPRoute", "default/a").compile().config;
    let other = BASE.replace("name: cart,", "name: till,").replace("name: cart }", "name: till }");
    let other =
        world.apply(&other).apply(&route("z", "z.example", "/").replace("cart", "till")).compile().config;
    let again = world.apply(&route("a", "a.example", "/")).compile().config;

    assert!(without.cluster(cluster_slot).is_none(), "a cluster without routes is not in use");
    let stranger = ask(&other, "z.example", "/").unwrap();
    assert!(stranger.slot != rule_slot && cluster_of(stranger) != cluster_slot);
    let back = ask(&again, "a.example", "/").unwrap();
    assert_eq!((back.slot, cluster_of(back)), (rule_slot, cluster_slot));
}

#[test]
fn a_named_rule_keeps_its_slot_when_another_is_put_before_it() {
    let rules = |text: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: a }}\nspec:\n  parentRefs: \
             [ {{ name: edge }} ]\n  rules:\n{text}"
        )
    };
    let rule = |name: &str| {
        format!(
            "  - {{ name: {name}, matches: [ {{ path: {{ value: /{name} }} }} ], backendRefs: [ {{ name: cart, port: 80 }} ] }}\n"
        )
    };
    let mut world = World::new();
    let before = world.apply(BASE).apply(&rules(&rule("kept"))).compile().config;

    let after = world.apply(&rules(&(rule("new") + &rule("kept")))).compile().config;

    assert_eq!(ask(&before, "h", "/kept").unwrap().slot, ask(&after, "h", "/kept").unwrap().slot);
    assert_ne!(ask(&after, "h", "/new").unwrap().slot, ask(&after, "h", "/kept").unwrap().slot);
}

const TLS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners:
  - { name: tls, port: 8443, protocol: HTTPS, tls: { certificateRefs: [ { name: pair } ] } }
";

fn secret(content: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: pair }}\ntype: kubernetes.io/tls\nstringData: {{ tls.crt: {content}, tls.key: k }}"
    )
}

#[test]
fn a_broken_secret_is_told_and_its_last_good_pair_is_served() {
    let mut world = World::new();
    world.apply(BASE).apply(TLS).apply(&secret("good"));
    assert_eq!(reason(&mut world, "Gateway/default/edge", ConditionType::ResolvedRefs), Reason::ResolvedRefs);

    world.apply(&secret("broken"));

    assert_eq!(
        reason(&mut world, "Gateway/default/edge", ConditionType::ResolvedRefs),
        Reason::InvalidCertificateRef
    );
    assert_eq!(reason(&mut world, "Gateway/default/edge", ConditionType::Programmed), Reason::Programmed);
    let config = world.compile().config;
    let engine::config::Security::Tls(tls) = &config.ports[0].security else { panic!("no TLS") };
    assert_eq!(tls.hosts[0].certificates.len(), 1);
    assert_eq!(world.words.pairs_read, 2, "a Secret is read once a version");
}

#[test]
fn client_certificates_that_cannot_be_verified_keep_the_listener_closed() {
    let asking = TLS.replace(
        "  listeners:",
        "  tls: { frontend: { default: { validation: { caCertificateRefs: [ { group: '', kind: ConfigMap, name: ca } ] } } } }\n  listeners:",
    );
    let mut world = World::new();
    world.apply(BASE).apply(&asking).apply(&secret("good"));

    assert_eq!(
        reason(&mut world, "Gateway/default/edge", ConditionType::Accepted),
        Reason::NoValidCACertificate
    );
    assert!(world.compile().config.ports.is_empty());
}

#[test]
fn a_missing_service_is_500_and_one_without_endpoints_is_not() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("a", "a.example", "/"));
    let empty = world.remove("EndpointSlice", "default/cart-1").compile().config;
    let slot = cluster_of(ask(&empty, "a.example", "/").unwrap());
    assert!(empty.cluster(slot).unwrap().endpoints.is_empty());

    let missing = world.remove("Service", "default/cart").compile().config;

    let Action::Forward(backends) = &ask(&missing, "a.example", "/").unwrap().action else {
        panic!("no backends")
    };
    assert!(matches!(backends.choices[0].target, Target::Invalid { reason: "backend_not_found" }));
    let back = world.apply(BASE).compile().config;
    assert_eq!(cluster_of(ask(&back, "a.example", "/").unwrap()), slot);
}

#[test]
fn a_grant_that_comes_or_goes_takes_effect() {
    let far = route("a", "a.example", "/").replace("{ name: cart,", "{ name: cart, namespace: far,");
    let service = "apiVersion: v1\nkind: Service\nmetadata: { name: cart, namespace: far }\nspec: { ports: [ { port: 80 } ] }";
    let grant = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: open, namespace: far }
spec:
  from: [ { group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default } ]
  to: [ { group: '', kind: Service } ]
";
    let permitted = |config: &Config| {
        let Action::Forward(backends) = &ask(config, "a.example", "/").unwrap().action else {
            panic!("no backends")
        };
        matches!(backends.choices[0].target, Target::Cluster(_))
    };
    let mut world = World::new();
    assert!(!permitted(&world.apply(BASE).apply(service).apply(&far).compile().config));
    assert!(permitted(&world.apply(grant).compile().config));
    assert!(!permitted(&world.remove("ReferenceGrant", "far/open").compile().config));
}

#[test]
fn a_grant_for_a_certificate_takes_effect_when_it_comes_and_when_it_goes() {
    let grant = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: open, namespace: vault }
spec:
  from: [ { group: gateway.networking.k8s.io, kind: Gateway, namespace: default } ]
  to: [ { group: '', kind: Secret } ]
";
    let mut world = World::new();
    world.apply(BASE).apply(&TLS.replace("{ name: pair }", "{ name: pair, namespace: vault }"));
    world.apply(&secret("good").replace("{ name: pair }", "{ name: pair, namespace: vault }"));
    let mut told = || reason(&mut world, "Gateway/default/edge", ConditionType::ResolvedRefs);
    assert_eq!(told(), Reason::RefNotPermitted);

    world.apply(grant);
    assert_eq!(reason(&mut world, "Gateway/default/edge", ConditionType::ResolvedRefs), Reason::ResolvedRefs);

    world.remove("ReferenceGrant", "vault/open");
    assert_eq!(
        reason(&mut world, "Gateway/default/edge", ConditionType::ResolvedRefs),
        Reason::RefNotPermitted
    );
}

#[test]
fn a_label_of_a_namespace_lets_its_routes_in_and_out() {
    let gateway = BASE.replace(
        "protocol: HTTP }",
        "protocol: HTTP, allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { edge: yes } } } } }",
    );
    let gateway = gateway.replace("edge: yes", "edge: 'yes'");
    let namespace = |labels: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: default, labels: {{ {labels} }} }}")
    };
    let mut world = World::new();
    let closed = world.apply(&gateway).apply(&route("a", "a.example", "/")).compile().config;
    let open = world.apply(&namespace("edge: 'yes'")).compile().config;
    let closed_again = world.apply(&namespace("")).compile().config;

    let answers = [&closed, &open, &closed_again].map(|config| ask(config, "a.example", "/").is_some());
    assert_eq!(answers, [false, true, false]);
}

#[test]
fn an_address_that_could_not_be_bound_is_written_into_the_status() {
    let mut compiled = World::new().apply(BASE).compile();
    let gateway =
        compiled.conditions.iter().find(|o| *o.resource.key.kind == *"Gateway").unwrap().resource.key.clone();

    compiled.conditions.address_not_usable(&gateway, Vec::new(), "127.0.0.1:8080 is in use");

    let Some(ObjectStatus::Gateway(status)) = compiled.conditions.get(&gateway) else { panic!("no status") };
    let told: Vec<_> = status.conditions.iter().map(|c| (c.kind, c.reason)).collect();
    assert!(told.contains(&(ConditionType::Programmed, Reason::AddressNotUsable)), "{told:?}");
    assert!(!told.contains(&(ConditionType::Programmed, Reason::Programmed)) && status.addresses.is_empty());
    assert!(!compiled.conditions.all_good());
}

// === any order, the same result ===

/// Documents of which some replace others.
fn pool() -> Vec<String> {
    let documents = |text: &str| text.split("\n---\n").map(str::to_owned).collect::<Vec<_>>();
    let mut pool: Vec<String> = [
        "hello",
        "hosts",
        "references",
        "tls",
        "filters",
        "endpoints",
        "pods",
        "client-certificates-shared",
        "backend-tls",
        "allowed-routes",
        "conflicts",
    ]
    .iter()
    .flat_map(|case| {
        let root = env!("CARGO_MANIFEST_DIR");
        documents(&std::fs::read_to_string(format!("{root}/tests/golden/{case}/in.yaml")).unwrap())
    })
    .collect();
    pool.extend(documents(BASE));
    pool.extend([
        route("a", "a.example", "/"),
        route("a", "b.example", "/"),
        route("b", "'*.example'", "/b"),
    ]);
    pool.extend([TLS.to_owned(), secret("good"), secret("good-too")]);
    pool
}

/// The config without the numbers that depend on history.
fn comparable(config: &Config) -> Value {
    let mut dump = engine::dump::dump(config);
    let names =
        config.clusters.iter().map(|cluster| cluster.as_ref().map(|cluster| cluster.name.to_string()));
    let names: Vec<Option<String>> = names.collect();
    plain(&mut dump, &names);
    if let Some(clusters) = dump["clusters"].as_array_mut() {
        clusters.sort_by_key(|cluster| cluster["name"].to_string());
    }
    dump
}

fn plain(value: &mut Value, names: &[Option<String>]) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| key != "slot" && key != "epoch");
            if let Some(slot) = map.get("cluster").and_then(Value::as_u64) {
                let name =
                    names[usize::try_from(slot).unwrap()].clone().expect("rules lead to clusters in use");
                map.insert("cluster".to_owned(), name.into());
            }
            map.values_mut().for_each(|value| plain(value, names));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| plain(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn statuses(compiled: &engine::Compiled) -> Vec<(String, Value)> {
    let object = |object: &engine::status::ObjectConditions| {
        (object.resource.key.to_string(), serde_json::to_value(&*object.status).unwrap())
    };
    compiled.conditions.iter().map(object).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Apply(usize),
    Move(usize),
    Remove(usize),
    Compile,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..1000).prop_map(Step::Apply),
        2 => (0_usize..1000).prop_map(Step::Move),
        2 => (0_usize..1000).prop_map(Step::Remove),
        3 => Just(Step::Compile),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compiling_step_by_step_ends_where_compiling_at_once_does(
        start in prop::collection::vec(any::<bool>(), 300),
        steps in steps(),
    ) {
        let pool = pool();
        let mut world = World::new();
        for (text, _) in pool.iter().zip(start).filter(|(_, taken)| *taken) {
            world.apply(text);
        }
        world.compile();
        for step in steps {
            match step {
                Step::Apply(n) => { world.apply(&pool[n % pool.len()]); }
                Step::Move(n) => { world.apply(&format!("#\n#\n{}", pool[n % pool.len()])); }
                Step::Remove(n) => {
                    let keys: Vec<_> = world.resources.iter().map(|resource| resource.key.clone()).collect();
                    if !keys.is_empty() {
                        world.resources.remove(&keys[n % keys.len()]);
                    }
                }
                Step::Compile => { world.compile(); }
            }
        }
        let stepwise = world.compile();
        let mut fresh = World::new();
        fresh.resources = world.resources.clone();
        let at_once = fresh.compile();

        prop_assert_eq!(comparable(&stepwise.config), comparable(&at_once.config));
        prop_assert_eq!(statuses(&stepwise), statuses(&at_once));
    }
}
