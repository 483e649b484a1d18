//! What a policy found wrong with a request or its answer, as it is told: to the caller in a problem document, to
//! operators in the log.

use apis::check::{Fault, Where};
use serde_json::json;

use crate::limits::VIOLATIONS_TOLD_MAX;

/// What was found wrong with a request or its answer.
#[derive(Debug)]
pub struct Findings<'c> {
    /// The policies by which it was judged.
    pub policies: &'c str,
    /// `request` or `answer`.
    pub of: &'static str,
    /// How many.
    pub count: usize,
    /// The first of them as a sentence, for the log.
    pub first: String,
    /// Members of the problem document; empty when the caller is not told.
    pub members: String,
}

impl<'c> Findings<'c> {
    /// Out of what is wrong, which must be something.
    #[must_use]
    pub fn new(policies: &'c str, of: &'static str, faults: &[Fault], told: bool) -> Findings<'c> {
        Findings {
            policies,
            of,
            count: faults.len(),
            first: faults.first().map(ToString::to_string).unwrap_or_default(),
            members: if told { members(faults) } else { String::new() },
        }
    }
}

fn members(faults: &[Fault]) -> String {
    let told: Vec<serde_json::Value> = faults.iter().take(VIOLATIONS_TOLD_MAX).map(one).collect();
    let more = faults.len().saturating_sub(told.len());
    let mut members = format!(",\"violations\":{}", serde_json::Value::Array(told));
    if more > 0 {
        members.push_str(&format!(",\"moreViolations\":{more}"));
    }
    members
}

/// Of a parameter its place and name, of a body where in it.
fn one(fault: &Fault) -> serde_json::Value {
    let Fault { place, pointer, rule, what } = fault;
    let mut told = match place {
        Where::Parameter(place, name) => json!({ "in": place.word(), "name": &**name }),
        Where::Header(name) => json!({ "in": "header", "name": &**name }),
        Where::Body => json!({ "in": "body" }),
        Where::Status => json!({ "in": "status" }),
    };
    if let Some(members) = told.as_object_mut() {
        if !pointer.is_empty() || *place == Where::Body {
            members.insert("pointer".to_owned(), pointer.as_str().into());
        }
        members.insert("rule".to_owned(), (*rule).into());
        members.insert("detail".to_owned(), what.as_str().into());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(place: Where, rule: &'static str, what: &str) -> Fault {
        Fault { place, pointer: "/a".to_owned(), rule, what: what.to_owned() }
    }

    #[test]
    fn callers_are_told_of_so_many_violations_and_how_many_more() {
        let faults = vec![fault(Where::Body, "type", "is \"no\" number"); VIOLATIONS_TOLD_MAX + 3];

        let document: serde_json::Value =
            serde_json::from_str(&format!("{{\"a\":1{}}}", members(&faults))).unwrap();

        assert_eq!(document["violations"].as_array().unwrap().len(), VIOLATIONS_TOLD_MAX);
        assert_eq!(document["violations"][0]["detail"], "is \"no\" number");
        assert_eq!(document["moreViolations"], 3);
    }
}
