//! A status that was computed is laid over the one that is kept.
//!
//! The engine has no clock and knows nothing of what others said. So here each condition gets the moment at which it
//! last changed, which is the old one as long as it says the same; and what other controllers wrote beside us stays.

use model::kinds::gateway_class::CONTROLLER_NAME;
use serde_json::{Map, Value};

/// Lists in a status and the field by which their elements are told apart.
const PARTS: [(&str, &str); 3] =
    [("listeners", "name"), ("parents", "parentRef"), ("ancestors", "ancestorRef")];
/// The name of whoever wrote an element of `parents` or `ancestors`.
const CONTROLLER: &str = "controllerName";

/// The status to keep: what was computed, with the times and the strangers' parts of the one before.
#[must_use]
pub fn lay(before: Option<&Value>, mut computed: Value, now: &str) -> Value {
    let nothing = Value::Null;
    let before = before.unwrap_or(&nothing);
    lay_conditions(before, &mut computed, now);
    for (list, key) in PARTS {
        let Some(Value::Array(parts)) = computed.get_mut(list) else { continue };
        let old = elements(before, list);
        for part in parts.iter_mut() {
            let same = old.iter().find(|old| is_ours(old) && old.get(key) == part.get(key));
            lay_conditions(same.unwrap_or(&nothing), part, now);
        }
        parts.extend(old.iter().filter(|old| !is_ours(old)).cloned());
    }
    keep_fields(before, &mut computed);
    computed
}

/// What is left of a status when we have nothing more to say about its object; `None` when nothing of it is ours.
#[must_use]
pub fn withdraw(before: &Value) -> Option<Value> {
    let mut left = before.clone();
    let mut withdrawn = false;
    for list in ["parents", "ancestors"] {
        if let Some(Value::Array(parts)) = left.get_mut(list) {
            let count = parts.len();
            parts.retain(|part| part.get(CONTROLLER).and_then(Value::as_str) != Some(CONTROLLER_NAME));
            withdrawn |= parts.len() < count;
        }
    }
    withdrawn.then_some(left)
}

/// Elements that name no controller belong to whoever owns the object, which is us.
fn is_ours(part: &Value) -> bool {
    part.get(CONTROLLER).is_none_or(|controller| controller == CONTROLLER_NAME)
}

fn elements<'v>(value: &'v Value, list: &str) -> &'v [Value] {
    value.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn lay_conditions(before: &Value, computed: &mut Value, now: &str) {
    let old = elements(before, "conditions");
    let Some(Value::Array(conditions)) = computed.get_mut("conditions") else { return };
    for condition in conditions.iter_mut() {
        let same = old.iter().find(|old| old.get("type") == condition.get("type"));
        let unchanged = same.filter(|old| old.get("status") == condition.get("status"));
        let since = unchanged.and_then(|old| old.get("lastTransitionTime")).and_then(Value::as_str);
        if let Value::Object(fields) = condition {
            fields.insert("lastTransitionTime".to_owned(), since.unwrap_or(now).into());
        }
    }
    let known: Vec<Value> =
        conditions.iter().filter_map(|condition| condition.get("type").cloned()).collect();
    let of_others = old.iter().filter(|old| {
        let kind = old.get("type").and_then(Value::as_str);
        // A domain before the type marks what is not Kubernetes' own, and so not ours.
        kind.is_some_and(|kind| kind.contains('/'))
            && old.get("type").is_none_or(|kind| !known.contains(kind))
    });
    conditions.extend(of_others.cloned());
}

/// Fields of a status that we never compute stay as they are.
fn keep_fields(before: &Value, computed: &mut Value) {
    let (Value::Object(old), Value::Object(new)) = (before, computed) else { return };
    let kept: Map<String, Value> = old
        .iter()
        .filter(|(name, _)| !new.contains_key(*name))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    new.extend(kept);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-02-02T00:00:00Z";

    fn condition(kind: &str, status: &str, since: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": kind, "lastTransitionTime": since })
    }

    fn computed(kind: &str, status: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": kind })
    }

    #[test]
    fn a_condition_keeps_its_moment_as_long_as_it_says_the_same() {
        let before = json!({ "conditions": [condition("Accepted", "True", "old"), condition("Programmed", "False", "old")] });
        let wanted = json!({ "conditions": [computed("Accepted", "True"), computed("Programmed", "True")] });

        let laid = lay(Some(&before), wanted, NOW);

        let expected = json!({ "conditions": [condition("Accepted", "True", "old"), condition("Programmed", "True", NOW)] });
        assert_eq!(laid, expected);
    }

    #[test]
    fn laying_a_status_over_itself_changes_nothing() {
        let wanted =
            json!({ "listeners": [{ "name": "http", "conditions": [computed("Accepted", "True")] }] });

        let first = lay(None, wanted.clone(), "first");

        assert_eq!(lay(Some(&first), wanted, "second"), first);
    }

    #[test]
    fn what_other_controllers_said_stays() {
        let part = |controller: &str, conditions: Value| json!({ "parentRef": { "name": "edge" }, "controllerName": controller, "conditions": conditions });
        let theirs = part("example.com/other", json!([condition("Accepted", "False", "old")]));
        let before = json!({ "parents": [theirs.clone(), part(CONTROLLER_NAME, json!([condition("Accepted", "True", "old")]))] });
        let wanted = json!({ "parents": [part(CONTROLLER_NAME, json!([computed("Accepted", "True")]))] });

        let laid = lay(Some(&before), wanted, NOW);

        let ours = part(CONTROLLER_NAME, json!([condition("Accepted", "True", "old")]));
        assert_eq!(laid, json!({ "parents": [ours, theirs.clone()] }));
        assert_eq!(withdraw(&laid), Some(json!({ "parents": [theirs] })));
    }

    #[test]
    fn there_is_nothing_to_withdraw_where_nothing_is_ours() {
        assert_eq!(withdraw(&json!({ "parents": [] })), None);
    }
}
