//! What of a value some rule has looked at (`unevaluatedProperties`, `unevaluatedItems` of JSON Schema 2020-12).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::judge::Judge;
use crate::limits::SAME_VALUE_STEPS_MAX;
use crate::schema::{Schema, SchemaId};

/// Names of the properties that a schema, or one beside it that holds, has looked at.
pub fn properties<'v>(
    judge: &mut Judge<'_>,
    id: SchemaId,
    value: &Value,
    map: &'v Map<String, Value>,
) -> HashSet<&'v str> {
    let mut seen = HashSet::new();
    for beside in holding(judge, id, value) {
        let Some(rules) = &judge.schemas.get(beside).object else { continue };
        // What a rule of this sort looked at further in is looked at.
        let all = rules.additional.is_some() || (rules.unevaluated.is_some() && beside != id);
        for name in map.keys() {
            let named = rules.property(name).is_some()
                || rules.patterns.iter().any(|(pattern, _)| pattern.is_match(name) != Some(false));
            if named || all {
                seen.insert(name.as_str());
            }
        }
    }
    seen
}

/// Positions of the elements that a schema, or one beside it that holds, has looked at.
pub fn elements(judge: &mut Judge<'_>, id: SchemaId, value: &Value, list: &[Value]) -> HashSet<usize> {
    let mut seen = HashSet::new();
    for beside in holding(judge, id, value) {
        let Some(rules) = &judge.schemas.get(beside).list else { continue };
        let all = rules.items.is_some() || (rules.unevaluated.is_some() && beside != id);
        let until = if all { list.len() } else { rules.first.len().min(list.len()) };
        seen.extend(0..until);
        if let Some(contains) = &rules.contains {
            for (position, element) in list.iter().enumerate() {
                if judge.quietly_inside(contains.schema, element) {
                    seen.insert(position);
                }
            }
        }
    }
    seen
}

/// The schema and those beside it that hold for the value: what they looked at counts.
fn holding(judge: &mut Judge<'_>, id: SchemaId, value: &Value) -> Vec<SchemaId> {
    let mut found = vec![id];
    let mut at = 0;
    while at < found.len() && found.len() <= SAME_VALUE_STEPS_MAX * SAME_VALUE_STEPS_MAX {
        let schemas = judge.schemas;
        let schema = schemas.get(found[at]);
        for next in beside_that_hold(judge, schema, value) {
            if !found.contains(&next) {
                found.push(next);
            }
        }
        at += 1;
    }
    found
}

fn beside_that_hold(judge: &mut Judge<'_>, schema: &Schema, value: &Value) -> Vec<SchemaId> {
    let mut found: Vec<SchemaId> = schema.all_of.to_vec();
    for id in schema.any_of.iter().chain(&schema.one_of) {
        if judge.quietly(*id, value) {
            found.push(*id);
        }
    }
    if let Some(condition) = &schema.condition {
        if judge.quietly(condition.when, value) {
            found.push(condition.when);
            found.extend(condition.then);
        } else {
            found.extend(condition.otherwise);
        }
    }
    let object = schema.object.iter().flat_map(|object| &object.dependent);
    found.extend(object.filter(|(name, _)| value.get(&**name).is_some()).map(|(_, id)| *id));
    found
}
