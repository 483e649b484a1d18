use std::collections::BTreeMap;

use model::kinds::KindName;
use model::units::Moment;
use proptest::collection::btree_map;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::objects::request::FieldValidation;

const GATEWAY: Place = Place::Whole(KindName::Gateway);

fn request(manager: &str) -> Request<'_> {
    Request {
        kind: KindName::Gateway,
        version: "v1",
        namespace: Some("shop"),
        name: Some("front"),
        part: Part::Whole,
        manager,
        validation: FieldValidation::Strict,
        now: Moment(60),
    }
}

fn apply(manager: &str, live: Option<&Value>, config: &Value) -> Value {
    applied(&request(manager), live, config.clone(), false).expect("nobody objects")
}

fn gateway(labels: &Value, listeners: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "front", "namespace": "shop", "labels": labels},
        "spec": {"gatewayClassName": "selvedge", "listeners": listeners},
    })
}

#[test]
fn who_applies_owns_what_they_said_and_nothing_else() {
    let config = gateway(&json!({"app": "a"}), &json!([{"name": "web", "port": 80}]));

    let object = apply("me", None, &config);

    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{
            "manager": "me", "operation": "Apply", "apiVersion": "gateway.networking.k8s.io/v1",
            "time": "1970-01-01T00:01:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:gatewayClassName": {},
                    "f:listeners": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:port": {}}},
                },
            },
        }])
    );
}

#[test]
fn another_value_of_anothers_field_is_a_conflict_until_forced() {
    let mine = gateway(&json!({"app": "a"}), &json!([{"name": "web", "port": 80}]));
    let theirs = gateway(&json!({"app": "b"}), &json!([{"name": "web", "port": 81}]));
    let object = apply("me", None, &mine);

    let refused = applied(&request("them"), Some(&object), theirs.clone(), false).expect_err("is mine");

    assert_eq!((refused.code(), refused.reason()), (409, "Conflict"));
    assert_eq!(
        refused.message(),
        "Apply failed with 2 conflicts: conflicts with \"me\":\n- .metadata.labels.app\n- .spec.listeners[name=\"web\"].port"
    );
    assert_eq!(
        refused.body()["details"]["causes"][1],
        json!({
            "reason": "FieldManagerConflict", "message": "conflict with \"me\"",
            "field": ".spec.listeners[name=\"web\"].port",
        })
    );
    let forced = applied(&request("them"), Some(&object), theirs, true).expect("is forced");
    assert_eq!(forced["spec"]["listeners"][0]["port"], json!(81));
    let managers = Managers::of(&forced);
    let own = |name| managers.fields(&manager_of(&request(name), Operation::Apply)).paths();
    assert!(!own("me").contains(&".metadata.labels.app".to_owned()));
    assert!(own("them").contains(&".metadata.labels.app".to_owned()));
}

#[test]
fn one_conflict_is_told_in_one_line_with_time_and_version_of_an_update() {
    let mut object = gateway(&json!({"app": "a"}), &json!([]));
    updated(&request("kubectl-edit"), None, &mut object);

    let refused = applied(&request("me"), Some(&object), gateway(&json!({"app": "b"}), &json!([])), false);

    assert_eq!(
        refused.expect_err("is theirs").message(),
        "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using gateway.networking.k8s.io/v1 at \
         1970-01-01T00:01:00Z: .metadata.labels.app"
    );
}

#[test]
fn who_updates_takes_over_what_they_change_and_frees_what_they_remove() {
    let object =
        apply("me", None, &gateway(&json!({"app": "a", "old": "b"}), &json!([{"name": "web", "port": 80}])));
    let mut after = object.clone();
    after["metadata"]["labels"] = json!({"app": "changed"});

    updated(&request("them"), Some(&object), &mut after);

    let managers = Managers::of(&after);
    let mine = managers.fields(&manager_of(&request("me"), Operation::Apply));
    let theirs = managers.fields(&manager_of(&request("them"), Operation::Update));
    assert_eq!(theirs.written(), json!({"f:metadata": {"f:labels": {"f:app": {}}}}));
    assert!(!mine.paths().iter().any(|path| path.starts_with(".metadata")), "{:?}", mine.paths());
}

#[test]
fn an_object_without_a_record_belongs_to_somebody() {
    let mut object = gateway(&json!({"app": "a"}), &json!([{"name": "web", "port": 80}]));
    object["status"] = json!({"conditions": [{"type": "Accepted", "status": "True"}]});

    let refused = applied(&request("me"), Some(&object), gateway(&json!({"app": "b"}), &json!([])), false);

    assert!(refused.expect_err("is somebody's").message().contains("\"before-first-apply\""));
}

#[test]
fn a_record_can_be_forgotten() {
    let object = apply("me", None, &gateway(&json!({"app": "a"}), &json!([])));
    let mut after = object.clone();
    after["metadata"]["managedFields"] = json!([{}]);

    updated(&request("them"), Some(&object), &mut after);

    assert_eq!(after["metadata"].get("managedFields"), None);
}

#[test]
fn status_and_the_rest_are_owned_apart() {
    let object = apply("me", None, &gateway(&json!({}), &json!([])));
    let request = Request { part: Part::Status, ..request("me") };
    let mut config = gateway(&json!({"ignored": "here"}), &json!([]));
    config["status"] = json!({"conditions": [{"type": "Accepted", "status": "True"}]});

    let object = applied(&request, Some(&object), config, false).expect("nobody objects");

    let entries = Managers::of(&object).0;
    let sets: Vec<_> =
        entries.iter().map(|entry| (entry.manager.subresource.as_str(), entry.fields.paths())).collect();
    assert_eq!(sets.len(), 2);
    assert_eq!(sets[0], ("", vec![".metadata.labels".to_owned(), ".spec.gatewayClassName".to_owned()]));
    assert_eq!(sets[1].0, "status");
    assert!(sets[1].1.iter().all(|path| path.starts_with(".status.conditions[type=\"Accepted\"]")));
}

/// What one manager may want: labels by key, and listeners by name with a port or a host or both. A value follows
/// from its place, so that two managers who want the same place agree.
#[derive(Clone, Debug)]
struct Want {
    labels: BTreeMap<u8, ()>,
    listeners: BTreeMap<u8, (bool, bool)>,
}

impl Want {
    fn config(&self, value: u8) -> Value {
        let labels: Map<String, Value> =
            self.labels.keys().map(|key| (format!("l{key}"), format!("v{key}-{value}").into())).collect();
        let listeners = self.listeners.iter().map(|(name, (port, host))| {
            let mut listener = json!({"name": format!("n{name}")});
            if *port {
                listener["port"] = (u16::from(*name) * 10 + u16::from(value)).into();
            }
            if *host {
                listener["hostname"] = format!("h{name}-{value}").into();
            }
            listener
        });
        let listeners: Vec<Value> = listeners.collect();
        let mut config = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "front", "namespace": "shop"},
        });
        if !labels.is_empty() {
            config["metadata"]["labels"] = labels.into();
        }
        if !listeners.is_empty() {
            config["spec"] = json!({"listeners": listeners});
        }
        config
    }
}

fn want(from: u8, to: u8) -> impl Strategy<Value = Want> {
    let labels = btree_map(from..to, Just(()), 0..4);
    let listeners = btree_map(from..to, (any::<bool>(), any::<bool>()), 0..4);
    (labels, listeners).prop_map(|(labels, listeners)| Want { labels, listeners })
}

/// The fields of an object that somebody can own.
fn ownable(object: &Value) -> Fields {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
    walk::fields_of(GATEWAY, &object).difference(&unowned())
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(first in want(0, 6), theirs in want(0, 6), mine in want(0, 6)) {
        let object = apply("me", None, &first.config(0));
        let object = apply("them", Some(&object), &theirs.config(0));
        let once = apply("me", Some(&object), &mine.config(0));
        let twice = apply("me", Some(&once), &mine.config(0));

        prop_assert_eq!(once, twice);
    }

    #[test]
    fn managers_of_different_fields_never_disturb_each_other(
        mine in want(0, 5), then in want(0, 5), theirs in want(5, 10), value in 0_u8..3,
    ) {
        let object = apply("me", None, &mine.config(0));
        let object = apply("them", Some(&object), &theirs.config(0));
        let object = apply("me", Some(&object), &then.config(value));

        let seen = join::merge(GATEWAY, object.clone(), theirs.config(0));
        prop_assert_eq!(&seen["metadata"]["labels"], &object["metadata"]["labels"], "a label of theirs changed");
        prop_assert!(walk::compare(GATEWAY, &object, &seen) == walk::Difference::default());
        let managers = Managers::of(&object);
        let own = managers.fields(&manager_of(&request("them"), Operation::Apply));
        prop_assert_eq!(own, walk::fields_of(GATEWAY, &theirs.config(0)).difference(&unowned()));
    }

    #[test]
    fn a_field_goes_if_and_only_if_nobody_wants_it(first in want(0, 6), theirs in want(0, 6), then in want(0, 6)) {
        let object = apply("me", None, &first.config(0));
        let object = apply("them", Some(&object), &theirs.config(0));
        let object = apply("me", Some(&object), &then.config(0));

        let wanted = ownable(&then.config(0)).union(&ownable(&theirs.config(0)));
        prop_assert_eq!(ownable(&object), wanted);
    }

    #[test]
    fn every_field_has_an_owner_whoever_writes(
        first in want(0, 6), second in want(0, 6), third in want(0, 6), value in 0_u8..3,
    ) {
        let mut object = first.config(0);
        updated(&request("maker"), None, &mut object);
        let object = applied(&request("me"), Some(&object), second.config(value), true).expect("is forced");
        let mut after = third.config(value);
        after["metadata"]["managedFields"] = object["metadata"]["managedFields"].clone();
        updated(&request("editor"), Some(&object), &mut after);

        let all = Managers::of(&after).0.iter().fold(Fields::new(), |all, entry| all.union(&entry.fields));
        prop_assert!(ownable(&after).difference(&all).is_empty(), "{:?}", ownable(&after).difference(&all).paths());
        let known = walk::compare(GATEWAY, &nothing(KindName::Gateway), &after).added;
        prop_assert!(all.difference(&known).is_empty(), "what is not there is owned: {:?}", all.difference(&known).paths());
    }

    #[test]
    fn sets_are_read_as_they_were_written(config in want(0, 9)) {
        let fields = walk::fields_of(GATEWAY, &config.config(1));
        prop_assert_eq!(Fields::read(&fields.written()), Some(fields));
    }
}
