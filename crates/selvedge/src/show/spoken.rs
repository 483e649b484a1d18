//! Which field a condition speaks of, and where that field stands in its file.
//!
//! Conditions are sentences, which name in backticks what is missing. From them the reference is found again in the
//! text of the object, so that whoever reads one knows which line to mend.

use engine::status::{Condition, ObjectConditions};
use model::path::Step;
use model::{FieldPath, Resource, Resources};
use serde_json::Value;

/// An object and what is wrong with it as people read it, each with the place in `files` that asked for it.
pub fn text(object: &ObjectConditions, files: &Resources) -> String {
    let resource = files.get(&object.resource.key);
    object.text(|part, condition| place(resource?, part, condition))
}

/// `shop.yaml:12`: where the field stands that a condition speaks of; nothing for what came from no file.
fn place(resource: &Resource, part: &str, condition: &Condition) -> Option<String> {
    let sentence = condition.message.split("; ").next().unwrap_or_default();
    let line = resource.line_of(&field(resource, part, sentence))?;
    Some(format!("{}:{line}", resource.source.as_ref()?.file))
}

/// The field that a sentence about a part of an object speaks of; what is wanted as a whole when that cannot be told.
pub fn field(resource: &Resource, part: &str, sentence: &str) -> FieldPath {
    let tree = resource.written.value();
    spoken_of(sentence, &tree, resource)
        .or_else(|| rule(sentence))
        .or_else(|| listener(&tree, part))
        .unwrap_or_else(|| FieldPath::root().field("spec"))
}

/// The part of a route that a sentence begins with, or names in backticks: `rules[0]: …`.
fn rule(sentence: &str) -> Option<FieldPath> {
    let begins = sentence.trim_start_matches('`');
    let end = begins.find([':', '`', ' ']).unwrap_or(begins.len());
    let path = begins[..end].strip_prefix("spec.").unwrap_or(&begins[..end]);
    path.starts_with("rules[").then(|| FieldPath::read(&format!("spec.{path}")))
}

/// Something a sentence names: ``Service `shop/cart` ``.
#[derive(Debug, PartialEq, Eq)]
pub struct Named<'s> {
    /// The word before it, which may be its kind.
    pub kind: &'s str,
    /// Its namespace, when that is said.
    pub namespace: Option<&'s str>,
    /// Its name.
    pub name: &'s str,
}

/// Everything that a sentence names.
pub fn named(sentence: &str) -> Vec<Named<'_>> {
    let pieces: Vec<&str> = sentence.split('`').collect();
    let named = |at: usize| {
        let place = pieces[at].split('#').next().unwrap_or_default();
        let (namespace, name) = match place.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, place),
        };
        let kind = pieces[at - 1].split_whitespace().last().unwrap_or_default();
        Named { kind, namespace, name }
    };
    (1..pieces.len()).step_by(2).map(named).collect()
}

/// The field that a sentence speaks of. A name without a namespace may have it elsewhere in the sentence.
fn spoken_of(sentence: &str, tree: &Value, resource: &Resource) -> Option<FieldPath> {
    let all = named(sentence);
    let search = |wanted: &Named<'_>| find(tree, &FieldPath::root(), resource, wanted);
    let elsewhere = all.iter().filter(|wanted| wanted.namespace.is_none()).find_map(|wanted| {
        all.iter().find_map(|other| {
            search(&Named { namespace: Some(other.name), kind: wanted.kind, name: wanted.name })
        })
    });
    elsewhere.or_else(|| all.iter().find_map(search))
}

/// The first reference to what is named, in the order of the text.
fn find(value: &Value, at: &FieldPath, resource: &Resource, wanted: &Named<'_>) -> Option<FieldPath> {
    match value {
        Value::Object(map) => {
            let text = |field: &str| map.get(field).and_then(Value::as_str);
            let is_reference = text("name") == Some(wanted.name)
                && at.steps().first().is_some_and(|step| *step != Step::Field("metadata".into()))
                && text("kind").is_none_or(|kind| kind == wanted.kind || !is_kind(wanted.kind))
                && wanted
                    .namespace
                    .is_none_or(|namespace| text("namespace").unwrap_or(resource.namespace()) == namespace);
            if is_reference {
                return Some(at.field("name"));
            }
            let mut fields = map.iter();
            fields.find_map(|(name, value)| {
                let here = at.field(name.as_str());
                let is_named = matches!(value, Value::String(text) if text == wanted.name);
                // `gatewayClassName` and its like refer by a plain text, as does a kind that cannot be used.
                let refers = name.ends_with("ClassName") || name == "kind" && at.steps().len() > 1;
                match is_named && refers {
                    true => Some(here),
                    false => find(value, &here, resource, wanted),
                }
            })
        }
        Value::Array(list) => list
            .iter()
            .enumerate()
            .find_map(|(position, value)| find(value, &at.index(position), resource, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether a word is a kind.
pub fn is_kind(word: &str) -> bool {
    model::kinds::KindName::ALL.iter().any(|kind| kind.as_str() == word)
}

/// The listener that a condition speaks of.
fn listener(tree: &Value, part: &str) -> Option<FieldPath> {
    let name = part.strip_prefix("listener ")?;
    let listeners = tree["spec"]["listeners"].as_array()?;
    let position = listeners.iter().position(|listener| listener["name"] == name)?;
    Some(FieldPath::root().field("spec").field("listeners").index(position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_begins_with_a_rule_speaks_of_it() {
        let told = |sentence: &str| rule(sentence).map(|path| path.to_string());

        assert_eq!(told("rules[1]: too many; it answers with 500").as_deref(), Some("spec.rules[1]"));
        assert_eq!(
            told("`rules[0].sessionPersistence` has no effect yet").as_deref(),
            Some("spec.rules[0].sessionPersistence")
        );
        assert_eq!(told("no Backend `default/cart` exists"), None);
    }
}
