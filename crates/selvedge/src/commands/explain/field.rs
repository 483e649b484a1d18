//! `selvedge explain KIND.field`: what a field is, from the schema that judges it.
//!
//! The documents are those that the API serves to `kubectl explain`, made from the schemas that refuse mistakes: what is
//! told here is what will be checked.

use std::fmt::Write as _;

use control::objects::documents::openapi_v3;
use model::kinds::{KindName, Scope};
use model::suggest;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::{BOLD, styled};
use crate::remote::kinds;

/// Deepest list of fields below the one that was asked for.
const DEPTH: usize = 2;
/// Longest list of choices, and longest pattern, that is shown.
const SHOWN_CHARS_MAX: usize = 120;

/// The text about `KIND` or `KIND.field.field`.
pub fn explain(question: &str) -> Result<String, Failure> {
    let (kind, fields) = question.split_once('.').unwrap_or((question, ""));
    let found = kinds::find(kind)?;
    let Some(name) = kinds::of_model(&found) else {
        return Err(Failure::new(
            Exit::Missing,
            format!("there is no schema of {}", found.kind),
            "it is made by the control plane, which docs/status-api.md describes",
        ));
    };
    let mut place = Place { path: found.kind.to_string(), schema: of_kind(name), required: false };
    for field in fields.split('.').filter(|field| !field.is_empty()) {
        place = place.field(field.split('[').next().unwrap_or(field))?;
    }
    let mut text = styled(BOLD, &place.path);
    if fields.is_empty() {
        let scope = match name.scope() {
            Scope::Namespaced => "in a namespace",
            Scope::Cluster => "outside of namespaces",
        };
        let _cannot_fail = write!(text, "\n  apiVersion  {}\n  lives       {scope}", name.api_version());
    }
    text.push_str(&place.facts());
    if let Some(words) = words(&place.schema) {
        let _cannot_fail = write!(text, "\n  means       {words}");
    }
    let fields = lines(&place.schema, 1, 0);
    if !fields.is_empty() {
        let _cannot_fail = write!(text, "\n\n{}", fields.join("\n"));
    }
    Ok(text)
}

/// The schema of a whole object, with that of its metadata in it.
fn of_kind(kind: KindName) -> Value {
    let root = if kind.group().is_empty() { "api" } else { "apis" };
    let document = openapi_v3(&format!("{root}/{}", kind.api_version())).unwrap_or_default();
    let schemas = &document["components"]["schemas"];
    let ending = |suffix: &str| {
        let mut all = schemas.as_object().into_iter().flatten();
        all.find(|(name, _)| name.ends_with(suffix)).map(|(_, schema)| schema.clone()).unwrap_or_default()
    };
    let mut schema = ending(&format!(".{kind}"));
    let words = schema["properties"]["metadata"]["description"].take();
    schema["properties"]["metadata"] = ending(".ObjectMeta");
    schema["properties"]["metadata"]["description"] = words;
    schema
}

/// A field with its schema.
struct Place {
    path: String,
    schema: Value,
    required: bool,
}

impl Place {
    /// A field of it, or of its elements.
    fn field(&self, name: &str) -> Result<Place, Failure> {
        let schema = inside(&self.schema);
        let fields = schema["properties"].as_object();
        if let Some(found) = fields.and_then(|fields| fields.get(name)) {
            return Ok(Place {
                path: format!("{}.{name}", self.path),
                schema: found.clone(),
                required: is_required(schema, name),
            });
        }
        if schema["additionalProperties"].is_object() {
            let schema = schema["additionalProperties"].clone();
            return Ok(Place { path: format!("{}.{name}", self.path), schema, required: false });
        }
        let names: Vec<&str> = fields.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let hint =
            suggest::did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
                true => "it has no fields".to_owned(),
                false => format!("there are: {}", names.join(", ")),
            });
        Err(Failure::new(Exit::Missing, format!("{} has no field `{name}`", self.path), hint))
    }

    fn facts(&self) -> String {
        let mut facts = vec![("type", kind_of(&self.schema))];
        facts.push(("required", if self.required { "yes".to_owned() } else { String::new() }));
        facts.extend(bounds(&self.schema));
        let items = inside(&self.schema);
        if !std::ptr::eq(items, &self.schema) {
            facts.extend(bounds(items).into_iter().map(|(name, fact)| match name {
                "default" => ("", fact),
                name => (name, if fact.is_empty() { fact } else { format!("{fact} (each)") }),
            }));
        }
        for rule in rules(&self.schema).chain(rules(items).filter(|_| !std::ptr::eq(items, &self.schema))) {
            facts.push(("rule", rule));
        }
        let line = |(name, fact): &(&str, String)| format!("\n  {name:<10}  {fact}");
        facts.iter().filter(|(name, fact)| !name.is_empty() && !fact.is_empty()).map(line).collect()
    }
}

/// The schema of the elements of a list, however deep; else the schema itself.
fn inside(schema: &Value) -> &Value {
    match schema.get("items") {
        Some(items) if items.is_object() => inside(items),
        _ => schema,
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|required| required == name)
}

/// `list of objects`, `map of text`, `whole number`.
fn kind_of(schema: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "whole number or text".to_owned();
    }
    match schema["type"].as_str() {
        Some("array") => match kind_of(&schema["items"]).as_str() {
            "object" => "list of objects".to_owned(),
            "whole number" => "list of whole numbers".to_owned(),
            of => format!("list of {of}"),
        },
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("map of {}", kind_of(&schema["additionalProperties"]))
        }
        Some("object") => "object".to_owned(),
        Some("string") => match schema["format"].as_str() {
            Some(format) => format!("text ({format})"),
            None => "text".to_owned(),
        },
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    }
}

/// What a value must be, as far as it is told in numbers and words.
fn bounds(schema: &Value) -> Vec<(&'static str, String)> {
    let default = schema.get("default").map(Value::to_string).unwrap_or_default();
    let choices = schema["enum"].as_array().into_iter().flatten();
    let choices: Vec<String> =
        choices.map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)).collect();
    let range = |least: &str, most: &str| match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    };
    vec![
        ("default", default),
        ("one of", cut(&choices.join(", "))),
        ("value", range("minimum", "maximum")),
        ("characters", range("minLength", "maxLength")),
        ("elements", range("minItems", "maxItems")),
        ("pattern", cut(schema["pattern"].as_str().unwrap_or_default())),
    ]
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{shown}…")
}

/// Rules between fields, in the words in which they are refused.
fn rules(schema: &Value) -> impl Iterator<Item = String> + '_ {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["message"].as_str()).map(str::to_owned)
}

/// What the field is for.
fn words(schema: &Value) -> Option<&str> {
    schema["description"].as_str().filter(|words| !words.is_empty())
}

/// The fields below, a line each.
fn lines(schema: &Value, indent: usize, depth: usize) -> Vec<String> {
    let schema = inside(schema);
    let fields: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, field) in fields {
        let required = if is_required(schema, name) { ", required" } else { "" };
        let default = field.get("default").filter(|default| !default.is_object() && !default.is_array());
        let default = default.map(|value| format!(", default {value}")).unwrap_or_default();
        let words = words(field).filter(|_| depth == 0).map(|words| format!(": {words}")).unwrap_or_default();
        lines.push(format!(
            "{:indent$}{name:<width$}  {}{required}{default}{words}",
            "",
            kind_of(field),
            indent = indent * 2
        ));
        if depth + 1 < DEPTH {
            lines.extend(self::lines(field, indent + 1, depth + 1));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(question: &str) -> String {
        match explain(question) {
            Ok(text) => anstream::adapter::strip_str(&text).to_string(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn a_field_is_told_with_its_type_and_its_bounds() {
        let text = plain("gw.spec.listeners.port");

        assert!(text.starts_with("Gateway.spec.listeners.port\n  type        whole number"), "{text}");
        assert!(
            text.contains("\n  required    yes") && text.contains("\n  value       1 to 65535"),
            "{text}"
        );
    }

    #[test]
    fn a_kind_is_told_with_its_fields() {
        let text = plain("httproute");

        assert!(text.contains("apiVersion  gateway.networking.k8s.io/v1"), "{text}");
        assert!(text.contains("\n  spec") && text.contains("\n    rules"), "{text}");
    }

    #[test]
    fn every_kind_can_be_explained() {
        for kind in KindName::ALL {
            assert!(plain(&format!("{}.metadata", kind.plural())).contains("\n  ownerReferences"), "{kind}");
            assert!(
                plain(kind.plural()).contains(&format!("\n  apiVersion  {}", kind.api_version())),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_field_that_does_not_exist_is_guessed() {
        assert!(
            plain("hr.spec.rule")
                .contains("error: HTTPRoute.spec has no field `rule`\nhint: did you mean `rules`?")
        );
        assert!(plain("svc.spec.ports.zzz").contains("hint: there are: "));
        assert!(plain("proxies").contains("docs/status-api.md"));
    }
}
