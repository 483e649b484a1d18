//! Takes out the fields that a schema does not know.
//!
//! An API may be asked to drop what it cannot understand and to say so, instead of refusing it. Files are never pruned:
//! a slip in them is reported.

use serde_json::Value;

use super::{Schema, Shape};
use crate::kinds::KindName;
use crate::path::{FieldPath, Step};

/// Fields of a whole object that have schemas of their own, or need none.
const ENVELOPE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Takes out of a whole object all that no schema knows, and tells what it was.
pub fn prune(kind: KindName, object: &mut Value) -> Vec<FieldPath> {
    let mut walk = Walk { at: FieldPath::root(), pruned: Vec::new() };
    let (own, status) = (super::of(kind), super::status(kind));
    let Value::Object(map) = object else { return walk.pruned };
    map.retain(|name, value| {
        let schema = match name.as_str() {
            "metadata" => Some(super::metadata()),
            "status" => status.or_else(|| own.child("status")),
            name => own.child(name),
        };
        walk.at.push(Step::Field(name.as_str().into()));
        let known = schema.is_some() || ENVELOPE.contains(&name.as_str());
        match schema {
            Some(schema) => walk.value(schema, value),
            None if known => {}
            None => walk.pruned.push(walk.at.clone()),
        }
        walk.at.pop();
        known
    });
    walk.pruned
}

struct Walk {
    at: FieldPath,
    pruned: Vec<FieldPath>,
}

impl Walk {
    fn value(&mut self, schema: &Schema, value: &mut Value) {
        match (&schema.shape, value) {
            (Shape::Object(object), Value::Object(map)) => map.retain(|name, value| {
                self.at.push(Step::Field(name.as_str().into()));
                let inner = schema.child(name);
                match inner {
                    Some(inner) => self.value(inner, value),
                    None if object.open => {}
                    None => self.pruned.push(self.at.clone()),
                }
                self.at.pop();
                inner.is_some() || object.open
            }),
            (Shape::List(list), Value::Array(elements)) => {
                for (position, element) in elements.iter_mut().enumerate() {
                    self.at.push(Step::Index(position));
                    self.value(&list.items, element);
                    self.at.pop();
                }
            }
            // A value of the wrong type is the check's to report.
            (
                Shape::Object(_)
                | Shape::List(_)
                | Shape::Text
                | Shape::Integer
                | Shape::Number
                | Shape::Boolean
                | Shape::IntOrText
                | Shape::Any,
                _,
            ) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_schema_knows_goes_and_is_named_and_the_rest_stays() {
        let mut gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "color": "red",
            "metadata": {"name": "a", "labels": {"any": "key"}, "nick": "b"},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "d", "prot": 80}]},
            "status": {"conditions": [{"type": "x", "mood": 1}]},
        });

        let pruned = prune(KindName::Gateway, &mut gateway);

        let names: Vec<String> = pruned.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["color", "metadata.nick", "spec.listeners[0].prot", "status.conditions[0].mood"]);
        assert_eq!(
            gateway,
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
                "metadata": {"name": "a", "labels": {"any": "key"}},
                "spec": {"gatewayClassName": "c", "listeners": [{"name": "d"}]},
                "status": {"conditions": [{"type": "x"}]},
            })
        );
    }

    #[test]
    fn below_a_field_that_is_let_through_nothing_goes() {
        let mut pod = json!({"metadata": {"name": "a"}, "spec": {"affinity": {"anything": {"at": "all"}}}});
        let whole = pod.clone();

        assert!(prune(KindName::Pod, &mut pod).is_empty());
        assert_eq!(pod, whole);
    }
}
