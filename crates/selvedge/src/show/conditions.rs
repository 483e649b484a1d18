//! The conditions of an object as the API sends them, with a judgement: is this what one hopes to see?

use client::Object;
use serde_json::Value;

use super::visible;
use crate::output::{GREEN, RED, styled};

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

    /// `Gateway shop/edge: ResolvedRefs=False/BackendNotFound: no Service …`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let part = if self.part.is_empty() { String::new() } else { format!("{}: ", self.part) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        visible(&format!("{part}{}={}/{}{message}", self.kind, self.status, self.reason))
    }
}

/// Every condition of an object.
#[must_use]
pub fn of(object: &Object) -> Vec<Condition> {
    let status = &object.0["status"];
    let generation = object.0["metadata"]["generation"].as_u64().unwrap_or(0);
    let mut all = conditions("", &status["conditions"], generation);
    for listener in list(&status["listeners"]) {
        let part = format!("listener {}", listener["name"].as_str().unwrap_or_default());
        all.extend(conditions(&part, &listener["conditions"], generation));
    }
    for (field, reference) in [("parents", "parentRef"), ("ancestors", "ancestorRef")] {
        for entry in list(&status[field]) {
            all.extend(conditions(&referred(&entry[reference]), &entry["conditions"], generation));
        }
    }
    all
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn conditions(part: &str, conditions: &Value, generation: u64) -> Vec<Condition> {
    let one = |condition: &Value| {
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        let observed = condition["observedGeneration"].as_u64().unwrap_or(generation);
        Condition {
            part: part.to_owned(),
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            is_current: observed >= generation,
        }
    };
    list(conditions).map(one).collect()
}

/// `Gateway shop/edge#https`.
fn referred(reference: &Value) -> String {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let namespace = match text("namespace") {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    let section = match text("sectionName") {
        "" => String::new(),
        section => format!("#{section}"),
    };
    format!("{} {namespace}{}{section}", text("kind"), text("name")).trim().to_owned()
}

/// One line a condition, marked by more than its colour.
#[must_use]
pub fn lines(conditions: &[Condition]) -> Vec<String> {
    let line = |condition: &Condition| {
        let old = if condition.is_current { "" } else { " (of an older generation)" };
        match condition.is_good() {
            true => format!("{}  {}{old}", styled(GREEN, "ok"), condition.sentence()),
            false => format!("{}  {}{old}", styled(RED, "!!"), condition.sentence()),
        }
    };
    conditions.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_conditions_of_every_part_are_judged() {
        let gateway = Object(json!({
            "metadata": { "generation": 2 },
            "status": {
                "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 1 }],
                "listeners": [{ "name": "https", "conditions": [
                    { "type": "Conflicted", "status": "False", "reason": "NoConflicts" },
                    { "type": "ResolvedRefs", "status": "False", "reason": "InvalidCertificateRef", "message": "no" },
                ]}],
            },
        }));

        let all = of(&gateway);

        assert_eq!(all.iter().map(Condition::is_good).collect::<Vec<_>>(), [true, true, false]);
        assert!(!all[0].is_current && all[1].is_current);
        assert_eq!(all[2].sentence(), "listener https: ResolvedRefs=False/InvalidCertificateRef: no");
    }

    #[test]
    fn a_route_speaks_of_each_parent() {
        let route = Object(json!({ "status": { "parents": [{
            "parentRef": { "kind": "Gateway", "namespace": "shop", "name": "edge", "sectionName": "http" },
            "conditions": [{ "type": "Accepted", "status": "False", "reason": "NoMatchingParent" }],
        }]}}));

        assert_eq!(of(&route)[0].sentence(), "Gateway shop/edge#http: Accepted=False/NoMatchingParent");
    }
}
