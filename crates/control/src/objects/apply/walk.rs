//! Which fields a value has, and in which fields two values differ.

use model::schema::Place;
use serde_json::Value;

use super::fields::{Element, Fields, Node};
use super::shape::{Shape, element, elements, shape};

/// The fields that whoever writes this value means to own: its leaves, the keys of its maps, the elements of its lists.
pub fn fields_of(place: Place, value: &Value) -> Fields {
    let mut fields = Fields::new();
    match (shape(place, value), value) {
        (Shape::Object, Value::Object(map)) => {
            for (name, inner) in map {
                let at = place.field(name);
                let below = fields_of(at, inner);
                let is_leaf = matches!(shape(at, inner), Shape::Leaf);
                let is_empty_object = inner.as_object().is_some_and(serde_json::Map::is_empty);
                let owned = is_leaf || is_empty_object || !place.has_field(name);
                fields.put(Element::Field(name.clone()), Node { owned, below });
            }
        }
        (shape @ (Shape::Set | Shape::Keyed(_)), Value::Array(list)) => {
            let items = place.items();
            for inner in list {
                let below = if matches!(shape, Shape::Set) { Fields::new() } else { fields_of(items, inner) };
                fields.put(element(shape, items, inner), Node { owned: true, below });
            }
        }
        (Shape::Leaf | Shape::Object | Shape::Set | Shape::Keyed(_), _) => {}
    }
    fields
}

/// In which fields two values differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the second only, and the things around them that are new as well.
    pub added: Fields,
    /// In both, with another value.
    pub modified: Fields,
    /// In the first only.
    pub removed: Fields,
}

impl Difference {
    /// What the second has that the first has not, or not so.
    pub fn written(&self) -> Fields {
        self.added.clone().union(&self.modified)
    }

    fn put(&mut self, element: Element, (owned, below): (Side, Difference)) {
        let Difference { added, modified, removed } = below;
        self.added.put(element.clone(), Node { owned: owned == Side::Added, below: added });
        self.modified.put(element.clone(), Node { owned: owned == Side::Modified, below: modified });
        self.removed.put(element, Node { owned: owned == Side::Removed, below: removed });
    }
}

/// What happened to a place itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Same,
    Added,
    Modified,
    Removed,
}

/// In which fields two values of a place differ.
pub fn compare(place: Place, before: &Value, after: &Value) -> Difference {
    compare_inside(place, Some(before), Some(after))
}

fn compare_inside(place: Place, before: Option<&Value>, after: Option<&Value>) -> Difference {
    let mut difference = Difference::default();
    let shape_of = |value: Option<&Value>| value.map_or(Shape::Leaf, |value| shape(place, value));
    let shapes = [shape_of(before), shape_of(after)];
    if shapes.iter().any(|shape| matches!(shape, Shape::Object)) {
        let (old, new) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
        for (name, past) in old.into_iter().flatten() {
            let present = new.and_then(|new| new.get(name));
            difference.put(Element::Field(name.clone()), one(place.field(name), Some(past), present));
        }
        for (name, present) in new.into_iter().flatten() {
            if old.is_none_or(|old| !old.contains_key(name)) {
                difference.put(Element::Field(name.clone()), one(place.field(name), None, Some(present)));
            }
        }
    }
    if let Some(shape) = shapes.into_iter().find(|shape| matches!(shape, Shape::Set | Shape::Keyed(_))) {
        let items = place.items();
        let list =
            |value: Option<&'_ Value>| value.and_then(Value::as_array).map_or(Vec::new(), Clone::clone);
        let (old, new) = (list(before), list(after));
        let (old, new) = (elements(shape, items, &old), elements(shape, items, &new));
        for (element, past) in &old {
            difference.put(element.clone(), one(items, Some(past), new.get(element).copied()));
        }
        for (element, present) in new.into_iter().filter(|(element, _)| !old.contains_key(element)) {
            difference.put(element, one(items, None, Some(present)));
        }
    }
    difference
}

fn one(place: Place, before: Option<&Value>, after: Option<&Value>) -> (Side, Difference) {
    let side = match (before, after) {
        (None, _) => Side::Added,
        (_, None) => Side::Removed,
        (Some(past), Some(present)) => {
            let is_leaf = |value: &Value| matches!(shape(place, value), Shape::Leaf);
            let differs = (is_leaf(past) || is_leaf(present)) && past != present;
            if differs { Side::Modified } else { Side::Same }
        }
    };
    (side, compare_inside(place, before, after))
}

#[cfg(test)]
mod tests {
    use model::kinds::KindName;
    use serde_json::json;

    use super::*;

    const SERVICE: Place = Place::Whole(KindName::Service);

    #[test]
    fn what_is_written_is_owned_leaf_by_leaf() {
        let service = json!({
            "metadata": {"labels": {"app": "a"}, "annotations": {}},
            "spec": {
                "selector": {"app": "a"},
                "ports": [{"port": 80, "targetPort": "http"}],
                "ipFamilies": ["IPv4"],
            },
        });

        assert_eq!(
            fields_of(SERVICE, &service).written(),
            json!({
                "f:metadata": {"f:annotations": {}, "f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:ipFamilies": {},
                    "f:ports": {
                        "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:targetPort": {}},
                    },
                    "f:selector": {},
                },
            })
        );
    }

    #[test]
    fn a_difference_names_new_things_around_new_fields_as_well() {
        let before =
            json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP", "name": "a"}]}});
        let after = json!({
            "metadata": {"labels": {"app": "a"}},
            "spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "UDP"}]},
        });

        let difference = compare(SERVICE, &before, &after);

        assert_eq!(
            difference.added.written(),
            json!({
                "f:metadata": {".": {}, "f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:ports": {"k:{\"port\":81,\"protocol\":\"UDP\"}": {".": {}, "f:port": {}, "f:protocol": {}}},
                },
            })
        );
        assert_eq!(difference.modified.written(), json!({"f:spec": {"f:type": {}}}));
        assert_eq!(
            difference.removed.written(),
            json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:name": {}}}}})
        );
    }

    #[test]
    fn an_atomic_list_is_one_thing() {
        let place = Place::Whole(KindName::HttpRoute);
        let route = |port: u16| json!({"spec": {"rules": [{"backendRefs": [{"name": "a", "port": port}]}]}});

        assert_eq!(compare(place, &route(1), &route(1)), Difference::default());
        assert_eq!(
            compare(place, &route(1), &route(2)).modified.written(),
            json!({"f:spec": {"f:rules": {}}})
        );
    }
}
