//! Whatever is sent, the answer is an object that can be kept, or a refusal: never a panic, never an object that the
//! next reader cannot read.

use control::objects::media::{Encoding, PatchKind};
use control::objects::{
    Admitted, Body, FieldValidation, Part, Request, Status, Verdict, body, create, patch, update,
};
use model::kinds::{KindName, Scope};
use model::units::Moment;
use model::yaml;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Words that mean something somewhere, so that random trees get past the first check.
const WORDS: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "data",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "name",
    "namespace",
    "uid",
    "listeners",
    "rules",
    "ports",
    "port",
    "protocol",
    "selector",
    "type",
    "conditions",
    "parentRefs",
    "hostnames",
    "endpoints",
    "addresses",
    "containers",
    "stringData",
    "$patch",
    "$retainKeys",
    "$setElementOrder/ports",
    "$deleteFromPrimitiveList/finalizers",
    "delete",
    "replace",
    "merge",
    "op",
    "path",
    "from",
    "value",
    "add",
    "copy",
    "test",
    "/spec",
    "/metadata/labels",
    "/spec/ports/0",
    "-",
    "a",
    "web",
    "TCP",
    "80",
    "fieldsV1",
    "f:metadata",
    "k:{\"name\":\"a\"}",
    "operation",
    "Apply",
    "manager",
];

fn tree() -> impl Strategy<Value = Value> {
    let word = || select(WORDS).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word().prop_map(Value::from),
        "[a-z-]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((word(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    (tree(), tree(), tree(), any::<bool>()).prop_map(|(spec, metadata, more, named)| {
        let mut map = more.as_object().cloned().unwrap_or_default();
        let mut metadata = metadata.as_object().cloned().unwrap_or_default();
        if named {
            metadata.insert("name".to_owned(), json!("a"));
        }
        map.insert("metadata".to_owned(), metadata.into());
        map.insert("spec".to_owned(), spec);
        Value::Object(map)
    })
}

fn request(kind: KindName, manager: &'static str, part: Part) -> Request<'static> {
    Request {
        kind,
        version: kind.versions()[0],
        namespace: (kind.scope() == Scope::Namespaced).then_some("shop"),
        name: Some("a"),
        part,
        manager,
        validation: FieldValidation::Ignore,
        now: Moment(0),
    }
}

/// All kinds but those that the control plane alone writes.
fn written_by_users() -> Vec<KindName> {
    KindName::ALL.iter().copied().filter(|kind| *kind != KindName::TrustBundle).collect()
}

/// An object of each kind that is there already.
fn existing(kind: KindName) -> Value {
    let ports = json!([{"port": 80, "protocol": "TCP"}]);
    let backend = json!({"from": [{"group": "a", "kind": "B", "namespace": "c"}], "to": [{"group": "", "kind": "Service"}]});
    let mut object = match kind {
        KindName::Service => json!({"spec": {"selector": {"a": "a"}, "ports": ports}}),
        KindName::EndpointSlice => json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}),
        KindName::GatewayClass => json!({"spec": {"controllerName": "a.b/c"}}),
        KindName::Gateway => json!({
            "spec": {"gatewayClassName": "a", "listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}]},
        }),
        KindName::ReferenceGrant => json!({"spec": backend}),
        KindName::BackendTlsPolicy => json!({"spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "a"}],
            "validation": {"hostname": "a.b", "wellKnownCACertificates": "System"},
        }}),
        KindName::AuthenticationPolicy => json!({"spec": {"methods": [{"spiffe": {}}]}}),
        KindName::ExternalAuthorizationPolicy => {
            json!({"spec": {"grpc": {"backendRef": {"name": "a", "port": 9191}}}})
        }
        KindName::AuthorizationPolicy => json!({"spec": {"action": "Deny", "rules": [{}]}}),
        KindName::Backend => json!({"spec": {"endpoints": ["a.b:80"]}}),
        KindName::ResiliencePolicy => json!({"spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "a"}], "retries": {"retryOn": [503]},
        }}),
        KindName::IpPolicy => json!({"spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}],
            "deny": ["10.0.0.0/8"],
        }}),
        KindName::CorsPolicy => json!({"spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}],
            "allowOrigins": ["https://a.example"],
        }}),
        KindName::TransformPolicy => json!({"spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}],
            "request": {"headers": {"remove": ["x-a"]}, "body": [{"set": {"at": "/a", "value": {"b": [1]}}}]},
        }}),
        KindName::RateLimitPolicy => json!({"spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}],
            "limits": [{"name": "all", "requests": 1, "per": "1s"}],
        }}),
        KindName::ValidationPolicy => json!({"spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}],
            "limits": {"depthMax": 8},
        }}),
        KindName::FaultPolicy => json!({"spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "a"}], "delay": {"fixed": "1s"},
        }}),
        KindName::TelemetryPolicy => json!({"spec": {
            "targetRefs": [{"group": "mesh.selvedge.dev", "kind": "Mesh", "name": "a"}],
            "tracing": {"endpoint": "http://a:4318", "sampling": {"percent": 1}},
        }}),
        KindName::Mesh => json!({"spec": {"mtls": {"mode": "Strict"}}}),
        KindName::Workload => json!({"spec": {
            "address": "10.0.0.1", "sidecar": {}, "ports": [{"name": "a", "port": 80, "targetPort": 8080}],
        }}),
        KindName::TcpRoute => json!({"spec": {"rules": [{"backendRefs": [{"name": "a", "port": 1}]}]}}),
        KindName::Role | KindName::ClusterRole => {
            json!({"rules": [{"verbs": ["get"], "resources": ["a"], "apiGroups": [""]}]})
        }
        KindName::RoleBinding | KindName::ClusterRoleBinding => json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"},
        }),
        KindName::JoinToken => json!({"spec": {"serviceAccount": "a", "digest": "0".repeat(64)}}),
        KindName::TrustBundle => json!({"spec": {"trustDomain": "a", "roots": []}}),
        KindName::ApiVersion => json!({"spec": {"api": "a", "label": "v1"}}),
        KindName::ApiRevision => json!({"spec": {
            "api": "a", "version": "a", "documents": [{"name": "a.yaml", "content": "{}"}],
        }}),
        KindName::ApiBinding => json!({"spec": {"version": "a", "default": {"mock": {}}}}),
        KindName::ApiProduct => json!({"spec": {"apis": [{"version": "a"}]}}),
        KindName::Plan => json!({"spec": {"product": "a", "rates": [{"requests": 1, "per": "1s"}]}}),
        KindName::AccessToken => json!({"spec": {"user": "a", "digest": "0".repeat(64)}}),
        KindName::Subscription => json!({"spec": {"application": "a", "product": "a", "plan": "a"}}),
        KindName::Credential => json!({"spec": {"application": "a"}}),
        KindName::Namespace
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Secret
        | KindName::ConfigMap
        | KindName::Pod
        | KindName::HttpRoute
        | KindName::Api
        | KindName::GatewayParameters => json!({"spec": {}}),
    };
    if matches!(kind, KindName::Secret | KindName::ConfigMap) {
        object = json!({"data": {"a": "eA=="}});
    }
    object["metadata"] = json!({"name": "a", "labels": {"a": "a"}});
    let made = create(&Request { name: None, ..request(kind, "maker", Part::Whole) }, Body::from(object));
    kept(made.unwrap_or_else(|status| panic!("{kind}: {status}")).object)
}

fn kept(mut object: Value) -> Value {
    object["metadata"]["resourceVersion"] = json!("1");
    object
}

fn must_be_sound(kind: KindName, answer: Result<Admitted, Status>) -> Result<(), TestCaseError> {
    let admitted = match answer {
        Ok(admitted) => admitted,
        Err(status) => {
            prop_assert!((400..500).contains(&status.code()), "{}: {status}", status.code());
            return Ok(());
        }
    };
    let read = yaml::read_known(kind, admitted.object.clone());
    prop_assert!(read.is_ok(), "cannot be read back: {:?}", read.err());
    if admitted.verdict != Verdict::Remove {
        let object = kept(admitted.object);
        // What was made has the name that was sent, and that is any.
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let asked = Request { name: Some(name), ..request(kind, "test", Part::Whole) };
        let again = update(&asked, &object, Body::from(object.clone()));
        prop_assert_eq!(again.map(|again| again.verdict), Ok(Verdict::Unchanged));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_kept_or_refused(kind in select(written_by_users()), sent in object(), part in select(&[Part::Whole, Part::Status])) {
        let request = request(kind, "test", part);
        must_be_sound(kind, create(&Request { name: None, part: Part::Whole, ..request }, Body::from(sent.clone())))?;
        must_be_sound(kind, update(&request, &existing(kind), Body::from(sent.clone())))?;
        let current = existing(kind);
        for patch_kind in [PatchKind::Merge, PatchKind::Strategic, PatchKind::Apply] {
            must_be_sound(kind, patch(&request, Some(&current), patch_kind, Body::from(sent.clone()), true))?;
        }
        must_be_sound(kind, patch(&request, None, PatchKind::Apply, Body::from(sent), false))?;
    }

    #[test]
    fn any_operations_are_done_or_refused(kind in select(written_by_users()), operations in vec(operation(), 0..6)) {
        let current = existing(kind);
        let body = Body::from(Value::from(operations));
        must_be_sound(kind, patch(&request(kind, "test", Part::Whole), Some(&current), PatchKind::Json, body, false))?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a1&* \\n-]{0,80}") {
        for bytes in [&bytes, text.as_bytes()] {
            for encoding in [Encoding::Json, Encoding::Yaml] {
                if let Err(status) = body::read(encoding, bytes) {
                    prop_assert!(matches!(status.code(), 400 | 413), "{status}");
                }
            }
        }
    }
}

fn operation() -> impl Strategy<Value = Value> {
    const PLACES: &[&str] = &[
        "",
        "/",
        "/metadata",
        "/metadata/labels",
        "/metadata/labels/a",
        "/metadata/finalizers",
        "/spec",
        "/spec/ports",
        "/spec/ports/0",
        "/spec/ports/-",
        "/spec/ports/0/port",
        "/spec/listeners/0",
        "/status",
        "/data/a",
        "/kind",
        "/x~1y",
    ];
    let verbs = select(&["add", "remove", "replace", "move", "copy", "test", "shout"]);
    (verbs, select(PLACES), select(PLACES), tree()).prop_map(|(verb, path, from, value)| {
        let mut operation = Map::new();
        for (field, value) in
            [("op", json!(verb)), ("path", json!(path)), ("from", json!(from)), ("value", value)]
        {
            operation.insert(field.to_owned(), value);
        }
        Value::Object(operation)
    })
}

/// The threads that serve the API have two MiB of stack; half of that must do, in a build that wastes it.
#[test]
fn what_is_as_deep_as_a_body_may_be_needs_no_deep_stack() {
    let deep = || {
        let mut value = json!({});
        for level in 0..body::BODY_DEPTH_MAX - 3 {
            value = if level % 2 == 0 { json!([value]) } else { json!({"a": value}) };
        }
        json!({"metadata": {"name": "a"}, "spec": {"affinity": value}})
    };
    let all = move || {
        let whole = request(KindName::Pod, "test", Part::Whole);
        let made = create(&Request { name: None, ..whole }, Body::from(deep()));
        let current = existing(KindName::Pod);
        for kind in [PatchKind::Merge, PatchKind::Strategic, PatchKind::Apply] {
            let patched = patch(&whole, Some(&current), kind, Body::from(deep()), false);
            assert!(patched.is_ok_and(|patched| patched.verdict == Verdict::Put), "{kind:?}");
        }
        let operations = json!([{"op": "add", "path": "/spec", "value": deep()["spec"]}]);
        let patched = patch(&whole, Some(&current), PatchKind::Json, Body::from(operations), false);
        assert!(patched.is_ok() && made.is_ok(), "{made:?}");
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(all).expect("a thread");
    thread.join().expect("ends well");
}

/// Work that took the square of the number of keys would keep this test busy for minutes.
#[test]
fn what_is_as_wide_as_a_body_may_be_is_made_changed_and_emptied() {
    let wide = |value: &Value| {
        let data: Map<String, Value> =
            (0..40_000).map(|number| (format!("k{number}"), value.clone())).collect();
        json!({"metadata": {"name": "a"}, "data": data})
    };
    let whole = request(KindName::ConfigMap, "test", Part::Whole);

    let made = create(&Request { name: None, ..whole }, Body::from(wide(&json!("x")))).expect("is made");
    let current = kept(made.object);
    for kind in [PatchKind::Merge, PatchKind::Strategic] {
        let emptied =
            patch(&whole, Some(&current), kind, Body::from(wide(&Value::Null)), false).expect("fits");
        assert_eq!(emptied.object["data"], json!({}));
    }
    let applied = patch(&whole, Some(&current), PatchKind::Apply, Body::from(wide(&json!("y"))), true)
        .expect("is forced");
    let current = kept(applied.object);
    let less = json!({"metadata": {"name": "a"}, "data": {"k1": "y"}});
    let applied = patch(&whole, Some(&current), PatchKind::Apply, Body::from(less), true).expect("is forced");
    assert_eq!(applied.object["data"], json!({"k1": "y"}));
}
