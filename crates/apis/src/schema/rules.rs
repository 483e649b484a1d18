//! The keywords that bound numbers, text, lists and objects.

use std::sync::Arc;

use serde_json::{Number, Value};

use super::read::{Desk, Draft, about};
use super::{
    Bound, Contains, ListRules, Needs, NumberRules, ObjectRules, Pattern, Schema, SchemaId, TextRules, Type,
};
use crate::numbers;
use crate::source::Node;

/// Formats that speak of numbers; all others speak of text.
const NUMBER_FORMATS: [&str; 4] = ["int32", "int64", "float", "double"];

/// Takes one keyword.
pub fn word<'a>(draft: &mut Draft<'a>, word: &str, value: Node<'a>, desk: &mut Desk<'_, 'a>) {
    match word {
        "minimum" => draft.numbers.minimum = number(value, desk),
        "maximum" => draft.numbers.maximum = number(value, desk),
        "exclusiveMinimum" => match value.value {
            Value::Bool(excluded) => draft.numbers.minimum_excluded = *excluded,
            _ => draft.numbers.above = number(value, desk),
        },
        "exclusiveMaximum" => match value.value {
            Value::Bool(excluded) => draft.numbers.maximum_excluded = *excluded,
            _ => draft.numbers.below = number(value, desk),
        },
        "multipleOf" => {
            let multiple = number(value, desk).filter(|multiple| {
                let positive = multiple.as_f64().is_some_and(|multiple| multiple > 0.0);
                if !positive {
                    desk.findings.add(value, "must be above 0", "write a number above 0");
                }
                positive
            });
            number_rules(&mut draft.schema).multiple_of = multiple;
        }
        "format" => draft.format = value.text(),
        "minLength" => text(&mut draft.schema).length_min = size(value, desk),
        "maxLength" => text(&mut draft.schema).length_max = size(value, desk),
        "pattern" => pattern(draft, value, desk),
        _ => list_word(draft, word, value, desk),
    }
}

fn list_word<'a>(draft: &mut Draft<'a>, word: &str, value: Node<'a>, desk: &mut Desk<'_, 'a>) {
    let newer = !desk.is_old();
    match word {
        "items" if value.value.is_array() => list(&mut draft.schema).first = schemas(value, desk),
        "items" => list(&mut draft.schema).items = Some(desk.number(value)),
        "prefixItems" if newer => list(&mut draft.schema).first = schemas(value, desk),
        "additionalItems" if newer => list(&mut draft.schema).items = Some(desk.number(value)),
        "minItems" => list(&mut draft.schema).size_min = size(value, desk),
        "maxItems" => list(&mut draft.schema).size_max = size(value, desk),
        "uniqueItems" => list(&mut draft.schema).unique = *value.value == Value::Bool(true),
        "contains" if newer => draft.contains = Some(desk.number(value)),
        "minContains" if newer => draft.contains_min = size(value, desk),
        "maxContains" if newer => draft.contains_max = size(value, desk),
        "unevaluatedItems" if newer => list(&mut draft.schema).unevaluated = Some(desk.number(value)),
        _ => object_word(draft, word, value, desk),
    }
}

fn object_word<'a>(draft: &mut Draft<'a>, word: &str, value: Node<'a>, desk: &mut Desk<'_, 'a>) {
    let newer = !desk.is_old();
    match word {
        "properties" => {
            expect_object(value, desk);
            let properties = value.fields().map(|(name, node)| (name.into(), desk.number(node))).collect();
            object(&mut draft.schema).properties = properties;
        }
        // Some write `required: true` on a property; it says nothing there and harms nobody.
        "required" if value.value.is_boolean() => {}
        "required" => object(&mut draft.schema).required = names(value, desk),
        "patternProperties" if newer => {
            let patterns = value.fields().map(|(name, node)| {
                let pattern = Pattern::new(name);
                if pattern.translated().is_none() {
                    draft.unchecked.push(format!("patternProperties: {name}").into());
                }
                (Arc::new(pattern), desk.number(node))
            });
            let patterns: Box<[_]> = patterns.collect();
            object(&mut draft.schema).patterns = patterns;
        }
        "additionalProperties" => object(&mut draft.schema).additional = additional(value, desk),
        "minProperties" => object(&mut draft.schema).size_min = size(value, desk),
        "maxProperties" => object(&mut draft.schema).size_max = size(value, desk),
        "propertyNames" if newer => object(&mut draft.schema).names = Some(desk.number(value)),
        "dependentRequired" if newer => {
            let all = value
                .fields()
                .map(|(name, node)| Needs { name: name.into(), needed: names(node, desk) })
                .collect();
            object(&mut draft.schema).dependent_required = all;
        }
        "dependentSchemas" if newer => {
            let all = value.fields().map(|(name, node)| (name.into(), desk.number(node))).collect();
            object(&mut draft.schema).dependent = all;
        }
        "unevaluatedProperties" if newer => {
            object(&mut draft.schema).unevaluated = Some(desk.number(value));
        }
        _ => {}
    }
}

/// `true` says nothing; `false` is the schema that takes nothing, in the older dialect as well.
fn additional<'a>(value: Node<'a>, desk: &mut Desk<'_, 'a>) -> Option<SchemaId> {
    match value.value {
        Value::Bool(true) => None,
        Value::Bool(false) | Value::Object(_) => Some(desk.number(value)),
        _ => {
            desk.findings.add(
                value,
                "must be true, false or a schema",
                "write `additionalProperties: false`",
            );
            None
        }
    }
}

/// Puts the parts together once all keywords are known.
pub fn settle(draft: &mut Draft<'_>, node: Node<'_>, desk: &mut Desk<'_, '_>) {
    bounds(draft);
    format(draft);
    if let Some(schema) = draft.contains {
        let size_min = draft.contains_min.unwrap_or(1);
        list(&mut draft.schema).contains = Some(Contains { schema, size_min, size_max: draft.contains_max });
    }
    let choices = match (draft.constant.take(), draft.choices.take()) {
        (Some(constant), Some(choices)) => Some(choices.into_iter().filter(|one| *one == constant).collect()),
        (Some(constant), None) => Some(vec![constant]),
        (None, choices) => choices,
    };
    if choices.as_ref().is_some_and(Vec::is_empty) {
        desk.findings.add(node, "has an `enum` that no value can meet", "add the values that are allowed");
    }
    draft.schema.choices = choices.map(Into::into);
    if !draft.examples.is_empty() {
        about(&mut draft.schema).examples = std::mem::take(&mut draft.examples).into();
    }
    draft.schema.condition = draft.condition();
    draft.schema.all_of = std::mem::take(&mut draft.all_of).into();
    draft.schema.unchecked = std::mem::take(&mut draft.unchecked).into();
}

fn bounds(draft: &mut Draft<'_>) {
    let given = std::mem::take(&mut draft.numbers);
    let inclusive = |number: Option<Number>, exclusive| number.map(|number| Bound { number, exclusive });
    let stricter = |left: Option<Bound>, right: Option<Bound>, larger: bool| match (left, right) {
        (Some(left), Some(right)) => {
            let order = numbers::compare(&left.number, &right.number);
            let left_wins = if larger { order.is_gt() } else { order.is_lt() };
            Some(if left_wins { left } else { right })
        }
        (left, right) => left.or(right),
    };
    let least =
        stricter(inclusive(given.minimum, given.minimum_excluded), inclusive(given.above, true), true);
    let most =
        stricter(inclusive(given.maximum, given.maximum_excluded), inclusive(given.below, true), false);
    if least.is_some() || most.is_some() {
        let rules = number_rules(&mut draft.schema);
        (rules.minimum, rules.maximum) = (least, most);
    }
}

fn format(draft: &mut Draft<'_>) {
    let Some(format) = draft.format else { return };
    let types = draft.schema.types;
    if NUMBER_FORMATS.contains(&format) {
        number_rules(&mut draft.schema).format = Some(format.into());
    } else if types.allows(Type::Text) {
        text(&mut draft.schema).format = Some(format.into());
    }
}

fn pattern<'a>(draft: &mut Draft<'a>, value: Node<'a>, desk: &mut Desk<'_, 'a>) {
    let Some(written) = value.text() else {
        return desk.findings.add(value, "must be text", "write the pattern in quotes");
    };
    let pattern = Pattern::new(written);
    if pattern.translated().is_none() {
        draft.unchecked.push(format!("pattern: {written}").into());
    }
    text(&mut draft.schema).pattern = Some(Arc::new(pattern));
}

fn number(value: Node<'_>, desk: &mut Desk<'_, '_>) -> Option<Number> {
    match value.value {
        Value::Number(number) => Some(number.clone()),
        _ => {
            desk.findings.add(value, "must be a number", "write a number without quotes");
            None
        }
    }
}

/// A number of things. `1.0` counts one thing, as JSON Schema has it.
fn size(value: Node<'_>, desk: &mut Desk<'_, '_>) -> Option<u64> {
    let whole =
        |number: f64| (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(number as u64);
    let size = value.value.as_u64().or_else(|| value.value.as_f64().and_then(whole));
    if size.is_none() {
        desk.findings.add(value, "must be a whole number from 0", "write a number such as 1");
    }
    size
}

fn names(value: Node<'_>, desk: &mut Desk<'_, '_>) -> Box<[Arc<str>]> {
    if !value.value.is_array() {
        desk.findings.add(value, "must be a list of names", "write `required: [name]` beside `properties`");
    }
    let mut names = Vec::new();
    for item in value.items() {
        match item.text() {
            Some(name) => names.push(name.into()),
            None => desk.findings.add(item, "must be a name", "write the name of a property in quotes"),
        }
    }
    names.into()
}

fn schemas<'a>(value: Node<'a>, desk: &mut Desk<'_, 'a>) -> Box<[SchemaId]> {
    value.items().map(|item| desk.number(item)).collect()
}

fn expect_object(value: Node<'_>, desk: &mut Desk<'_, '_>) {
    if !value.value.is_object() {
        desk.findings.add(value, "must be an object", "write `name: {…}` for each of them");
    }
}

fn number_rules(schema: &mut Schema) -> &mut NumberRules {
    schema.number.get_or_insert_default()
}

fn text(schema: &mut Schema) -> &mut TextRules {
    schema.text.get_or_insert_default()
}

fn list(schema: &mut Schema) -> &mut ListRules {
    schema.list.get_or_insert_default()
}

fn object(schema: &mut Schema) -> &mut ObjectRules {
    schema.object.get_or_insert_default()
}
