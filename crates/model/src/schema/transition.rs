//! Rules about a change: what an object may become, given what it was.
//!
//! Such a rule speaks of `oldSelf` and holds for the step between two states, so it says nothing about a new object and
//! nothing about a file. A value has a past only where it can be found again: fields by name, elements of a list by the
//! fields that tell them apart.

use std::collections::HashMap;

use serde_json::Value;

use super::{Finding, Judge, Merging, Place};
use crate::kinds::KindName;
use crate::path::{FieldPath, Step};

/// Everything that may not change this way.
#[must_use]
pub fn check_change(kind: KindName, before: &Value, after: &Value, judge: &Judge) -> Vec<Finding> {
    let mut walk = Walk { at: FieldPath::root(), found: Vec::new(), judge };
    walk.value(Place::Whole(kind), before, after);
    walk.found
}

struct Walk<'a> {
    at: FieldPath,
    found: Vec<Finding>,
    judge: &'a Judge,
}

impl Walk<'_> {
    fn value(&mut self, place: Place, before: &Value, after: &Value) {
        match (before, after, place.merging()) {
            (Value::Object(old), Value::Object(new), _) => {
                for (name, value) in new {
                    if let Some(past) = old.get(name) {
                        self.within(Step::Field(name.as_str().into()), place.field(name), past, value);
                    }
                }
            }
            (Value::Array(old), Value::Array(new), Merging::Map(keys)) => {
                let past: HashMap<String, &Value> =
                    old.iter().map(|element| (identity(element, keys), element)).collect();
                for (position, element) in new.iter().enumerate() {
                    if let Some(past) = past.get(&identity(element, keys)) {
                        self.within(Step::Index(position), place.items(), past, element);
                    }
                }
            }
            _ => {}
        }
        if let Place::Known(schema) = place {
            let broken = self.judge.broken_by_change(schema, before, after);
            self.found.extend(broken.into_iter().map(|rule| rule.finding(&self.at)));
        }
    }

    fn within(&mut self, step: Step, place: Place, before: &Value, after: &Value) {
        self.at.push(step);
        self.value(place, before, after);
        self.at.pop();
    }
}

/// What tells an element from the others.
fn identity(element: &Value, keys: &[String]) -> String {
    keys.iter().map(|key| element.get(key).unwrap_or(&Value::Null).to_string() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_controller_of_a_class_is_for_good_and_its_description_is_not() {
        let class = |controller: &str, words: &str| json!({"spec": {"controllerName": controller, "description": words}});
        let judge = Judge::new();
        let change = |after: Value| check_change(KindName::GatewayClass, &class("a/b", "x"), &after, &judge);

        assert_eq!(change(class("a/b", "y")), []);
        let found = change(class("a/c", "x"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].field.to_string(), "spec.controllerName");
        assert_eq!(found[0].problem, "Value is immutable");
    }
}
