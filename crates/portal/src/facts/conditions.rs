//! The conditions of an object, with a judgement: is this what one hopes to see?

use serde_json::Value;

use super::{list, place, text};

/// Conditions that are bad when they hold; all others are bad when they do not.
const BAD_WHEN_TRUE: [&str; 3] = ["Conflicted", "PartiallyInvalid", "InsecureFrontendValidationMode"];

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The part of the object it speaks of; empty for the whole.
    pub part: String,
    /// What it speaks of, such as `Accepted`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Whether it speaks of the object as it is now.
    pub is_current: bool,
}

impl Condition {
    /// Whether this is what one hopes to see.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let hoped = if BAD_WHEN_TRUE.contains(&self.kind.as_str()) { "False" } else { "True" };
        self.status == hoped && self.reason != "ListenersNotValid"
    }
}

/// Every condition of an object: its own, those of its listeners, and those towards its parents and ancestors.
#[must_use]
pub fn of(object: &Value) -> Vec<Condition> {
    let status = &object["status"];
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(0);
    let mut all = conditions("", &status["conditions"], generation);
    for listener in list(&status["listeners"]) {
        all.extend(conditions(&text(&listener["name"]), &listener["conditions"], generation));
    }
    for (field, reference) in [("parents", "parentRef"), ("ancestors", "ancestorRef")] {
        for entry in list(&status[field]) {
            all.extend(conditions(&referred(&entry[reference]), &entry["conditions"], generation));
        }
    }
    all
}

fn conditions(part: &str, conditions: &Value, generation: u64) -> Vec<Condition> {
    let one = |condition: &Value| Condition {
        part: part.to_owned(),
        kind: text(&condition["type"]),
        status: text(&condition["status"]),
        reason: text(&condition["reason"]),
        message: text(&condition["message"]),
        is_current: condition["observedGeneration"].as_u64().is_none_or(|observed| observed >= generation),
    };
    list(conditions).map(one).collect()
}

/// `shop/edge#https`.
fn referred(reference: &Value) -> String {
    let place = place(&text(&reference["namespace"]), &text(&reference["name"]));
    match text(&reference["sectionName"]).as_str() {
        "" => place,
        section => format!("{place}#{section}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_conditions_of_every_part_are_judged() {
        let gateway = json!({
            "metadata": { "generation": 2 },
            "status": {
                "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 1 }],
                "listeners": [{ "name": "web", "conditions": [
                    { "type": "Conflicted", "status": "True", "reason": "HostnameConflict" },
                    { "type": "Programmed", "status": "Unknown", "reason": "Pending" },
                    { "type": "Conflicted", "status": "False", "reason": "NoConflicts" },
                ]}],
            },
        });

        let all = of(&gateway);

        let told: Vec<(&str, bool)> = all.iter().map(|one| (one.part.as_str(), one.is_good())).collect();
        assert_eq!(told, [("", true), ("web", false), ("web", false), ("web", true)]);
        assert!(!all[0].is_current && all[1].is_current);
    }
}
