//! Walks a value along its schema.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{Direction, Fault, Where, evaluated, format};
use crate::limits::{CHECK_STEPS_MAX, FAULTS_MAX, SAME_VALUE_STEPS_MAX};
use crate::numbers;
use crate::problem::quoted;
use crate::schema::{
    Bound, ListRules, Needs, NumberRules, ObjectRules, Schema, SchemaId, Schemas, TextRules, Type, Types,
};
use crate::source::push_step;

/// One walk.
pub struct Judge<'s> {
    pub schemas: &'s Schemas,
    direction: Direction,
    place: &'s Where,
    pointer: String,
    found: Vec<Fault>,
    /// Above zero while only the verdict matters.
    quiet: usize,
    steps_left: usize,
    /// Schemas that judge the present value already, the innermost last.
    beside: Vec<SchemaId>,
}

impl<'s> Judge<'s> {
    pub fn new(schemas: &'s Schemas, direction: Direction, place: &'s Where) -> Judge<'s> {
        Judge {
            schemas,
            direction,
            place,
            pointer: String::new(),
            found: Vec::new(),
            quiet: 0,
            steps_left: CHECK_STEPS_MAX,
            beside: Vec::new(),
        }
    }

    /// Everything that is wrong.
    pub fn all(mut self, id: SchemaId, value: &Value) -> Vec<Fault> {
        let kept = self.judge(id, value);
        if !kept && self.found.is_empty() {
            self.fault("schema", "does not keep to its schema");
        }
        self.found
    }

    /// Only the verdict.
    pub fn verdict(mut self, id: SchemaId, value: &Value) -> bool {
        self.quiet = 1;
        self.judge(id, value)
    }

    /// Whether a value keeps to a schema; says what is wrong unless that is not asked for.
    pub fn judge(&mut self, id: SchemaId, value: &Value) -> bool {
        let Some(left) = self.steps_left.checked_sub(1) else {
            return self.fault("limit", format!("takes more than {CHECK_STEPS_MAX} steps to check"));
        };
        self.steps_left = left;
        // Inside of itself and for the same value, a schema is taken as met: the walk outside decides.
        if self.beside.contains(&id) {
            return true;
        }
        if self.beside.len() > SAME_VALUE_STEPS_MAX {
            return self.fault("limit", "is judged by too many schemas at once");
        }
        let schemas = self.schemas;
        let schema = schemas.get(id);
        if value.is_null() && schema.nullable {
            return true;
        }
        self.beside.push(id);
        let kept = self.own_rules(schema, value)
            & self.combined(schema, value)
            & self.unevaluated(id, schema, value);
        self.beside.pop();
        kept
    }

    /// The verdict alone.
    pub fn quietly(&mut self, id: SchemaId, value: &Value) -> bool {
        self.quiet += 1;
        let kept = self.judge(id, value);
        self.quiet -= 1;
        kept
    }

    /// The verdict alone, on a value inside of the present one.
    pub fn quietly_inside(&mut self, id: SchemaId, value: &Value) -> bool {
        let outer = std::mem::take(&mut self.beside);
        let kept = self.quietly(id, value);
        self.beside = outer;
        kept
    }

    /// A value inside of the present one.
    fn inside(&mut self, step: &str, id: SchemaId, value: &Value) -> bool {
        let before = self.pointer.len();
        if self.quiet == 0 {
            push_step(&mut self.pointer, step);
        }
        let outer = std::mem::take(&mut self.beside);
        let kept = self.judge(id, value);
        self.beside = outer;
        self.pointer.truncate(before);
        kept
    }

    fn own_rules(&mut self, schema: &Schema, value: &Value) -> bool {
        if schema.never {
            return self.fault("false", "must not be there");
        }
        if !schema.types.takes(value) {
            let what = format!("must be {}, but is {}", schema.types, type_of(value).word());
            return self.fault("type", what);
        }
        let mut kept = true;
        if let Some(choices) = &schema.choices
            && !choices.iter().any(|choice| equal(choice, value))
        {
            kept = self.fault("enum", format!("must be {}", one_of(choices)));
        }
        kept & match value {
            Value::Number(number) => schema.number.as_ref().is_none_or(|rules| self.number(rules, number)),
            Value::String(text) => schema.text.as_ref().is_none_or(|rules| self.text(rules, text)),
            Value::Array(list) => schema.list.as_ref().is_none_or(|rules| self.list(rules, list)),
            Value::Object(map) => schema.object.as_ref().is_none_or(|rules| self.object(rules, value, map)),
            Value::Null | Value::Bool(_) => true,
        }
    }

    fn combined(&mut self, schema: &Schema, value: &Value) -> bool {
        let mut kept = true;
        for id in &schema.all_of {
            kept &= self.judge(*id, value);
        }
        if !schema.any_of.is_empty() && !schema.any_of.iter().any(|id| self.quietly(*id, value)) {
            kept = self.no_branch(schema, &schema.any_of, value, "anyOf");
        }
        if !schema.one_of.is_empty() {
            match schema.one_of.iter().filter(|id| self.quietly(**id, value)).count() {
                1 => {}
                0 => kept = self.no_branch(schema, &schema.one_of, value, "oneOf"),
                many => {
                    kept = self
                        .fault("oneOf", format!("meets {many} of the alternatives, of which one is meant"));
                }
            }
        }
        if schema.not.is_some_and(|id| self.quietly(id, value)) {
            kept = self.fault("not", "meets what it must not meet");
        }
        if let Some(condition) = &schema.condition {
            let branch =
                if self.quietly(condition.when, value) { condition.then } else { condition.otherwise };
            kept &= branch.is_none_or(|id| self.judge(id, value));
        }
        kept
    }

    /// None of several schemas holds. When it can be told which was meant, its faults say more than the number of them.
    fn no_branch(
        &mut self,
        schema: &Schema,
        branches: &[SchemaId],
        value: &Value,
        rule: &'static str,
    ) -> bool {
        if self.quiet > 0 {
            return false;
        }
        let told = schema.discriminator.as_ref().and_then(|discriminator| {
            let name = value.get(&*discriminator.property)?.as_str()?;
            discriminator.mapping.iter().find(|(known, _)| **known == *name).map(|(_, id)| *id)
        });
        let by_type = || {
            let mut fitting = branches.iter().filter(|id| self.schemas.get(**id).types.takes(value)).copied();
            fitting.next().filter(|_| fitting.next().is_none())
        };
        let meant = told.or_else(by_type);
        let before = self.found.len();
        if let Some(meant) = meant {
            self.judge(meant, value);
        }
        if self.found.len() == before {
            self.fault(rule, format!("meets none of {} alternatives", branches.len()));
        }
        false
    }

    fn number(&mut self, rules: &NumberRules, number: &Number) -> bool {
        let outside = |bound: &Bound, wrong: Ordering| {
            let order = numbers::compare(number, &bound.number);
            order == wrong || (bound.exclusive && order.is_eq())
        };
        let mut kept = true;
        if let Some(bound) = rules.minimum.as_ref().filter(|bound| outside(bound, Ordering::Less)) {
            let words = if bound.exclusive { "above" } else { "at least" };
            kept = self.fault("minimum", format!("must be {words} {}", bound.number));
        }
        if let Some(bound) = rules.maximum.as_ref().filter(|bound| outside(bound, Ordering::Greater)) {
            let words = if bound.exclusive { "below" } else { "at most" };
            kept = self.fault("maximum", format!("must be {words} {}", bound.number));
        }
        if let Some(of) = rules.multiple_of.as_ref().filter(|of| !numbers::is_multiple(number, of)) {
            kept = self.fault("multipleOf", format!("must be a multiple of {of}"));
        }
        if let Some(name) = rules.format.as_deref().filter(|name| !format::number(name, number)) {
            kept = self.fault("format", format!("is out of the range of `{name}`"));
        }
        kept
    }

    fn text(&mut self, rules: &TextRules, text: &str) -> bool {
        let mut kept = true;
        if rules.length_min.is_some() || rules.length_max.is_some() {
            let length = text.chars().count() as u64;
            if let Some(least) = rules.length_min.filter(|least| length < *least) {
                kept = self
                    .fault("minLength", format!("must have at least {least} characters, but has {length}"));
            }
            if let Some(most) = rules.length_max.filter(|most| length > *most) {
                kept =
                    self.fault("maxLength", format!("must have at most {most} characters, but has {length}"));
            }
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| pattern.is_match(text) == Some(false))
        {
            kept = self.fault("pattern", format!("must match {}", quoted(pattern.as_str())));
        }
        if let Some(name) = rules.format.as_deref().filter(|name| !format::text(name, text)) {
            kept = self.fault("format", format!("is no `{name}`"));
        }
        kept
    }

    fn list(&mut self, rules: &ListRules, list: &[Value]) -> bool {
        let mut kept =
            self.size("minItems", "maxItems", "elements", rules.size_min, rules.size_max, list.len());
        for (position, element) in list.iter().enumerate() {
            if let Some(id) = rules.first.get(position).copied().or(rules.items) {
                kept &= self.inside(&position.to_string(), id, element);
            }
        }
        if rules.unique
            && let Some((first, second)) = twice(list)
        {
            kept = self.fault("uniqueItems", format!("has the same element at {first} and {second}"));
        }
        if let Some(contains) = &rules.contains {
            let fits = |element: &&Value| self.quietly_inside(contains.schema, element);
            let count = list.iter().filter(fits).count() as u64;
            if count < contains.size_min || contains.size_max.is_some_and(|most| count > most) {
                kept = self.fault("contains", format!("has {count} elements of the kind that is asked for"));
            }
        }
        kept
    }

    fn object(&mut self, rules: &ObjectRules, value: &Value, map: &Map<String, Value>) -> bool {
        let (least, most) = (rules.size_min, rules.size_max);
        let mut kept = self.size("minProperties", "maxProperties", "properties", least, most, map.len());
        for name in rules.required.iter().filter(|name| !map.contains_key(&***name)) {
            if !self.is_left_out(rules, name) {
                kept = self.fault("required", format!("has no `{name}`"));
            }
        }
        for (name, inner) in map {
            if rules.names.is_some_and(|names| !self.quietly_inside(names, &Value::String(name.clone()))) {
                kept = self.fault("propertyNames", format!("has a property with the name {}", quoted(name)));
            }
            kept &= self.property(rules, name, inner);
        }
        for Needs { name, needed } in &rules.dependent_required {
            for missing in
                needed.iter().filter(|missing| map.contains_key(&**name) && !map.contains_key(&***missing))
            {
                kept = self.fault("dependentRequired", format!("has `{name}` but no `{missing}`"));
            }
        }
        for (_, id) in rules.dependent.iter().filter(|(name, _)| map.contains_key(&**name)) {
            kept &= self.judge(*id, value);
        }
        kept
    }

    /// A property that goes the other way only need not be there, even if it is required.
    fn is_left_out(&self, rules: &ObjectRules, name: &str) -> bool {
        rules.property(name).is_some_and(|id| {
            let schema = self.schemas.get(id);
            let parts = || schema.all_of.iter().map(|id| self.schemas.get(*id));
            match self.direction {
                Direction::Request => schema.read_only || parts().any(|part| part.read_only),
                Direction::Answer => schema.write_only || parts().any(|part| part.write_only),
            }
        })
    }

    fn property(&mut self, rules: &ObjectRules, name: &str, value: &Value) -> bool {
        let (mut kept, mut known) = (true, false);
        if let Some(id) = rules.property(name) {
            known = true;
            kept &= self.inside(name, id, value);
        }
        for (pattern, id) in &rules.patterns {
            if pattern.is_match(name) != Some(false) {
                known = true;
                if pattern.is_match(name) == Some(true) {
                    kept &= self.inside(name, *id, value);
                }
            }
        }
        let Some(id) = rules.additional.filter(|_| !known) else { return kept };
        if self.schemas.get(id).never {
            let near = model::suggest::did_you_mean(name, rules.properties.iter().map(|(known, _)| &**known));
            let hint = near.map(|near| format!("; {near}")).unwrap_or_default();
            return self
                .fault("additionalProperties", format!("has an unknown property {}{hint}", quoted(name)));
        }
        kept & self.inside(name, id, value)
    }

    fn unevaluated(&mut self, id: SchemaId, schema: &Schema, value: &Value) -> bool {
        let mut kept = true;
        if let (Some(rest), Value::Object(map)) =
            (schema.object.as_ref().and_then(|rules| rules.unevaluated), value)
        {
            let seen = evaluated::properties(self, id, value, map);
            for (name, inner) in map.iter().filter(|(name, _)| !seen.contains(name.as_str())) {
                kept &= self.inside(name, rest, inner);
            }
        }
        if let (Some(rest), Value::Array(list)) =
            (schema.list.as_ref().and_then(|rules| rules.unevaluated), value)
        {
            let seen = evaluated::elements(self, id, value, list);
            for (position, inner) in list.iter().enumerate().filter(|(position, _)| !seen.contains(position))
            {
                kept &= self.inside(&position.to_string(), rest, inner);
            }
        }
        kept
    }

    fn size(
        &mut self,
        least_rule: &'static str,
        most_rule: &'static str,
        things: &str,
        least: Option<u64>,
        most: Option<u64>,
        size: usize,
    ) -> bool {
        let size = size as u64;
        let mut kept = true;
        if let Some(least) = least.filter(|least| size < *least) {
            kept = self.fault(least_rule, format!("must have at least {least} {things}, but has {size}"));
        }
        if let Some(most) = most.filter(|most| size > *most) {
            kept = self.fault(most_rule, format!("must have at most {most} {things}, but has {size}"));
        }
        kept
    }

    /// Says what is wrong, if that is asked for. Always false, so that it can end an expression.
    fn fault(&mut self, rule: &'static str, what: impl Into<String>) -> bool {
        if self.quiet == 0 && self.found.len() < FAULTS_MAX {
            let (place, pointer) = (self.place.clone(), self.pointer.clone());
            self.found.push(Fault { place, pointer, rule, what: what.into() });
        }
        false
    }
}

/// The type of a value.
fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Boolean,
        Value::Number(_) if Types::of(Type::Integer).takes(value) => Type::Integer,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::Text,
        Value::Array(_) => Type::List,
        Value::Object(_) => Type::Object,
    }
}

/// Equal as JSON Schema has it: `1` and `1.0` are the same number, and the order of properties says nothing.
pub fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => numbers::compare(left, right).is_eq(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

/// The positions of two equal elements.
fn twice(list: &[Value]) -> Option<(usize, usize)> {
    let mut known = std::collections::HashMap::new();
    list.iter().enumerate().find_map(|(position, element)| {
        let first = known.insert(canonical(element), position)?;
        Some((first, position))
    })
}

/// A text that two values share when they are equal.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(near) if number.is_f64() && near.fract() == 0.0 && near.abs() < 1e15 => format!("{near:.0}"),
            _ => number.to_string(),
        },
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(canonical).collect();
            format!("[{}]", parts.join(","))
        }
        Value::Object(map) => {
            let name = |name: &str| Value::String(name.to_owned()).to_string();
            let mut parts: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", name(key), canonical(value))).collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

/// The choices for a message; of many, the first.
fn one_of(choices: &[Value]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = choices.iter().take(SHOWN).map(|choice| quoted(&choice.to_string())).collect();
    let more = if choices.len() > SHOWN { ", …" } else { "" };
    format!("{}{}{more}", if choices.len() == 1 { "" } else { "one of " }, shown.join(", "))
}
