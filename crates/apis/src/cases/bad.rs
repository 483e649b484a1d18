//! Requests that break the description in exactly one place.
//!
//! Each begins as a good request. A change becomes a case only if our own judge says that it is wrong now, so that no
//! server is blamed for taking what the description takes.

use serde_json::{Map, Value, json};

use super::good::Draft;
use super::{Case, Expected};
use crate::check;
use crate::operation::{Operation, Parameter, Place};
use crate::request::Request;
use crate::schema::{SchemaId, Schemas};

/// All bad requests.
pub fn cases(operation: &Operation, base: &Draft, _seed: u64) -> Vec<Case> {
    let mut found = Vec::new();
    for parameter in operation.parameters.iter() {
        parameter_cases(operation, base, parameter, &mut found);
    }
    body_cases(operation, base, &mut found);
    credential_cases(operation, base, &mut found);
    found.retain(|case| is_wrong(operation, case));
    found
}

/// Whether our own judge refuses the request for what it is meant to be refused for.
fn is_wrong(operation: &Operation, case: &Case) -> bool {
    let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
    let headers: Vec<(&str, &str)> =
        case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = Request { path, query, headers: &headers, body: &case.body };
    operation.template.matches(path).is_some()
        && (!check::request(operation, &request).is_empty()
            || !check::credentials::missing(operation, &request).is_empty())
}

fn parameter_cases(operation: &Operation, base: &Draft, parameter: &Parameter, found: &mut Vec<Case>) {
    let subject = format!("{} parameter {}", parameter.place, parameter.name);
    let others = || -> Vec<(Parameter, Value)> {
        base.parameters.iter().filter(|(other, _)| other != parameter).cloned().collect()
    };
    if parameter.required && parameter.place != Place::Path {
        let draft = Draft { parameters: others(), ..base.clone() };
        found.push(draft.case(operation, &format!("{subject} missing"), Expected::Refused));
    }
    let Some(id) = parameter.schema else { return };
    for (how, value) in wrong_values(&operation.schemas, id) {
        // What has no text form of its own would be read as something else.
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) || value == json!("") {
            continue;
        }
        let mut parameters = others();
        parameters.push((parameter.clone(), value));
        let draft = Draft { parameters, ..base.clone() };
        found.push(draft.case(operation, &format!("{subject} {how}"), Expected::Refused));
    }
}

fn body_cases(operation: &Operation, base: &Draft, found: &mut Vec<Case>) {
    let Some((kind, good)) = &base.body else { return };
    let mut add = |how: &str, body: Option<(String, Vec<u8>)>| {
        let draft = Draft { body, ..base.clone() };
        found.push(draft.case(operation, &format!("body {how}"), Expected::Refused));
    };
    if operation.body.as_ref().is_some_and(|body| body.required) {
        add("missing", None);
    }
    add("that is no JSON", Some((kind.clone(), b"{\"a\": ".to_vec())));
    add("of a type that is not described", Some(("application/x-not-described".to_owned(), good.clone())));
    let content = operation.body.as_ref().map(|body| &*body.content).unwrap_or_default();
    let schema = content.iter().find(|media| *media.range == **kind).and_then(|media| media.schema);
    let Some((id, value)) = schema.zip(serde_json::from_slice::<Value>(good).ok()) else { return };
    for (how, value) in wrong_values(&operation.schemas, id) {
        add(&how, Some((kind.clone(), value.to_string().into_bytes())));
    }
    let Value::Object(map) = &value else { return };
    for name in map.keys() {
        let mut without = map.clone();
        without.remove(name);
        add(
            &format!("without {name}"),
            Some((kind.clone(), Value::Object(without).to_string().into_bytes())),
        );
        let Some(inner) = operation.schemas.property_of(id, name) else { continue };
        for (how, wrong) in wrong_values(&operation.schemas, inner) {
            let mut with: Map<String, Value> = map.clone();
            with.insert(name.clone(), wrong);
            let how = format!("with {name} {how}");
            add(&how, Some((kind.clone(), Value::Object(with).to_string().into_bytes())));
        }
    }
    let mut more = map.clone();
    more.insert("notDescribed".to_owned(), json!(1));
    add(
        "with a property that is not described",
        Some((kind.clone(), Value::Object(more).to_string().into_bytes())),
    );
}

fn credential_cases(operation: &Operation, base: &Draft, found: &mut Vec<Case>) {
    if !operation.security.is_open() {
        let draft = Draft { headers: Vec::new(), query: Vec::new(), ..base.clone() };
        found.push(draft.case(operation, "without credentials", Expected::Refused));
    }
}

/// Values just outside of a schema, with what is wrong with each.
fn wrong_values(schemas: &Schemas, id: SchemaId) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for id in schemas.beside(id) {
        let schema = schemas.get(id);
        for value in [json!("not a value"), json!(1.5), json!(true), Value::Null, json!([]), json!({})] {
            if !schema.types.takes(&value) {
                found.push(("of another type".to_owned(), value));
            }
        }
        if schema.choices.is_some() {
            found.push(("that is no choice".to_owned(), json!("not-a-choice")));
        }
        if let Some(rules) = &schema.number {
            for (bound, by, how) in
                [(&rules.minimum, -1.0, "below its minimum"), (&rules.maximum, 1.0, "above its maximum")]
            {
                let Some(bound) = bound else { continue };
                found.push((how.to_owned(), beyond(&bound.number, by)));
                if bound.exclusive {
                    found.push((format!("{how} (the bound itself)"), Value::Number(bound.number.clone())));
                }
            }
        }
        if let Some(rules) = &schema.text {
            if let Some(least) = rules.length_min.filter(|least| (1..=10_000).contains(least)) {
                found.push((
                    "that is too short".to_owned(),
                    json!("x".repeat(usize::try_from(least - 1).unwrap_or(0))),
                ));
            }
            if let Some(most) = rules.length_max.filter(|most| *most <= 10_000) {
                found.push((
                    "that is too long".to_owned(),
                    json!("x".repeat(usize::try_from(most + 1).unwrap_or(0))),
                ));
            }
            if rules.pattern.is_some() || rules.format.is_some() {
                found.push(("of another form".to_owned(), json!("\u{a7} not of this form")));
            }
        }
        if let Some(rules) = &schema.list
            && let Some(most) = rules.size_max.filter(|most| *most <= 1_000)
        {
            let many = usize::try_from(most + 1).unwrap_or(0);
            found.push(("with too many elements".to_owned(), Value::Array(vec![json!("x"); many])));
        }
    }
    found.dedup();
    found
}

fn beyond(number: &serde_json::Number, by: f64) -> Value {
    match number.as_i64().and_then(|whole| whole.checked_add(by as i64)) {
        Some(whole) => json!(whole),
        None => json!(number.as_f64().unwrap_or(0.0) + by),
    }
}
