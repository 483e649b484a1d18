//! What a write through the API does to one object, from the body to what is kept.

use control::objects::deletion::{self, DeleteOptions};
use control::objects::media::{Encoding, PatchKind};
use control::objects::{
    Admitted, Body, FieldValidation, Part, Request, Verdict, body, create, delete, patch, update,
};
use model::kinds::KindName;
use serde_json::{Value, json};

fn request(kind: KindName, name: &str) -> Request<'_> {
    Request {
        kind,
        version: kind.versions()[0],
        namespace: Some("shop"),
        name: (!name.is_empty()).then_some(name),
        part: Part::Whole,
        manager: "test",
        validation: FieldValidation::Warn,
        now: "2026-01-01T00:00:00Z".parse().expect("a moment"),
    }
}

/// As the object would be read back from the store.
fn kept(admitted: &Admitted) -> Value {
    let mut object = admitted.object.clone();
    assert_eq!(object["metadata"].get("resourceVersion"), None, "the store numbers writes");
    object["metadata"]["resourceVersion"] = json!("7");
    object
}

fn made(kind: KindName, object: Value) -> Value {
    kept(&create(&request(kind, ""), Body::from(object)).expect("is made"))
}

fn service() -> Value {
    json!({
        "metadata": {"name": "cart", "labels": {"app": "cart"}},
        "spec": {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}

fn route() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "front"}], "rules": [{"backendRefs": [{"name": "cart", "port": 80}]}]},
    })
}

#[test]
fn a_new_object_gets_an_identity_defaults_and_an_owner_for_all_that_was_written() {
    let mut object = made(KindName::Service, service());

    let uid = object["metadata"]["uid"].as_str().expect("a uid").to_owned();
    assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
    object["metadata"]["uid"] = json!("some");
    assert_eq!(
        object,
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "cart", "namespace": "shop", "labels": {"app": "cart"}, "uid": "some",
                "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1, "resourceVersion": "7",
                "managedFields": [{
                    "manager": "test", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                        "f:spec": {
                            "f:ports": {
                                ".": {},
                                "k:{\"port\":80,\"protocol\":\"TCP\"}": {
                                    ".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {},
                                },
                            },
                            "f:selector": {}, "f:type": {},
                        },
                    },
                }],
            },
            "spec": {
                "type": "ClusterIP", "selector": {"app": "cart"},
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            },
        })
    );
}

#[test]
fn a_name_can_be_made_up() {
    let object = made(KindName::Secret, json!({"metadata": {"generateName": "key-"}}));

    let name = object["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("key-") && name.len() == 9, "{name}");
    assert_eq!(object["metadata"]["generateName"], "key-");
    let nameless = create(&request(KindName::Secret, ""), Body::from(json!({"metadata": {}})));
    assert!(nameless.expect_err("has no name").message().ends_with("name or generateName is required"));
}

#[test]
fn unknown_fields_are_refused_or_warned_of_or_dropped() {
    let text = br#"{"metadata": {"name": "a"}, "data": {"a": "1", "a": "2"}, "dta": {}}"#;
    let create_with = |validation| {
        let body = body::read(Encoding::Json, text).expect("is JSON");
        create(&Request { validation, ..request(KindName::ConfigMap, "") }, body)
    };

    let refused = create_with(FieldValidation::Strict).expect_err("is refused");
    assert_eq!(
        (refused.code(), refused.message()),
        (
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \
             \"data.a\", unknown field \"dta\""
        )
    );
    let warned = create_with(FieldValidation::Warn).expect("is made");
    assert_eq!(warned.warnings, ["duplicate field \"data.a\"", "unknown field \"dta\""]);
    assert_eq!(warned.object.get("dta"), None);
    assert!(create_with(FieldValidation::Ignore).expect("is made").warnings.is_empty());
}

#[test]
fn an_object_must_be_what_and_where_the_path_says() {
    let wrong = [
        json!({"apiVersion": "v2", "kind": "Secret", "metadata": {"name": "a"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}),
        json!({"metadata": {"name": "a", "namespace": "other"}}),
        json!({"metadata": {"name": "b"}}),
        json!({"metadata": []}),
        json!(["a"]),
        Value::Null,
    ];
    for object in wrong {
        let refused = update(&request(KindName::Secret, "a"), &json!({}), Body::from(object.clone()));
        assert_eq!(refused.expect_err("is wrong").code(), 400, "{object}");
    }
}

#[test]
fn the_generation_grows_with_what_is_wanted_and_with_nothing_else() {
    let object = made(KindName::HttpRoute, route());
    let request = request(KindName::HttpRoute, "checkout");
    let change = |object: &Value, pointer: &str, value: Value| {
        let mut changed = object.clone();
        *changed.pointer_mut(pointer).expect("is there") = value;
        update(&request, object, Body::from(changed)).expect("is kept")
    };

    let labelled = change(&object, "/metadata", {
        let mut metadata = object["metadata"].clone();
        metadata["labels"] = json!({"a": "b"});
        metadata
    });
    assert_eq!((labelled.verdict, &labelled.object["metadata"]["generation"]), (Verdict::Put, &json!(1)));
    let moved = change(&object, "/spec/rules/0/backendRefs/0/port", json!(81));
    assert_eq!((moved.verdict, &moved.object["metadata"]["generation"]), (Verdict::Put, &json!(2)));
    let same = update(&request, &object, Body::from(object.clone())).expect("is kept");
    assert_eq!(same.verdict, Verdict::Unchanged);
}

#[test]
fn status_and_the_rest_are_written_apart() {
    let object = made(KindName::HttpRoute, route());
    let status = json!({"parents": [{
        "parentRef": {"name": "front"}, "controllerName": "selvedge.dev/gateway",
        "conditions": [{
            "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }]});
    let mut both = object.clone();
    both["status"] = status.clone();
    both["spec"]["hostnames"] = json!(["a.example"]);
    both["metadata"]["labels"] = json!({"a": "b"});
    let whole = request(KindName::HttpRoute, "checkout");
    let of_status = Request { part: Part::Status, ..whole };

    let changed = kept(&update(&whole, &object, Body::from(both.clone())).expect("is kept"));
    assert_eq!(changed.get("status"), None);
    assert_eq!(changed["spec"]["hostnames"], json!(["a.example"]));

    let reported = update(&of_status, &object, Body::from(both)).expect("is kept");
    assert_eq!(reported.object["status"]["parents"][0]["conditions"], status["parents"][0]["conditions"]);
    assert_eq!(reported.object["spec"], object["spec"]);
    assert_eq!(reported.object["metadata"].get("labels"), None);
    assert_eq!(reported.object["metadata"]["generation"], 1);
    let subresources: Vec<_> = reported.object["metadata"]["managedFields"]
        .as_array()
        .expect("owners")
        .iter()
        .map(|entry| entry.get("subresource").and_then(Value::as_str).unwrap_or_default())
        .collect();
    assert_eq!(subresources, ["", "status"]);
    let refused = update(&of_status, &object, Body::from(json!({"status": {"parents": [{}]}})));
    assert_eq!(refused.expect_err("breaks the schema of the status").code(), 422);
}

#[test]
fn what_was_read_before_the_last_write_is_not_written() {
    let object = made(KindName::Service, service());
    let with = |field: &str, value: &str| {
        let mut stale = service();
        stale["metadata"][field] = json!(value);
        update(&request(KindName::Service, "cart"), &object, Body::from(stale))
    };

    let stale = with("resourceVersion", "6").expect_err("is stale");
    assert_eq!((stale.code(), stale.reason()), (409, "Conflict"));
    assert!(stale.message().contains("the object has been modified"));
    assert_eq!(with("uid", "another").expect_err("is another").code(), 409);
    assert_eq!(with("creationTimestamp", "2020-01-01T00:00:00Z").expect_err("is for good").code(), 422);
    assert!(with("resourceVersion", "7").is_ok() && with("resourceVersion", "").is_ok());
}

#[test]
fn patches_change_what_they_name() {
    let object = made(KindName::ConfigMap, json!({"metadata": {"name": "a"}, "data": {"x": "1", "y": "2"}}));
    let request = request(KindName::ConfigMap, "a");
    let patched =
        |kind, patch_body: Value| patch(&request, Some(&object), kind, Body::from(patch_body), false);

    let merged = patched(PatchKind::Merge, json!({"data": {"x": null, "z": "3"}})).expect("fits");
    assert_eq!(merged.object["data"], json!({"y": "2", "z": "3"}));
    let listed =
        patched(PatchKind::Json, json!([{"op": "replace", "path": "/data/x", "value": "9"}])).expect("fits");
    assert_eq!(listed.object["data"], json!({"x": "9", "y": "2"}));
    let unfit = patched(PatchKind::Json, json!([{"op": "test", "path": "/data/x", "value": "9"}]));
    assert_eq!(unfit.expect_err("does not hold").code(), 422);
    let stale = patched(PatchKind::Merge, json!({"metadata": {"resourceVersion": "6"}}));
    assert_eq!(stale.expect_err("is stale").code(), 409);
    let nothing = patched(PatchKind::Merge, json!({})).expect("fits");
    assert_eq!(nothing.verdict, Verdict::Unchanged);
    let missing = patch(&request, None, PatchKind::Merge, Body::from(json!({})), false);
    assert_eq!(missing.expect_err("is not there").code(), 404);
}

#[test]
fn applying_makes_changes_and_removes_without_touching_defaults() {
    let request = request(KindName::Service, "cart");
    let apply = |current: Option<&Value>, config: Value| {
        patch(&request, current, PatchKind::Apply, Body::from(config), false).expect("nobody objects")
    };
    let made = kept(&apply(None, service()));
    assert_eq!(made["spec"]["type"], "ClusterIP");
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");

    let again = apply(Some(&made), service());
    assert_eq!(again.verdict, Verdict::Unchanged);

    let mut less = service();
    less["metadata"].as_object_mut().expect("metadata").shift_remove("labels");
    less["spec"]["ports"] = json!([{"name": "http", "port": 81}]);
    let changed = apply(Some(&made), less);
    assert_eq!(changed.verdict, Verdict::Put);
    assert_eq!(changed.object["metadata"].get("labels"), None);
    assert_eq!(changed.object["spec"]["ports"], json!([{"name": "http", "port": 81, "protocol": "TCP"}]));
    assert_eq!(changed.object["metadata"]["generation"], 2);
}

#[test]
fn what_is_to_be_finished_first_is_marked_and_waited_for() {
    let mut held = service();
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let object = made(KindName::Service, held);
    let request = request(KindName::Service, "cart");

    let marked = delete(&request, &object, &DeleteOptions::default()).expect("is marked");
    assert_eq!(marked.verdict, Verdict::Put);
    assert_eq!(marked.object["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(marked.object["metadata"]["generation"], 2);

    let marked = kept(&marked);
    assert_eq!(
        delete(&request, &marked, &DeleteOptions::default()).expect("is known").verdict,
        Verdict::Unchanged
    );
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/late"]}});
    let late = patch(&request, Some(&marked), PatchKind::Merge, Body::from(more), false);
    assert_eq!(late.expect_err("is too late").code(), 422);
    let released = json!({"metadata": {"finalizers": null}});
    let gone =
        patch(&request, Some(&marked), PatchKind::Merge, Body::from(released), false).expect("is released");
    assert_eq!(gone.verdict, Verdict::Remove);
}

#[test]
fn only_the_object_that_was_meant_is_deleted() {
    let object = made(KindName::Service, service());
    let request = request(KindName::Service, "cart");
    let read = |body: Value| DeleteOptions::read(&Body::from(body), |_| None).expect("are options");

    let other = read(json!({"preconditions": {"uid": "another"}}));
    assert_eq!(delete(&request, &object, &other).expect_err("is another").code(), 409);
    let stale = read(json!({"preconditions": {"resourceVersion": "6"}}));
    assert_eq!(delete(&request, &object, &stale).expect_err("is newer").code(), 409);
    let options = read(
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan", "dryRun": ["All"]}),
    );
    assert_eq!((options.propagation, options.dry_run), (deletion::Propagation::Orphan, true));
    assert_eq!(delete(&request, &object, &options).expect("is it").verdict, Verdict::Remove);
    for wrong in [json!({"kind": "Service"}), json!([]), json!({"propagationPolicy": "Maybe"})] {
        assert!(DeleteOptions::read(&Body::from(wrong), |_| None).is_err());
    }
}

#[test]
fn an_older_version_is_kept_as_the_preferred_one() {
    let grant = json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "a"},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "web"}],
            "to": [{"group": "", "kind": "Service"}],
        },
    });
    let request = Request { version: "v1beta1", ..request(KindName::ReferenceGrant, "") };

    let admitted = create(&request, Body::from(grant)).expect("is made");

    assert_eq!(admitted.object["apiVersion"], "gateway.networking.k8s.io/v1");
    let owner = &admitted.object["metadata"]["managedFields"][0];
    assert_eq!(owner["apiVersion"], "gateway.networking.k8s.io/v1beta1");
    let shown = control::objects::versions::shown(KindName::ReferenceGrant, "v1beta1", kept(&admitted));
    assert_eq!(shown["apiVersion"], "gateway.networking.k8s.io/v1beta1");
}

#[test]
fn text_of_a_secret_is_kept_encoded_and_its_type_for_good() {
    let object = made(KindName::Secret, json!({"metadata": {"name": "a"}, "stringData": {"key": "x"}}));
    assert_eq!((object.get("stringData"), &object["data"]), (None, &json!({"key": "eA=="})));

    let request = request(KindName::Secret, "a");
    let other = patch(&request, Some(&object), PatchKind::Merge, Body::from(json!({"type": "b"})), false);
    assert!(other.expect_err("is for good").message().contains("type: Invalid value: field is immutable"));
}

#[test]
fn who_owns_a_deleted_object_is_forgotten() {
    let mut owned = service();
    owned["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"},
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": "2"},
    ]);
    let object = made(KindName::Service, owned);

    assert_eq!(deletion::owners(&object).collect::<Vec<_>>(), ["1", "2"]);
    let released = deletion::released(&object, &|uid| uid == "1").expect("named it");
    assert_eq!(deletion::owners(&released).collect::<Vec<_>>(), ["2"]);
    assert_eq!(deletion::released(&object, &|uid| uid == "3"), None);
}
