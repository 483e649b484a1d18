//! Strategic merge patch: Kubernetes' merge patch that knows lists.
//!
//! Where a schema names the field that tells the elements of a list apart, the patch changes elements instead of the
//! list. What cannot be said that way is said by directives, fields of the patch whose names begin with `$`. Only the
//! kinds that a cluster has built in know this language; `kubectl apply` and `kubectl edit` speak it for them.

use std::collections::{HashMap, HashSet};

use model::kinds::KindName;
use model::schema::{PatchStrategy, Place};
use serde_json::{Map, Value};

use crate::objects::documents::is_built_in;
use crate::objects::media::{APPLY_PATCH, JSON_PATCH, MERGE_PATCH};
use crate::objects::status::Status;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// The tree after a patch.
///
/// # Errors
/// 415 for kinds that do not know the language, 400 when a directive is not understood, 422 when an element does not
/// say which it is.
pub fn strategic(kind: KindName, mut object: Value, patch: Value) -> Result<Value, Status> {
    if !is_built_in(kind) {
        return Err(Status::unsupported_media_type(&[JSON_PATCH, MERGE_PATCH, APPLY_PATCH]));
    }
    let (Value::Object(map), Value::Object(patch)) = (&mut object, patch) else {
        return Err(Status::bad_request("a strategic merge patch must be an object"));
    };
    merge_object(Place::Whole(kind), map, patch)?;
    Ok(object)
}

/// What `$patch` says.
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &mut Map<String, Value>) -> Result<Directive, Status> {
    let Some(word) = patch.shift_remove(PATCH) else { return Ok(Directive::Merge) };
    match word.as_str() {
        Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        _ => Err(Status::bad_request(format!("unknown patch type found: {word}"))),
    }
}

/// As deep as the patch, whose depth is bounded.
fn merge_object(
    place: Place,
    map: &mut Map<String, Value>,
    mut patch: Map<String, Value>,
) -> Result<(), Status> {
    match directive(&mut patch)? {
        Directive::Merge => {}
        Directive::Delete => {
            map.clear();
            return Ok(());
        }
        Directive::Replace => {
            *map = without_directives(patch)?;
            return Ok(());
        }
    }
    retain_keys(map, &mut patch)?;
    let orders = taken(&mut patch, SET_ORDER)?;
    let orders: Vec<Order> =
        orders.into_iter().map(|(name, list)| Order::new(place, map, name, &list)).collect();
    for (name, doomed) in taken(&mut patch, DELETE_FROM)? {
        if let Some(Value::Array(list)) = map.get_mut(&name) {
            let doomed: HashSet<String> = doomed.iter().map(Value::to_string).collect();
            list.retain(|value| !doomed.contains(&value.to_string()));
        }
    }
    let mut gone = HashSet::new();
    for (name, inner) in patch {
        if inner.is_null() {
            gone.insert(name);
            continue;
        }
        let at = place.field(&name);
        let joined = match map.get_mut(&name).map(Value::take) {
            Some(before) => merge_value(at, before, inner)?,
            None => fresh(at, inner)?,
        };
        map.insert(name, joined);
    }
    // All at once: to take one field out of an object moves those behind it.
    if !gone.is_empty() {
        map.retain(|name, _| !gone.contains(name));
    }
    for order in orders {
        if let Some(Value::Array(list)) = map.get_mut(&order.field) {
            order.put(list);
        }
    }
    Ok(())
}

fn retain_keys(map: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<(), Status> {
    let Some(kept) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let bad = || Status::bad_request("invalid patch format of retainKeys");
    let kept: HashSet<&str> = kept
        .as_array()
        .ok_or_else(bad)?
        .iter()
        .map(|key| key.as_str().ok_or_else(bad))
        .collect::<Result<_, _>>()?;
    let is_extra = |key: &String| !key.starts_with('$') && !kept.contains(key.as_str());
    if patch.iter().any(|(key, value)| !value.is_null() && is_extra(key)) {
        return Err(bad());
    }
    map.retain(|key, _| kept.contains(key.as_str()));
    Ok(())
}

/// Takes the directives with this prefix out of a patch: the field that each is about, and its list.
fn taken(patch: &mut Map<String, Value>, prefix: &str) -> Result<Vec<(String, Vec<Value>)>, Status> {
    let names: Vec<String> = patch.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
    let mut directives = Vec::with_capacity(names.len());
    for name in names {
        match patch.shift_remove(&name) {
            Some(Value::Array(list)) => directives.push((name[prefix.len()..].to_owned(), list)),
            _ => return Err(Status::bad_request(format!("invalid patch format of {name}"))),
        }
    }
    Ok(directives)
}

fn merge_value(place: Place, before: Value, patch: Value) -> Result<Value, Status> {
    match (before, patch) {
        (Value::Object(mut map), Value::Object(patch)) => {
            merge_object(place, &mut map, patch)?;
            Ok(Value::Object(map))
        }
        (Value::Array(list), Value::Array(patch)) if place.patch().merge => {
            merge_list(place, list, patch).map(Value::Array)
        }
        (_, patch) => fresh(place, patch),
    }
}

/// A value where there was none: what a patch would make of nothing.
fn fresh(place: Place, patch: Value) -> Result<Value, Status> {
    match patch {
        Value::Object(patch) => {
            let mut map = Map::new();
            merge_object(place, &mut map, patch)?;
            Ok(Value::Object(map))
        }
        Value::Array(list) if place.patch().merge => merge_list(place, Vec::new(), list).map(Value::Array),
        Value::Array(list) => list
            .into_iter()
            .map(|value| fresh(place.items(), value))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(patch),
    }
}

fn merge_list(place: Place, list: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>, Status> {
    match &place.patch().merge_key {
        Some(key) => merge_elements(place.items(), key, list, patch),
        None => {
            let mut seen: HashSet<String> = HashSet::new();
            Ok(list.into_iter().chain(patch).filter(|value| seen.insert(value.to_string())).collect())
        }
    }
}

fn merge_elements(
    items: Place,
    key: &str,
    list: Vec<Value>,
    patch: Vec<Value>,
) -> Result<Vec<Value>, Status> {
    let mut changes = Vec::new();
    let mut replaces = false;
    for element in patch {
        let Value::Object(mut element) = element else {
            return Err(Status::unprocessable(format!(
                "an element with the merge key `{key}` must be an object"
            )));
        };
        let has_content = element.len() > 1;
        match directive(&mut element)? {
            // An element that is nothing but this directive is about the whole list.
            Directive::Replace if !has_content => replaces = true,
            Directive::Replace => changes.push((Directive::Replace, element)),
            other => changes.push((other, element)),
        }
    }
    let mut joined: Vec<Option<Value>> =
        if replaces { Vec::new() } else { list.into_iter().map(Some).collect() };
    let mut known: HashMap<String, usize> = HashMap::new();
    for (position, element) in joined.iter().enumerate() {
        if let Some(identity) = element.as_ref().and_then(|element| element.get(key)) {
            known.entry(identity.to_string()).or_insert(position);
        }
    }
    for (directive, element) in changes {
        let identity = element.get(key).filter(|identity| !identity.is_null()).map(Value::to_string);
        let identity = identity.ok_or_else(|| {
            Status::unprocessable(format!("an element does not contain declared merge key: {key}"))
        })?;
        let at = known.get(&identity).copied();
        let before = at.and_then(|at| joined[at].take());
        let after = match directive {
            Directive::Delete => None,
            Directive::Replace => Some(Value::Object(without_directives(element)?)),
            Directive::Merge => match before {
                Some(before) => Some(merge_value(items, before, Value::Object(element))?),
                None => Some(fresh(items, Value::Object(element))?),
            },
        };
        match (at, after) {
            (Some(at), after) => joined[at] = after,
            (None, Some(after)) => {
                known.insert(identity, joined.len());
                joined.push(Some(after));
            }
            (None, None) => {}
        }
    }
    Ok(joined.into_iter().flatten().collect())
}

fn without_directives(patch: Map<String, Value>) -> Result<Map<String, Value>, Status> {
    let mut map = Map::new();
    let fields = patch.into_iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    for (name, value) in fields {
        map.insert(name, fresh(Place::Unknown, value)?);
    }
    Ok(map)
}

/// The order that a patch asks for in a list.
struct Order {
    field: String,
    strategy: &'static PatchStrategy,
    /// The place of each element that the patch names.
    ranks: HashMap<String, usize>,
    /// The place of each element before the patch.
    before: HashMap<String, usize>,
}

impl Order {
    fn new(place: Place, map: &Map<String, Value>, field: String, list: &[Value]) -> Self {
        let strategy = place.field(&field).patch();
        let places = |list: &[Value]| {
            let mut places = HashMap::with_capacity(list.len());
            for (position, value) in list.iter().enumerate() {
                places.entry(identity(strategy, value)).or_insert(position);
            }
            places
        };
        let before = map.get(&field).and_then(Value::as_array).map(|list| places(list)).unwrap_or_default();
        Order { ranks: places(list), before, strategy, field }
    }

    /// Puts elements into the order. Those that the patch does not name stay before the ones they stood before.
    fn put(&self, list: &mut Vec<Value>) {
        let (mut named, mut others) = (Vec::new(), Vec::new());
        for value in std::mem::take(list) {
            let identity = identity(self.strategy, &value);
            let before = self.before.get(&identity).copied();
            match self.ranks.get(&identity) {
                Some(rank) => named.push((*rank, before, value)),
                None => others.push((before, value)),
            }
        }
        named.sort_by_key(|(rank, _, _)| *rank);
        let mut others = others.into_iter().peekable();
        for (_, position, value) in named {
            let is_before =
                |other: Option<usize>| other.zip(position).is_some_and(|(other, position)| other < position);
            while let Some((_, other)) = others.next_if(|(other, _)| is_before(*other)) {
                list.push(other);
            }
            list.push(value);
        }
        list.extend(others.map(|(_, other)| other));
    }
}

/// What tells an element of a list from the others.
fn identity(strategy: &PatchStrategy, value: &Value) -> String {
    match strategy.merge_key.as_deref() {
        Some(key) => value.get(key).unwrap_or(&Value::Null).to_string(),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ports(ports: Value) -> Value {
        json!({"spec": {"ports": ports}})
    }

    fn patched(object: Value, patch: Value) -> Value {
        strategic(KindName::Service, object, patch).expect("fits")
    }

    #[test]
    fn elements_are_changed_added_and_deleted_by_their_key() {
        let service = ports(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}, {"port": 82}]));
        let patch = ports(json!([
            {"port": 81, "name": "c", "targetPort": 1},
            {"port": 80, "$patch": "delete"},
            {"port": 99},
            {"port": 82, "name": "d", "$patch": "replace"},
        ]));

        assert_eq!(
            patched(service, patch),
            ports(
                json!([{"port": 81, "name": "c", "targetPort": 1}, {"port": 82, "name": "d"}, {"port": 99}])
            )
        );
    }

    #[test]
    fn a_list_is_replaced_when_asked() {
        let service = ports(json!([{"port": 80}]));

        assert_eq!(
            patched(service, ports(json!([{"$patch": "replace"}, {"port": 81}]))),
            ports(json!([{"port": 81}]))
        );
    }

    #[test]
    fn elements_stand_as_the_patch_asks_and_others_keep_their_places() {
        let service = ports(json!([{"port": 1}, {"port": 2}, {"port": 3}, {"port": 4}]));
        let patch = json!({"spec": {
            "$setElementOrder/ports": [{"port": 4}, {"port": 5}, {"port": 1}],
            "ports": [{"port": 5}],
        }});

        assert_eq!(
            patched(service, patch),
            ports(json!([{"port": 2}, {"port": 3}, {"port": 4}, {"port": 5}, {"port": 1}]))
        );
    }

    #[test]
    fn objects_merge_and_null_removes() {
        let service = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"selector": {"x": "y"}, "type": "NodePort"}});
        let patch = json!({"metadata": {"labels": {"a": null, "c": "3"}}, "spec": {"selector": {"z": "w"}, "type": null}});

        assert_eq!(
            patched(service.clone(), patch),
            json!({"metadata": {"labels": {"b": "2", "c": "3"}}, "spec": {"selector": {"x": "y", "z": "w"}}})
        );
        let replaced =
            patched(service.clone(), json!({"spec": {"selector": {"$patch": "replace", "q": "r"}}}));
        assert_eq!(replaced["spec"]["selector"], json!({"q": "r"}));
        let deleted = patched(service, json!({"spec": {"selector": {"$patch": "delete"}}}));
        assert_eq!(deleted["spec"]["selector"], json!({}));
    }

    #[test]
    fn single_values_are_added_once_and_deleted_by_value() {
        let object = json!({"metadata": {"finalizers": ["a/1", "b/2"]}});
        let patch = json!({"metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a/1"],
            "$setElementOrder/finalizers": ["c/3", "b/2"],
            "finalizers": ["c/3", "b/2"],
        }});

        assert_eq!(patched(object, patch), json!({"metadata": {"finalizers": ["c/3", "b/2"]}}));
    }

    #[test]
    fn only_the_keys_that_are_retained_stay() {
        let pod = json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}});
        let patch = json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}});

        let object = strategic(KindName::Pod, pod.clone(), patch).expect("fits");

        assert_eq!(object, json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}));
        let extra = json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {}}]}});
        assert_eq!(strategic(KindName::Pod, pod, extra).map_err(|status| status.code()), Err(400));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_other_kinds_do_not_know_the_language() {
        let refused = |patch: Value| {
            strategic(KindName::Service, ports(json!([{"port": 80}])), patch).map_err(|status| status.code())
        };

        assert_eq!(refused(ports(json!([{"name": "a"}]))), Err(422));
        assert_eq!(refused(ports(json!([80]))), Err(422));
        assert_eq!(refused(json!({"spec": {"$patch": "explode"}})), Err(400));
        assert_eq!(refused(json!({"spec": {"$setElementOrder/ports": 1}})), Err(400));
        assert_eq!(refused(json!([])), Err(400));
        let route = strategic(KindName::HttpRoute, json!({}), json!({}));
        assert_eq!(route.map_err(|status| status.code()), Err(415));
    }
}
