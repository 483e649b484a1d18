//! Walks a tree along its schema and collects everything that is wrong.
//!
//! The walk does not stop at the first fault. Only the rules of a node are left out when something inside of it
//! is malformed already: they assume well-formed values, and what they would say is noise.

use serde_json::{Number, Value};

use super::rules::Judge;
use super::words::{choice, pattern_remedy, quoted, shown, type_of, type_remedy, wanted};
use super::{Bounds, ListShape, ObjectShape, Pattern, Schema, Shape, Unique};
use crate::path::{FieldPath, Step};
use crate::suggest;

/// Most findings of one object. A list of a million wrong elements needs no million messages.
const FINDINGS_MAX: usize = 1_000;

/// Of what sort a fault is; clients of the API tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A value that must be there is not.
    Missing,
    /// There is no such field.
    Unknown,
    /// The value is of another type.
    Type,
    /// The value is none of the choices.
    Choice,
    /// Text or an object is too long.
    TooLong,
    /// A list has too many elements.
    TooMany,
    /// The same thing stands there twice.
    Duplicate,
    /// The value is wrong in another way, or breaks a rule.
    Invalid,
}

/// One fault at one place of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what sort.
    pub fault: Fault,
    /// Where, from the root of the object.
    pub field: FieldPath,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Everything that is wrong with a tree.
pub fn check(schema: &Schema, at: FieldPath, value: &Value, judge: &Judge) -> Vec<Finding> {
    let mut walk = Walk { at, found: Vec::new(), judge, envelope: false };
    walk.value(schema, value);
    walk.found
}

/// Fields of a whole object that its schema does not speak of.
const ENVELOPE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Everything that is wrong with a whole object, `metadata` aside.
pub fn check_object(schema: &Schema, object: &Value, judge: &Judge) -> Vec<Finding> {
    let mut walk = Walk { at: FieldPath::root(), found: Vec::new(), judge, envelope: true };
    walk.value(schema, object);
    walk.found
}

struct Walk<'a> {
    at: FieldPath,
    found: Vec<Finding>,
    judge: &'a Judge,
    /// Whether the root is a whole object.
    envelope: bool,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Schema, value: &Value) {
        let before = self.found.len();
        match (&schema.shape, value) {
            (Shape::Object(object), Value::Object(map)) => self.object(object, map),
            (Shape::List(list), Value::Array(elements)) => self.list(list, elements),
            (Shape::Text | Shape::IntOrText, Value::String(text)) => self.text(&schema.bounds, text),
            (Shape::Integer | Shape::IntOrText | Shape::Number, Value::Number(number))
                if !number.is_f64() =>
            {
                self.number(&schema.bounds, number);
            }
            (Shape::Number, Value::Number(number)) => self.number(&schema.bounds, number),
            (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::Any, Value::String(text)) => self.text(&schema.bounds, text),
            (Shape::Any, _) => {}
            (shape, other) => {
                let problem = format!("must be {}, but is {}", wanted(shape), type_of(other));
                return self.add_as(Fault::Type, problem, type_remedy(shape, &schema.bounds, other));
            }
        }
        self.choices(&schema.bounds.choices, value);
        self.branches(schema, value);
        if self.found.len() == before {
            self.rules(schema, value);
        }
    }

    fn object(&mut self, object: &ObjectShape, map: &serde_json::Map<String, Value>) {
        for name in object.required.iter().filter(|name| !map.contains_key(&***name)) {
            let wants = object.fields.get(name).map_or("a value", |field| wanted(&field.shape));
            let remedy = format!("add `{name}:` with {wants}");
            self.within(Step::Field(name.clone()), |walk| {
                walk.add_as(Fault::Missing, "is missing", Some(remedy))
            });
        }
        if object.size_max.is_some_and(|most| map.len() > most) {
            self.add_as(
                Fault::TooLong,
                format!("has {} entries, at most {} are allowed", map.len(), object.size_max.unwrap_or(0)),
                None,
            );
        }
        for (name, value) in map {
            let step = || Step::Field(name.as_str().into());
            match (object.fields.get(name), &object.values) {
                (Some(schema), _) => self.within(step(), |walk| walk.value(schema, value)),
                (None, Some(schema)) => self.within(step(), |walk| {
                    walk.key(object.keys.as_deref(), name);
                    walk.value(schema, value);
                }),
                (None, None) if object.open || self.is_envelope(name) => {}
                (None, None) => self.within(step(), |walk| walk.unknown_field(object, name)),
            }
        }
    }

    fn is_envelope(&self, name: &str) -> bool {
        self.envelope && self.at.steps().is_empty() && ENVELOPE.contains(&name)
    }

    fn unknown_field(&mut self, object: &ObjectShape, name: &str) {
        let fields = || object.fields.names();
        let remedy = suggest::did_you_mean(name, fields()).or_else(|| {
            choice(fields()).map(|names| format!("the fields here are {}", names.replace(" or ", " and ")))
        });
        self.add_as(Fault::Unknown, format!("there is no field {}", quoted(name)), remedy);
    }

    fn key(&mut self, pattern: Option<&Pattern>, name: &str) {
        if let Some(pattern) = pattern.filter(|pattern| !pattern.is_match(name)) {
            self.add(format!("{} cannot be a key here", quoted(name)), Some(pattern_remedy(&pattern.text)));
        }
    }

    fn list(&mut self, list: &ListShape, elements: &[Value]) {
        let size = elements.len();
        if size < list.size_min {
            self.add(format!("has {size} elements, at least {} are needed", list.size_min), None);
        }
        if let Some(most) = list.size_max.filter(|most| size > *most) {
            self.add_as(Fault::TooMany, format!("has {size} elements, at most {most} are allowed"), None);
        }
        for (position, element) in elements.iter().enumerate() {
            self.within(Step::Index(position), |walk| walk.value(&list.items, element));
        }
        if !list.duplicates {
            self.duplicates(&list.unique, elements);
        }
        list.distinct.iter().for_each(|field| self.not_distinct(field, elements));
    }

    fn not_distinct(&mut self, field: &str, elements: &[Value]) {
        let mut seen = std::collections::HashMap::with_capacity(elements.len());
        for (position, value) in
            elements.iter().enumerate().filter_map(|(at, own)| Some((at, own.get(field)?)))
        {
            if let Some(first) = seen.insert(value.to_string(), position) {
                let problem = format!("{field} {} stands at position {first} already", shown(value));
                let remedy = Some("give one of the two another".to_owned());
                self.within(Step::Index(position), |walk| {
                    walk.within(Step::Field(field.into()), |walk| {
                        walk.add_as(Fault::Duplicate, problem, remedy)
                    });
                });
            }
        }
    }

    fn duplicates(&mut self, unique: &Unique, elements: &[Value]) {
        let mut seen = std::collections::HashMap::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            let (key, words) = match unique {
                Unique::Nothing => return,
                Unique::Elements => (element.to_string(), shown(element)),
                Unique::Fields(fields) => fields_of(element, fields),
            };
            if let Some(first) = seen.insert(key, position) {
                self.within(Step::Index(position), |walk| {
                    walk.add_as(
                        Fault::Duplicate,
                        format!("{words} stands at position {first} already"),
                        Some("remove one of the two".to_owned()),
                    )
                });
            }
        }
    }

    fn text(&mut self, bounds: &Bounds, text: &str) {
        let length = text.chars().count();
        if length < bounds.length_min {
            let problem = if length == 0 {
                "must not be empty".to_owned()
            } else {
                format!("is shorter than {} characters", bounds.length_min)
            };
            return self.add(problem, None);
        }
        if let Some(most) = bounds.length_max.filter(|most| length > *most) {
            let problem = format!("has {length} characters, at most {most} are allowed");
            return self.add_as(Fault::TooLong, problem, None);
        }
        if let Some(pattern) = bounds.pattern.as_deref().filter(|pattern| !pattern.is_match(text)) {
            self.add(format!("{} is not valid here", quoted(text)), Some(pattern_remedy(&pattern.text)));
        }
        if let Some(problem) = bounds.format.and_then(|format| format.problem(text)) {
            self.add(problem.problem, problem.remedy);
        }
    }

    fn number(&mut self, bounds: &Bounds, number: &Number) {
        let range = match (&bounds.minimum, &bounds.maximum) {
            (Some(least), Some(most)) => format!("use a number from {least} to {most}"),
            (Some(least), None) => format!("use {least} or more"),
            (None, Some(most)) => format!("use {most} or less"),
            (None, None) => return,
        };
        let value = number.as_f64().unwrap_or(f64::NAN);
        let inside = |bound: &Option<Number>, fits: fn(f64, f64) -> bool| {
            bound.as_ref().and_then(Number::as_f64).is_none_or(|bound| fits(value, bound))
        };
        if !inside(&bounds.minimum, |value, least| value >= least) {
            self.add(format!("{number} is too small"), Some(range));
        } else if !inside(&bounds.maximum, |value, most| value <= most) {
            self.add(format!("{number} is too large"), Some(range));
        }
    }

    fn choices(&mut self, choices: &[Value], value: &Value) {
        if choices.is_empty() || choices.contains(value) {
            return;
        }
        let names: Vec<String> = choices
            .iter()
            .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
            .collect();
        let names = || names.iter().map(String::as_str);
        let meant = value.as_str().and_then(|text| suggest::did_you_mean(text, names()));
        let remedy = meant.or_else(|| choice(names()).map(|list| format!("use {list}")));
        self.add_as(Fault::Choice, format!("{} is not one of the choices", shown(value)), remedy);
    }

    /// `oneOf`, `anyOf`, `not`.
    fn branches(&mut self, schema: &Schema, value: &Value) {
        if let Some(not) = &schema.not
            && self.apart(not, value).is_empty()
        {
            self.add(format!("{} is not allowed here", shown(value)), None);
        }
        if !schema.any_of.is_empty() {
            let failed: Vec<Vec<Finding>> =
                schema.any_of.iter().map(|branch| self.apart(branch, value)).collect();
            if failed.iter().all(|findings| !findings.is_empty()) {
                let problems: Vec<_> =
                    failed.iter().flatten().map(|finding| finding.problem.as_str()).collect();
                self.add(format!("{} {}", shown(value), problems.join(" and ")), None);
            }
        }
        if !schema.one_of.is_empty() {
            let mut failed: Vec<Vec<Finding>> =
                schema.one_of.iter().map(|branch| self.apart(branch, value)).collect();
            match failed.iter().filter(|findings| findings.is_empty()).count() {
                1 => {}
                0 => {
                    let nearest = (0..failed.len()).min_by_key(|branch| failed[*branch].len()).unwrap_or(0);
                    let nearest = failed.swap_remove(nearest);
                    nearest.into_iter().for_each(|finding| self.found.push(finding));
                }
                _ => self.add("fits more than one of the forms that exclude each other", None),
            }
        }
    }

    /// What would be wrong if this schema applied as well.
    fn apart(&self, schema: &Schema, value: &Value) -> Vec<Finding> {
        check(schema, self.at.clone(), value, self.judge)
    }

    fn rules(&mut self, schema: &Schema, value: &Value) {
        for rule in self.judge.broken(schema, value) {
            self.found.push(rule.finding(&self.at));
        }
    }

    fn within(&mut self, step: Step, visit: impl FnOnce(&mut Self)) {
        if self.found.len() >= FINDINGS_MAX {
            return;
        }
        self.at.push(step);
        visit(self);
        self.at.pop();
    }

    fn add(&mut self, problem: impl Into<String>, remedy: Option<String>) {
        self.add_as(Fault::Invalid, problem, remedy);
    }

    fn add_as(&mut self, fault: Fault, problem: impl Into<String>, remedy: Option<String>) {
        self.found.push(Finding { fault, field: self.at.clone(), problem: problem.into(), remedy });
    }
}

/// The values of the fields that tell elements of a list apart, and how to speak of them. Header names and the
/// like are compared as they are written.
fn fields_of(element: &Value, fields: &[String]) -> (String, String) {
    let values: Vec<&Value> = fields.iter().map(|field| element.get(field).unwrap_or(&Value::Null)).collect();
    let key = values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let words = fields.iter().zip(values).map(|(field, value)| format!("{field} {}", shown(value)));
    (key, words.collect::<Vec<_>>().join(" with "))
}
