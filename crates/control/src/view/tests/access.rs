//! What policy refuses in any case is not told, and nothing else is left out.

use engine::authorization::{Destination, Source};
use engine::compile::{Inbound, inbound};
use engine::request::RequestView;
use model::kinds::{Service, Workload};
use model::spiffe::SpiffeId;

use super::*;

const WEB: &str = "spiffe://default.mesh.local/ns/shop/sa/web";

fn beside(place: &str) -> Interest {
    Interest::Workload(place.into())
}

fn mesh(action: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "defaultAction": action, "mtls": { "mode": mode } },
    })
}

fn replica(namespace: &str, name: &str, app: &str, sidecar: bool) -> Value {
    let mut spec = json!({ "address": "10.0.0.7", "serviceAccount": app, "ports": [
        { "name": "http", "port": 80, "protocol": "HTTP" },
    ] });
    if sidecar {
        spec["sidecar"] = json!({});
    }
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": app } },
        "spec": spec,
    })
}

fn rule(namespace: &str, name: &str, target: Value, action: &str, rules: Value) -> Value {
    let mut spec = json!({ "action": action, "rules": rules });
    if !target.is_null() {
        spec["targetRefs"] = json!([target]);
    }
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

fn of_service(name: &str) -> Value {
    json!({ "group": "", "kind": "Service", "name": name })
}

fn of_workload(name: &str) -> Value {
    json!({ "group": "mesh.selvedge.dev", "kind": "Workload", "name": name })
}

fn from_web() -> Value {
    json!([{ "from": [{ "identities": [WEB] }] }])
}

/// Somebody who calls, two Services that take calls, and somebody else who calls.
fn bank(action: &str) -> Scene {
    Scene::new(&[
        mesh(action, "Strict"),
        service("bank", "ledger"),
        service("bank", "vault"),
        replica("bank", "ledger-1", "ledger", true),
        replica("bank", "vault-1", "vault", true),
        replica("shop", "web-1", "web", true),
        replica("shop", "till-1", "till", true),
    ])
}

fn told(scene: &mut Scene, caller: &str) -> BTreeSet<String> {
    let all = names(&scene.view(&beside(caller)));
    all.into_iter().filter(|name| name.starts_with("Service") || name.contains("bank/")).collect()
}

fn epoch(scene: &mut Scene, caller: &str) -> u64 {
    scene.view(&beside(caller)).epoch()
}

#[test]
fn where_calls_are_denied_by_default_a_sidecar_is_told_of_the_services_that_a_policy_opens() {
    let mut scene = bank("Deny");
    assert_eq!(
        told(&mut scene, "shop/web-1"),
        BTreeSet::new(),
        "neither the Services nor who is behind them"
    );

    scene.edit(&[rule("bank", "readers", of_service("ledger"), "Allow", from_web())], &[]);

    let now = told(&mut scene, "shop/web-1");
    assert!(now.contains("Service bank/ledger") && now.contains("Workload bank/ledger-1"), "{now:?}");
    assert!(!now.contains("Service bank/vault"), "{now:?}");
    assert_eq!(told(&mut scene, "shop/till-1"), BTreeSet::new());
}

#[test]
fn a_policy_that_shuts_somebody_out_takes_the_service_from_its_sidecar_and_from_no_other() {
    let mut scene = bank("Allow");
    let (web, till) = (epoch(&mut scene, "shop/web-1"), told(&mut scene, "shop/till-1"));
    let closed = rule("bank", "closed", of_service("vault"), "Deny", from_web());

    scene.edit(std::slice::from_ref(&closed), &[]);

    assert!(epoch(&mut scene, "shop/web-1") > web);
    let now = told(&mut scene, "shop/web-1");
    assert!(now.contains("Service bank/ledger") && !now.contains("Service bank/vault"), "{now:?}");
    assert!(!now.contains("Workload bank/vault-1"), "{now:?}");
    let others = told(&mut scene, "shop/till-1");
    assert_eq!(&others - &till, BTreeSet::from(["AuthorizationPolicy bank/closed".to_owned()]));

    scene.edit(&[], &[&closed]);
    assert!(told(&mut scene, "shop/web-1").contains("Workload bank/vault-1"), "it comes back");
}

#[test]
fn a_change_of_one_services_policy_is_not_heard_by_those_who_do_not_call_it() {
    let mut scene = bank("Allow");
    let mut caller = replica("shop", "web-1", "web", true);
    caller["spec"]["reaches"] = json!(["bank/ledger"]);
    scene.edit(&[caller], &[]);
    let before = epoch(&mut scene, "shop/web-1");

    scene.edit(&[rule("bank", "closed", of_service("vault"), "Deny", from_web())], &[]);

    assert_eq!(epoch(&mut scene, "shop/web-1"), before);
}

#[test]
fn what_depends_on_the_request_the_address_or_a_condition_is_told() {
    let some = [
        json!([{ "from": [{ "identities": [WEB] }], "to": [{ "methods": ["POST"] }] }]),
        json!([{ "from": [{ "identities": [WEB], "ipBlocks": ["10.0.0.0/8"] }] }]),
        json!([{ "from": [{ "notIpBlocks": ["10.0.0.0/8"] }] }]),
        json!([{ "from": [{ "identities": [WEB] }], "condition": "request.method == 'POST'" }]),
    ];
    for rules in some {
        let mut scene = bank("Allow");
        scene.edit(&[rule("bank", "some", of_service("vault"), "Deny", rules.clone())], &[]);
        assert!(
            told(&mut scene, "shop/web-1").contains("Service bank/vault"),
            "denied is only some: {rules}"
        );

        let mut scene = bank("Deny");
        scene.edit(&[rule("bank", "some", of_service("vault"), "Allow", rules.clone())], &[]);
        assert!(told(&mut scene, "shop/web-1").contains("Service bank/vault"), "allowed is some: {rules}");
    }
}

#[test]
fn a_service_that_somebody_without_a_sidecar_answers_is_told() {
    let mut scene = bank("Deny");

    scene.edit(&[replica("bank", "vault-2", "vault", false)], &[]);

    assert!(told(&mut scene, "shop/web-1").contains("Workload bank/vault-2"));
    scene.edit(&[], &[&replica("bank", "vault-2", "vault", false)]);
    assert!(!told(&mut scene, "shop/web-1").contains("Service bank/vault"));
    scene.edit(&[slice("bank", "vault", 1)], &[]);
    assert!(told(&mut scene, "shop/web-1").contains("EndpointSlice bank/vault-1"));
}

#[test]
fn a_workload_that_calls_as_somebody_else_is_told_what_the_other_may_reach() {
    let mut scene = bank("Deny");
    scene.edit(&[rule("bank", "readers", of_service("ledger"), "Allow", from_web())], &[]);
    assert!(told(&mut scene, "shop/web-1").contains("Service bank/ledger"));

    let mut other = replica("shop", "web-1", "web", true);
    other["spec"]["serviceAccount"] = json!("other");
    scene.edit(&[other], &[]);

    assert_eq!(told(&mut scene, "shop/web-1"), BTreeSet::new());
}

#[test]
fn a_service_before_which_routes_stand_is_told_for_they_may_lead_elsewhere() {
    let mut scene = bank("Deny");
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "elsewhere", "namespace": "shop" },
        "spec": { "parentRefs": [{ "group": "", "kind": "Service", "name": "vault", "namespace": "bank" }] },
    });

    scene.edit(std::slice::from_ref(&route), &[]);
    assert!(told(&mut scene, "shop/web-1").contains("Service bank/vault"));

    scene.edit(&[], &[&route]);
    assert!(!told(&mut scene, "shop/web-1").contains("Service bank/vault"));
}

/// Everything that a random mesh may hold.
fn pool() -> Vec<Value> {
    let mut all = vec![
        mesh("Allow", "Strict"),
        mesh("Deny", "Strict"),
        mesh("Deny", "Off"),
        service("bank", "ledger"),
        service("bank", "vault"),
        replica("bank", "ledger-1", "ledger", true),
        replica("bank", "ledger-1", "ledger", false),
        replica("bank", "vault-1", "vault", true),
        replica("shop", "web-1", "web", true),
        slice("bank", "ledger", 1),
    ];
    let whos = [
        from_web(),
        json!([{ "from": [{ "namespaces": ["shop"], "ipBlocks": ["10.0.0.0/8"] }] }]),
        json!([{ "from": [{ "notNamespaces": ["shop"] }] }]),
        json!([{ "from": [{ "notIpBlocks": ["10.0.0.0/8"] }] }]),
        json!([{ "from": [{ "workloads": ["shop/web-1"] }], "to": [{ "methods": ["GET"] }] }]),
        json!([{ "to": [{ "notPaths": ["/secret/*"] }] }]),
        json!([{ "condition": "request.path == '/a'" }]),
        json!([{}]),
    ];
    let places = [
        ("bank", Value::Null),
        ("bank", of_service("ledger")),
        ("bank", of_workload("vault-1")),
        ("selvedge-system", Value::Null),
    ];
    for (at, (namespace, target)) in places.iter().enumerate() {
        for action in ["Allow", "Deny"] {
            let named = |rules: &Value| {
                rule(
                    namespace,
                    &format!("p{at}-{}", action.to_lowercase()),
                    target.clone(),
                    action,
                    rules.clone(),
                )
            };
            all.extend(whos.iter().map(named));
        }
        all.push(rule(namespace, &format!("p{at}-allow"), target.clone(), "Allow", json!([])));
    }
    all
}

/// Whether somebody beside the Service would let some call of the web in.
fn some_call_passes(
    resources: &Resources,
    namespace: &Arc<str>,
    name: &Arc<str>,
    workload: Option<&Arc<str>>,
) -> bool {
    let service = Some((name.clone(), None));
    let Some(authorization) = inbound(resources, &Inbound { namespace, service, workload }) else {
        return true;
    };
    let identity: SpiffeId = WEB.parse().expect("an identity");
    let mut calls = ["10.1.2.3", "192.0.2.1"].iter().flat_map(|address| {
        [("GET", "/a"), ("GET", "/secret/x"), ("POST", "/b")].map(|(method, path)| (*address, method, path))
    });
    calls.any(|(address, method, path)| {
        let address = address.parse().ok();
        let source =
            Source { address, identity: Some(&identity), replica: Some("shop/web-1"), ..Source::default() };
        let destination = Destination { port: 80, server_name: None };
        let headers: &[(String, String)] = &[];
        let (method, path) = (method.as_bytes(), path.as_bytes());
        let request = RequestView { method, host: b"ledger", path, query: None, headers };
        authorization.request(&source, &destination, &request).allowed
            || authorization.connection(&source, &destination).allowed
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What `authz can` would allow is told, whatever was changed before; and the way there makes no difference.
    #[test]
    fn nothing_is_left_out_that_some_call_could_reach(
        steps in proptest::collection::vec(proptest::collection::vec((0..pool().len(), any::<bool>()), 1..4), 1..8),
    ) {
        let pool = pool();
        let interest = beside("shop/web-1");
        let begin = ["ledger", "vault"].map(|name| service("bank", name));
        let mut scene = Scene::new(&[begin.as_slice(), &[mesh("Deny", "Strict"), replica("shop", "web-1", "web", true)]].concat());
        let _ = scene.view(&interest);
        for step in steps {
            let (mut put, mut removed) = (std::collections::BTreeMap::new(), Vec::new());
            for (at, comes) in step {
                let key = format!("{} {}", pool[at]["kind"], pool[at]["metadata"]);
                match comes {
                    true => drop(put.insert(key, pool[at].clone())),
                    false => removed.push(&pool[at]),
                }
            }
            let put: Vec<Value> = put.into_values().collect();
            scene.edit(&put, &removed);
            let now = names(&scene.view(&interest));
            let mut anew = State::new(scene.state.revision, scene.resources.clone());
            let id = anew.find(&interest);
            prop_assert_eq!(&now, &names(&anew.views[&id].current.borrow()));
            if scene.resources.find::<Workload>("shop", "web-1").is_none() {
                continue;
            }
            for service in scene.resources.all::<Service>() {
                let (namespace, name) = needs::place_of(service.resource);
                let behind = scene.resources.within::<Workload>(&namespace);
                let behind = behind.filter(|to| selection::selects(service.content, to.resource));
                let workloads: Vec<Arc<str>> = behind.map(|to| to.resource.key.name.to_arc()).collect();
                let passes = some_call_passes(&scene.resources, &namespace, &name, None)
                    || workloads.iter().any(|to| some_call_passes(&scene.resources, &namespace, &name, Some(to)));
                let shown = format!("Service {namespace}/{name}");
                prop_assert!(!passes || now.contains(&shown), "{} is missing in {:?}", shown, now);
            }
        }
    }
}
