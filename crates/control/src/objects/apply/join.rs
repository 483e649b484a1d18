//! Puts what is applied over what is there, and takes out what nobody wants any more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use model::schema::Place;
use serde_json::Value;

use super::fields::{Element, Fields};
use super::shape::{Shape, element, shape};

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

/// Elements of both lists. Those that are applied stand in the order in which they are applied; the others stand as
/// far to the front as that allows, in their own order. It is the order that Kubernetes gives them, so that an object
/// does not change when it is applied there and here.
fn merge_lists(shape: Shape, items: Place, live: Vec<Value>, config: Vec<Value>) -> Vec<Value> {
    let identify = |value: &Value| element(shape, items, value);
    let wanted: BTreeSet<Element> = config.iter().map(identify).collect();
    let mut order = Vec::with_capacity(live.len());
    let mut past: BTreeMap<Element, Value> = BTreeMap::new();
    for value in live {
        let identity = identify(&value);
        if let Entry::Vacant(slot) = past.entry(identity) {
            order.push(slot.key().clone());
            slot.insert(value);
        }
    }
    let identities: Vec<Element> = config.iter().map(identify).collect();
    let ends = next_known(&identities, &past);
    let mut joined = Vec::with_capacity(order.len() + config.len());
    let mut order = order.into_iter().peekable();
    for ((value, identity), end) in config.into_iter().zip(&identities).zip(ends) {
        while let Some(next) = order.next_if(|next| Some(next) != end) {
            if !wanted.contains(&next) {
                joined.extend(past.remove(&next));
            }
        }
        order.next_if_eq(identity);
        joined.push(match past.remove(identity) {
            Some(known) => merge(items, known, value),
            None => value,
        });
    }
    joined.extend(order.filter_map(|rest| if wanted.contains(&rest) { None } else { past.remove(&rest) }));
    joined
}

/// For each element of a list the next one, itself included, that is among those known.
fn next_known<'e>(list: &'e [Element], known: &BTreeMap<Element, Value>) -> Vec<Option<&'e Element>> {
    let mut next = None;
    let mut found: Vec<Option<&Element>> = Vec::with_capacity(list.len());
    for element in list.iter().rev() {
        if known.contains_key(element) {
            next = Some(element);
        }
        found.push(next);
    }
    found.reverse();
    found
}

/// Takes out what was `wanted` by somebody who does not want it any more, as far as nobody else does: `kept` is what
/// all others own, and what is wanted now. An element that nobody wants goes as a whole.
pub fn prune(place: Place, value: &mut Value, wanted: &Fields, kept: &Fields) {
    let nothing = Fields::new();
    // Whether a child goes; if it stays, what nobody wants goes out of it. A field of a fixed set stays for what is in
    // it; a key or an element goes with all that others put into it, as in Kubernetes.
    let goes = |child: Place, is_fixed: bool, element: &Element, inner: &mut Value| {
        let Some(was) = wanted.at(element) else { return false };
        let still = kept.at(element);
        if was.owned && still.is_none_or(|still| !still.owned && !is_fixed) {
            return true;
        }
        let had_content = !is_empty(inner);
        prune(child, inner, &was.below, still.map_or(&nothing, |still| &still.below));
        had_content && is_empty(inner) && still.is_none_or(|still| !still.owned)
    };
    match shape(place, value) {
        Shape::Object => {
            let Value::Object(map) = value else { return };
            map.retain(|name, inner| {
                !goes(place.field(name), place.has_field(name), &Element::Field(name.clone()), inner)
            });
        }
        shape @ (Shape::Set | Shape::Keyed(_)) => {
            let Value::Array(list) = value else { return };
            let items = place.items();
            list.retain_mut(|inner| {
                let identity = element(shape, items, inner);
                let names = distinguishing(shape, inner);
                let goes = goes(items, false, &identity, inner);
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

        assert_eq!(merged, gateway(&[("mine", 2), ("b", 4), ("new", 5), ("a", 1)]));
    }

    #[test]
    fn what_one_does_not_want_goes_and_what_another_wants_stays() {
        let mine = gateway(&[("a", 1), ("b", 2)]);
        let theirs = json!({"spec": {"listeners": [{"name": "b", "hostname": "x"}]}});
        let mut object = merge(GATEWAY, mine.clone(), theirs.clone());

        prune(GATEWAY, &mut object, &fields_of(GATEWAY, &mine), &fields_of(GATEWAY, &theirs));

        assert_eq!(object, theirs);
    }

    #[test]
    fn an_element_whose_owner_lets_go_takes_along_what_others_put_into_it() {
        let mine = gateway(&[("a", 1), ("b", 2)]);
        let mut object = mine.clone();
        object["spec"]["listeners"][1]["hostname"] = json!("x");

        let theirs = json!({"f:spec": {"f:listeners": {"k:{\"name\":\"b\"}": {"f:hostname": {}}}}});
        let kept = Fields::read(&theirs).expect("a set").union(&fields_of(GATEWAY, &gateway(&[("a", 1)])));
        prune(GATEWAY, &mut object, &fields_of(GATEWAY, &mine), &kept);

        assert_eq!(object, gateway(&[("a", 1)]));
    }

    #[test]
    fn nothing_empty_is_left_behind() {
        let mut object = json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"listeners": []}});
        let wanted = Fields::read(&json!({"f:metadata": {"f:labels": {"f:x": {}}}})).expect("a set");

        prune(GATEWAY, &mut object, &wanted, &Fields::new());

        assert_eq!(object, json!({"metadata": {"name": "a"}, "spec": {"listeners": []}}));
    }
}
