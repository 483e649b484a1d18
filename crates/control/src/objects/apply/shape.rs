//! What a value at a place is to its owners: one thing, or many things each with its own owner.

use std::collections::BTreeMap;

use model::schema::{Merging, Place};
use serde_json::Value;

use super::fields::Element;

/// A value as its owners see it.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// One thing.
    Leaf,
    /// Fields.
    Object,
    /// Values, each of them once.
    Set,
    /// Elements, told apart by these fields.
    Keyed(&'static [String]),
}

/// The shape of a value.
pub fn shape(place: Place, value: &Value) -> Shape {
    match (place.merging(), value) {
        (Merging::Object | Merging::ByValue, Value::Object(_)) => Shape::Object,
        (Merging::Set, Value::Array(_)) => Shape::Set,
        (Merging::Map(keys), Value::Array(_)) => Shape::Keyed(keys),
        (Merging::Leaf | Merging::Atomic, _)
        | (Merging::Object | Merging::ByValue | Merging::Set | Merging::Map(_), _) => Shape::Leaf,
    }
}

/// What tells an element of a list from the others. A distinguishing field that nobody wrote has its default.
pub fn element(shape: Shape, items: Place, value: &Value) -> Element {
    match shape {
        Shape::Keyed(keys) => {
            let field = |key: &'static String| {
                let found = value.get(key).filter(|value| !value.is_null());
                Some((key.as_str(), found.or_else(|| items.field(key).default())?))
            };
            Element::key(keys.iter().filter_map(field).collect())
        }
        Shape::Leaf | Shape::Object | Shape::Set => Element::value(value),
    }
}

/// The elements of a list by what tells them apart; of several alike the first.
pub fn elements(shape: Shape, items: Place, list: &[Value]) -> BTreeMap<Element, &Value> {
    let mut found = BTreeMap::new();
    for value in list {
        found.entry(element(shape, items, value)).or_insert(value);
    }
    found
}
