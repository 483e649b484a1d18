//! Turns a schema file into a [`Schema`].
//!
//! The files are part of this program, so a fault in one is a fault of ours: compiling panics, and a test
//! compiles them all. Keywords that are not listed here are such a fault.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Number, Value};

use super::format::Format;
use super::rules::{Expression, Rule};
use super::{Bounds, Fault, ListShape, ObjectShape, PatchStrategy, Pattern, Schema, Shape, Unique};
use crate::path::FieldPath;

/// A schema as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    r#type: Option<String>,
    properties: serde_json::Map<String, Value>,
    required: Vec<Arc<str>>,
    additional_properties: Option<Value>,
    items: Option<Value>,
    default: Option<Value>,
    r#enum: Vec<Value>,
    pattern: Option<String>,
    format: Option<String>,
    min_length: usize,
    max_length: Option<usize>,
    min_items: usize,
    max_items: Option<usize>,
    max_properties: Option<usize>,
    minimum: Option<Number>,
    maximum: Option<Number>,
    one_of: Vec<Value>,
    any_of: Vec<Value>,
    not: Option<Value>,
    #[serde(rename = "x-kubernetes-int-or-string")]
    int_or_string: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    preserve_unknown_fields: bool,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Option<String>,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_map_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: Option<String>,
    #[serde(rename = "x-kubernetes-patch-strategy")]
    patch_strategy: Option<String>,
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    patch_merge_key: Option<String>,
    #[serde(rename = "x-kubernetes-validations")]
    validations: Vec<WrittenRule>,
    /// Ours: the pattern of the keys of a map.
    #[serde(rename = "x-selvedge-keys")]
    keys: Option<String>,
    /// Ours: fields of the elements of a list that no two of them may have alike. A rule that compares each with each
    /// would take the square of their number.
    #[serde(rename = "x-selvedge-distinct")]
    distinct: Vec<String>,
    /// Ours: elements of a list that are told apart for merging may yet stand there twice.
    #[serde(rename = "x-selvedge-duplicates")]
    duplicates: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRule {
    rule: String,
    message: Option<String>,
    /// From where the rule stands: `.listeners`, or `['a.b']` for a name that is no word.
    field_path: Option<String>,
    reason: Option<Reason>,
}

/// Of what sort a fault is, in the words of Kubernetes.
#[derive(Clone, Copy, Deserialize)]
enum Reason {
    #[serde(rename = "FieldValueInvalid")]
    Invalid,
    #[serde(rename = "FieldValueForbidden")]
    Forbidden,
    #[serde(rename = "FieldValueRequired")]
    Required,
    #[serde(rename = "FieldValueDuplicate")]
    Duplicate,
}

/// Patterns and rules repeat many times in a schema; each is kept once.
#[derive(Default)]
struct Compiler {
    name: String,
    patterns: HashMap<String, Arc<Pattern>>,
    expressions: HashMap<String, Arc<Expression>>,
}

/// The compiled form of a schema file.
///
/// # Panics
/// When the file is not a schema, or has a keyword that is not understood.
pub fn compile(name: &str, text: &str) -> Schema {
    Compiler::new(name).file(text)
}

impl Compiler {
    fn new(name: &str) -> Self {
        Compiler { name: name.to_owned(), ..Compiler::default() }
    }

    fn file(&mut self, text: &str) -> Schema {
        let value =
            serde_json::from_str(text).unwrap_or_else(|fault| self.fault(&format!("no JSON: {fault}")));
        self.schema(value)
    }

    fn schema(&mut self, value: Value) -> Schema {
        let mut written: Written =
            serde_json::from_value(value).unwrap_or_else(|fault| self.fault(&fault.to_string()));
        let (transitions, rules) = std::mem::take(&mut written.validations)
            .into_iter()
            .map(|rule| self.rule(rule))
            .partition(|rule| rule.expression.is_transition());
        let schema = Schema {
            default: written.default.take(),
            rules,
            transitions,
            patch: self.patch(&mut written),
            one_of: self.schemas(std::mem::take(&mut written.one_of)),
            any_of: self.schemas(std::mem::take(&mut written.any_of)),
            not: written.not.take().map(|inner| Box::new(self.schema(inner))),
            bounds: self.bounds(&mut written),
            shape: self.shape(written),
        };
        let mut rules = schema.rules.iter().chain(&schema.transitions);
        if let Some(lost) = rules.find(|rule| schema.at(&rule.field).is_none()) {
            self.fault(&format!("fieldPath `{}` leads to no field", lost.field));
        }
        schema
    }

    fn schemas(&mut self, values: Vec<Value>) -> Vec<Schema> {
        values.into_iter().map(|value| self.schema(value)).collect()
    }

    fn shape(&mut self, written: Written) -> Shape {
        if written.int_or_string {
            return Shape::IntOrText;
        }
        match written.r#type.as_deref() {
            Some("object") => Shape::Object(self.object(written, false)),
            Some("array") => Shape::List(self.list(written)),
            Some("string") => Shape::Text,
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Boolean,
            Some(other) => self.fault(&format!("type {other}")),
            // Branches of `oneOf` say something about single fields of an object that is typed around them.
            None if !written.properties.is_empty() => Shape::Object(self.object(written, true)),
            None => Shape::Any,
        }
    }

    fn object(&mut self, written: Written, open: bool) -> ObjectShape {
        ObjectShape {
            fields: written
                .properties
                .into_iter()
                .map(|(name, inner)| (name.into(), self.schema(inner)))
                .collect(),
            required: written.required,
            values: written.additional_properties.map(|inner| Box::new(self.schema(inner))),
            keys: written.keys.map(|pattern| self.pattern(pattern)),
            open: open || written.preserve_unknown_fields,
            size_max: written.max_properties,
            atomic: match written.map_type.as_deref() {
                None | Some("granular") => false,
                Some("atomic") => true,
                Some(other) => self.fault(&format!("map type {other}")),
            },
        }
    }

    fn list(&mut self, written: Written) -> ListShape {
        let unique = match written.list_type.as_deref() {
            None | Some("atomic") => Unique::Nothing,
            Some("set") => Unique::Elements,
            Some("map") => Unique::Fields(written.list_map_keys),
            Some(other) => self.fault(&format!("list type {other}")),
        };
        let items = written.items.unwrap_or_else(|| self.fault("a list without items"));
        ListShape {
            items: Box::new(self.schema(items)),
            size_min: written.min_items,
            size_max: written.max_items,
            unique,
            distinct: written.distinct,
            duplicates: written.duplicates,
        }
    }

    fn bounds(&mut self, written: &mut Written) -> Bounds {
        let format = written.format.take();
        Bounds {
            choices: std::mem::take(&mut written.r#enum),
            pattern: written.pattern.take().map(|pattern| self.pattern(pattern)),
            format: format.and_then(|name| {
                Format::find(&name).unwrap_or_else(|| self.fault(&format!("format {name}")))
            }),
            length_min: written.min_length,
            length_max: written.max_length,
            minimum: written.minimum.take(),
            maximum: written.maximum.take(),
        }
    }

    fn pattern(&mut self, text: String) -> Arc<Pattern> {
        let known = self.patterns.entry(text.clone());
        known.or_insert_with(|| Arc::new(Pattern::new(text))).clone()
    }

    fn patch(&self, written: &mut Written) -> PatchStrategy {
        let strategies = written.patch_strategy.take().unwrap_or_default();
        let mut patch =
            PatchStrategy { merge_key: written.patch_merge_key.take(), ..PatchStrategy::default() };
        for strategy in strategies.split(',').filter(|strategy| !strategy.is_empty()) {
            match strategy {
                "merge" => patch.merge = true,
                "retainKeys" => patch.retain_keys = true,
                other => self.fault(&format!("patch strategy {other}")),
            }
        }
        patch
    }

    fn rule(&mut self, written: WrittenRule) -> Rule {
        let WrittenRule { rule: expression, message, field_path, reason } = written;
        let message = message.unwrap_or_else(|| format!("breaks the rule `{expression}`"));
        let path = field_path.unwrap_or_default().replace("['", "[\"").replace("']", "\"]");
        let fault = match reason {
            None | Some(Reason::Invalid) => Fault::Invalid,
            Some(Reason::Forbidden) => Fault::Unknown,
            Some(Reason::Required) => Fault::Missing,
            Some(Reason::Duplicate) => Fault::Duplicate,
        };
        let known = self.expressions.entry(expression.clone());
        let expression = known.or_insert_with(|| Arc::new(Expression::new(expression))).clone();
        Rule { expression, message: message.into(), field: FieldPath::read(&path), fault }
    }

    fn fault(&self, what: &str) -> ! {
        panic!("schema {}: {what}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KindName;
    use crate::schema;

    #[test]
    fn a_rule_names_the_field_that_is_to_blame_and_of_what_sort_the_fault_is() {
        let schema = compile(
            "test",
            r#"{"type": "object", "properties": {
                "limits": {"type": "object", "properties": {"low": {"type": "integer"}, "a.b": {"type": "integer"}}}},
                "x-kubernetes-validations": [
                    {"rule": "self.limits.low > 3", "message": "is low", "fieldPath": ".limits.low"},
                    {"rule": "false", "message": "is not", "fieldPath": ".limits['a.b']", "reason": "FieldValueRequired"},
                    {"rule": "false", "message": "nothing fits"}]}"#,
        );

        let value = serde_json::json!({"limits": {"low": 1}});
        let found = schema.check(FieldPath::root().field("spec"), &value, &schema::Judge::new());

        let told: Vec<_> = found.iter().map(|one| (one.field.to_string(), one.fault)).collect();
        assert_eq!(
            told,
            [
                ("spec.limits.low".to_owned(), Fault::Invalid),
                (r#"spec.limits["a.b"]"#.to_owned(), Fault::Missing),
                ("spec".to_owned(), Fault::Invalid)
            ]
        );
    }

    #[test]
    #[should_panic(expected = "schema test: fieldPath `limits.high` leads to no field")]
    fn a_field_path_that_leads_nowhere_is_a_fault_of_the_schema() {
        compile(
            "test",
            r#"{"type": "object", "properties": {"limits": {"type": "object", "properties": {}}},
                "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".limits.high"}]}"#,
        );
    }

    /// They are compiled when a value first meets them; a fault of ours must not wait for that value.
    #[test]
    fn every_pattern_and_every_rule_of_every_schema_compiles() {
        let files = KindName::ALL.iter().map(|kind| (kind.as_str(), schema::text_of(*kind)));
        let statuses =
            KindName::ALL.iter().filter_map(|kind| Some((kind.as_str(), schema::status_text_of(*kind)?)));
        for (name, text) in files.chain(statuses).chain([("metadata", schema::METADATA)]) {
            let mut compiler = Compiler::new(name);
            compiler.file(text);

            for pattern in compiler.patterns.values() {
                pattern.is_match("");
            }
            for expression in compiler.expressions.values() {
                expression.program();
            }
        }
    }
}
