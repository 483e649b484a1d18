//! Who owns which field: server-side apply, and the record that every write leaves.
//!
//! Everybody who writes an object owns what they wrote. Who applies says all that they want each time; so what they
//! wanted before and do not want now goes, unless somebody else owns it, and what others own is not changed without
//! force. The record stands in `metadata.managedFields` in the form that Kubernetes gave it, which its tools read.

mod conflicts;
mod fields;
mod join;
mod managers;
mod shape;
mod walk;

use model::kinds::KindName;
use model::schema::{self, Place};
use serde_json::{Map, Value, json};

use super::metadata;
use super::request::{Part, Request};
use super::status::{Cause, Status};
use conflicts::Conflict;
use fields::{Element, Fields, Node};
use managers::{Entry, Manager, Managers, Operation};

/// Who owns the fields of an object that nobody kept a record for, when it is first applied to.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields of `metadata` that the server writes, or that say which object it is. Nobody owns them.
const UNOWNED: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
];

/// Records that a request wrote what differs between two states of an object. A new object has no state before.
pub fn updated(request: &Request<'_>, before: Option<&Value>, after: &mut Value) {
    let nothing = nothing(request.kind);
    let (manager, live) = (manager_of(request, Operation::Update), before.unwrap_or(&nothing));
    let mut managers = inherited(before, after);
    let difference = walk::compare(Place::Whole(request.kind), live, after);
    let written = owned(request, difference.written());
    managers.take_from_others(&manager, &written.clone().union(&difference.removed));
    let own = managers.fields(&manager).difference(&difference.removed).union(&written);
    managers.set(manager, own, request.now);
    managers.write(metadata::of(after));
}

/// The record that a write starts from: the one it brings along, if that is one, or else the one that is there. A list
/// of one empty entry is how clients ask for the record to be forgotten.
fn inherited(before: Option<&Value>, after: &Value) -> Managers {
    let brought = after.pointer("/metadata/managedFields").and_then(Value::as_array);
    let is_reset = |entries: &Vec<Value>| matches!(entries.as_slice(), [Value::Object(entry)] if entry.values().all(|value| value.is_null() || value == ""));
    if brought.is_some_and(is_reset) {
        return Managers::default();
    }
    let brought = Managers::of(after);
    if brought.0.is_empty() { before.map(Managers::of).unwrap_or_default() } else { brought }
}

/// Whether a body may be applied at all.
///
/// # Errors
/// 400 when it says who owns its fields, or does not say which object it means.
pub fn check_config(request: &Request<'_>, config: &Value) -> Result<(), Status> {
    if request.manager.is_empty() {
        return Err(Status::invalid_options(&Cause {
            reason: "FieldValueRequired",
            field: "fieldManager".to_owned(),
            message: "Required value: is required for apply patch".to_owned(),
        }));
    }
    let stated = config.pointer("/metadata/managedFields");
    if stated
        .is_some_and(|value| value.as_array().is_none_or(|entries| !entries.is_empty()) && !value.is_null())
    {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if config.pointer("/metadata/name").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(Status::bad_request("metadata.name is required"));
    }
    Ok(())
}

/// The object after a body was applied to it.
///
/// # Errors
/// 409 when others own what it changes, unless forced.
pub fn applied(
    request: &Request<'_>,
    live: Option<&Value>,
    config: Value,
    force: bool,
) -> Result<Value, Status> {
    let place = Place::Whole(request.kind);
    let manager = manager_of(request, Operation::Apply);
    let nothing = nothing(request.kind);
    let config = part_of(request, config);
    let wanted = owned(request, walk::fields_of(place, &config));
    let mut managers = live.map(|live| known_or_found(request, live)).unwrap_or_default();
    let others = managers.others(&manager).fold(Fields::new(), |all, entry| all.union(&entry.fields));

    let live = live.unwrap_or(&nothing);
    let mut object = join::merge(place, live.clone(), config);
    join::prune(place, &mut object, &managers.fields(&manager), &others.union(&wanted));
    let difference = walk::compare(place, live, &object);
    let written = difference.written();
    let conflicts: Vec<Conflict<'_>> = managers
        .others(&manager)
        .map(|Entry { manager, time, fields }| Conflict {
            manager,
            time: *time,
            fields: fields.intersection(&written),
        })
        .filter(|conflict| !conflict.fields.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflicts::refusal(&conflicts));
    }
    managers.take_from_others(&manager, &written.union(&difference.removed));
    managers.set(manager, wanted, request.now);
    managers.write(metadata::of(&mut object));
    Ok(object)
}

/// The record of an object; where there is none, everything is somebody's.
fn known_or_found(request: &Request<'_>, live: &Value) -> Managers {
    let managers = Managers::of(live);
    if !managers.0.is_empty() {
        return managers;
    }
    let difference = walk::compare(Place::Whole(request.kind), &nothing(request.kind), live);
    let mut found = difference.added.difference(&unowned());
    let status = found.take_field("status");
    let manager = Manager { name: BEFORE_FIRST_APPLY.to_owned(), ..manager_of(request, Operation::Update) };
    let entry = |fields, subresource: &str| Entry {
        manager: Manager { subresource: subresource.to_owned(), ..manager.clone() },
        time: Some(request.now),
        fields,
    };
    let status = status.map(|node| entry(Fields::of_field("status", node), "status"));
    Managers(std::iter::once(entry(found, "")).chain(status).collect())
}

fn manager_of(request: &Request<'_>, operation: Operation) -> Manager {
    let subresource = match request.part {
        Part::Whole => "",
        Part::Status => "status",
    };
    Manager {
        name: request.manager.to_owned(),
        operation,
        api_version: request.api_version(),
        subresource: subresource.to_owned(),
    }
}

/// The part of a body that a request may apply, without fields that have no value.
fn part_of(request: &Request<'_>, mut config: Value) -> Value {
    without_nulls(&mut config);
    let Value::Object(map) = &mut config else { return config };
    if let Some(Value::Object(own)) = map.get_mut("metadata") {
        own.shift_remove("managedFields");
    }
    if schema::status(request.kind).is_some() {
        match request.part {
            Part::Whole => drop(map.shift_remove("status")),
            Part::Status => {
                map.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
                if let Some(Value::Object(own)) = map.get_mut("metadata") {
                    own.retain(|name, _| {
                        matches!(name.as_str(), "name" | "namespace" | "uid" | "resourceVersion")
                    });
                }
            }
        }
    }
    config
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The fields of a set that a request can own.
fn owned(request: &Request<'_>, fields: Fields) -> Fields {
    let mut fields = fields.difference(&unowned());
    if schema::status(request.kind).is_none() {
        return fields;
    }
    let status = fields.take_field("status");
    match (request.part, status) {
        (Part::Whole, _) => fields,
        (Part::Status, Some(node)) => Fields::of_field("status", node),
        (Part::Status, None) => Fields::new(),
    }
}

fn unowned() -> Fields {
    let field = |name: &str| Element::Field(name.to_owned());
    let member = || Node { owned: true, below: Fields::new() };
    let mut below = Fields::new();
    UNOWNED.iter().for_each(|name| below.put(field(name), member()));
    let mut fields = Fields::new();
    fields.put(field("metadata"), Node { owned: true, below });
    fields.put(field("apiVersion"), member());
    fields.put(field("kind"), member());
    fields
}

/// What is there before an object is made. The kinds that a cluster has built in begin with their parts.
fn nothing(kind: KindName) -> Value {
    let has_spec = matches!(kind, KindName::Namespace | KindName::Service | KindName::Pod);
    if has_spec { json!({"metadata": {}, "spec": {}}) } else { json!({"metadata": {}}) }
}

/// Whether two states of an object differ in nothing but the moments at which fields were written.
#[must_use]
pub fn same_but_times(before: &Value, after: &Value) -> bool {
    timeless(before) == timeless(after)
}

fn timeless(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Array(entries)) = object.pointer_mut("/metadata/managedFields") {
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry: &mut Map<String, Value>| {
            entry.shift_remove("time");
        });
    }
    object
}

#[cfg(test)]
mod tests;
