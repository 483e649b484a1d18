//! Puts what is applied over what is there, and takes out what nobody wants any more.

use std::collections::BTreeMap;

use model::schema::Place;
use serde_json::Value;

use super::fields::{Element, Fields};
use super::shape::{Shape, element, elements, shape};

/// What is there with what is applied put over it.
pub fn merge(place: Place, live: Value, config: Value) -> Value {
    match (shape(place, &config), live, config) {
        (Shape::Object, Value::Object(mut live), Value::Object(config)) => {
            for (name, inner) in config {
                let joined = match live.get_mut(&name).map(Value::take) {
                    Some(past) => merge(place.field(&name), past, inner),
                    None => inner,
                };
                live.insert(name, joined);
            }
            Value::Object(live)
        }
        (shape @ (Shape::Set | Shape::Keyed(_)), Value::Array(live), Value::Array(config)) => {
            Value::Array(merge_lists(shape, place.items(), live, config))
        }
        (Shape::Leaf | Shape::Object | Shape::Set | Shape::Keyed(_), _, config) => config,
    }
}

/// Elements of both lists. Those that are applied stand in the order in which they are applied; the others keep their
/// places among their neighbours.
fn merge_lists(shape: Shape, items: Place, live: Vec<Value>, config: Vec<Value>) -> Vec<Value> {
    let identify = |value: &Value| element(shape, items, value);
    let wanted = elements(shape, items, &config);
    let is_wanted: Vec<bool> = live.iter().map(|value| wanted.contains_key(&identify(value))).collect();
    let mut past: BTreeMap<Element, Value> = BTreeMap::new();
    let mut others = Vec::new(); // each with the number of wanted elements before it
    let mut before = 0;
    for (value, is_wanted) in live.into_iter().zip(is_wanted) {
        if is_wanted {
            before += 1;
            past.entry(identify(&value)).or_insert(value);
        } else {
            others.push((before, value));
        }
    }
    let mut joined = Vec::with_capacity(others.len() + config.len());
    let (mut others, mut shared) = (others.into_iter().peekable(), 0);
    for value in config {
        let known = past.remove(&identify(&value));
        if known.is_some() {
            while let Some((_, other)) = others.next_if(|(before, _)| *before <= shared) {
                joined.push(other);
            }
            shared += 1;
        }
        joined.push(match known {
            Some(known) => merge(items, known, value),
            None => value,
        });
    }
    joined.extend(others.map(|(_, other)| other));
    joined
}

/// Takes out what was `wanted` by somebody who does not want it any more, as far as nobody else does: `kept` is what
/// all others own, and what is wanted now.
pub fn prune(place: Place, value: &mut Value, wanted: &Fields, kept: &Fields) {
    let nothing = Fields::new();
    // Whether a child goes; if it stays, what nobody wants goes out of it.
    let goes = |child: Place, element: &Element, inner: &mut Value| {
        let Some(was) = wanted.at(element) else { return false };
        let still = kept.at(element);
        if was.owned && still.is_none() {
            return true;
        }
        let had_content = !is_empty(inner);
        prune(child, inner, &was.below, still.map_or(&nothing, |still| &still.below));
        had_content && is_empty(inner) && still.is_none()
    };
    match shape(place, value) {
        Shape::Object => {
            let Value::Object(map) = value else { return };
            map.retain(|name, inner| !goes(place.field(name), &Element::Field(name.clone()), inner));
        }
        shape @ (Shape::Set | Shape::Keyed(_)) => {
            let Value::Array(list) = value else { return };
            let items = place.items();
            list.retain_mut(|inner| {
                let identity = element(shape, items, inner);
                let names = distinguishing(shape, inner);
                let goes = goes(items, &identity, inner);
                // An element that stays for another's sake must still be found.
                if let Value::Object(map) = inner {
                    for (name, value) in names {
                        map.entry(name).or_insert(value);
                    }
                }
                !goes
            });
        }
        Shape::Leaf => {}
    }
}

fn distinguishing(shape: Shape, element: &Value) -> Vec<(String, Value)> {
    match shape {
        Shape::Keyed(keys) => {
            keys.iter().filter_map(|key| Some((key.clone(), element.get(key)?.clone()))).collect()
        }
        Shape::Leaf | Shape::Object | Shape::Set => Vec::new(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use model::kinds::KindName;
    use serde_json::json;

    use super::super::walk::fields_of;
    use super::*;

    const GATEWAY: Place = Place::Whole(KindName::Gateway);

    fn gateway(listeners: &[(&str, u16)]) -> Value {
        let listeners: Vec<Value> =
            listeners.iter().map(|(name, port)| json!({"name": name, "port": port})).collect();
        json!({"spec": {"listeners": listeners}})
    }

    #[test]
    fn elements_are_merged_by_name_and_stand_as_applied() {
        let live = gateway(&[("a", 1), ("mine", 2), ("b", 3)]);

        let merged = merge(GATEWAY, live, gateway(&[("b", 4), ("new", 5), ("a", 1)]));

        assert_eq!(merged, gateway(&[("b", 4), ("new", 5), ("mine", 2), ("a", 1)]));
    }

    #[test]
    fn what_one_does_not_want_goes_and_what_another_wants_stays() {
        let mine = gateway(&[("a", 1), ("b", 2)]);
        let other = json!({"spec": {"listeners": [{"name": "b", "hostname": "x"}]}});
        let mut object = merge(GATEWAY, mine.clone(), other);

        let kept =
            Fields::read(&json!({"f:spec": {"f:listeners": {"k:{\"name\":\"b\"}": {"f:hostname": {}}}}}));
        prune(GATEWAY, &mut object, &fields_of(GATEWAY, &mine), &kept.expect("a set"));

        assert_eq!(object, json!({"spec": {"listeners": [{"name": "b", "hostname": "x"}]}}));
    }

    #[test]
    fn nothing_empty_is_left_behind() {
        let mut object = json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"listeners": []}});
        let wanted = Fields::read(&json!({"f:metadata": {"f:labels": {"f:x": {}}}})).expect("a set");

        prune(GATEWAY, &mut object, &wanted, &Fields::new());

        assert_eq!(object, json!({"metadata": {"name": "a"}, "spec": {"listeners": []}}));
    }
}
