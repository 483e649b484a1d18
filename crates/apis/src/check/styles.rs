//! Text of parameters to values (OpenAPI, "Style Values").
//!
//! Text has no types, so a text becomes the value that its schema would take: `1` is a number where numbers are asked
//! for and text where text is.

use serde_json::{Map, Number, Value};

use super::{Direction, holds};
use crate::operation::Style;
use crate::schema::{SchemaId, Schemas, Type, Types};

/// What reads text by schemas.
#[derive(Clone, Copy)]
pub struct Texts<'s> {
    pub schemas: &'s Schemas,
    pub direction: Direction,
}

impl Texts<'_> {
    /// The value of one text.
    pub fn scalar(&self, text: &str, schema: Option<SchemaId>) -> Value {
        let Some(id) = schema else { return Value::String(text.to_owned()) };
        let types = self.schemas.types_of(id);
        let candidates = candidates(text, types);
        let fits = |value: &&Value| candidates.len() == 1 || holds(self.schemas, id, value, self.direction);
        candidates.iter().find(fits).or(candidates.first()).cloned().unwrap_or(Value::Null)
    }

    /// Whether the schema asks for a list (or an object) and not for text.
    pub fn asks_for(&self, kind: Type, schema: Option<SchemaId>) -> bool {
        schema.is_some_and(|id| {
            let types = self.schemas.types_of(id);
            types.allows(kind) && !types.is_all()
        })
    }

    /// The value of one text in a style. `name` is that of the parameter.
    pub fn styled(
        &self,
        text: &str,
        style: Style,
        explode: bool,
        name: &str,
        schema: Option<SchemaId>,
    ) -> Value {
        let (text, separator) = match style {
            Style::Simple | Style::Form => (text, ","),
            Style::SpaceDelimited => (text, " "),
            Style::PipeDelimited => (text, "|"),
            Style::Label => (text.strip_prefix('.').unwrap_or(text), if explode { "." } else { "," }),
            Style::Matrix => return self.matrix(text, explode, name, schema),
            Style::DeepObject => (text, ","),
        };
        if self.asks_for(Type::Object, schema) {
            return self.object(text, separator, explode, schema);
        }
        if self.asks_for(Type::List, schema) {
            return self.list(text.split(separator), schema);
        }
        self.scalar(text, schema)
    }

    fn matrix(&self, text: &str, explode: bool, name: &str, schema: Option<SchemaId>) -> Value {
        let text = text.strip_prefix(';').unwrap_or(text);
        if explode && self.asks_for(Type::Object, schema) {
            return self.object(text, ";", true, schema);
        }
        let values: Vec<&str> = text
            .split(';')
            .map(|part| part.strip_prefix(name).map_or(part, |rest| rest.strip_prefix('=').unwrap_or(rest)))
            .collect();
        if explode && self.asks_for(Type::List, schema) {
            return self.list(values.into_iter(), schema);
        }
        self.styled(values.first().copied().unwrap_or(""), Style::Simple, false, name, schema)
    }

    /// A list of texts.
    pub fn list<'t>(&self, texts: impl Iterator<Item = &'t str>, schema: Option<SchemaId>) -> Value {
        let item = |position| schema.and_then(|id| self.schemas.items_of(id, position));
        texts.enumerate().map(|(position, text)| self.scalar(text, item(position))).collect()
    }

    /// `a,1,b,2`, or `a=1,b=2` when exploded.
    fn object(&self, text: &str, separator: &str, explode: bool, schema: Option<SchemaId>) -> Value {
        let parts: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(separator).collect() };
        let pairs: Vec<(&str, &str)> = if explode {
            parts.iter().map(|part| part.split_once('=').unwrap_or((part, ""))).collect()
        } else {
            parts.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or(""))).collect()
        };
        let mut map = Map::new();
        for (name, text) in pairs {
            map.insert(name.to_owned(), self.property(name, text, schema));
        }
        Value::Object(map)
    }

    /// The value of a text that is a property of an object.
    pub fn property(&self, name: &str, text: &str, schema: Option<SchemaId>) -> Value {
        self.scalar(text, schema.and_then(|id| self.schemas.property_of(id, name)))
    }
}

/// What a text may mean, the most telling first.
fn candidates(text: &str, types: Types) -> Vec<Value> {
    let mut found = Vec::new();
    if types.is_all() {
        // Nothing is asked for: text is what came.
        found.push(Value::String(text.to_owned()));
    }
    if types.allows(Type::Integer)
        && let Some(number) = number(text)
    {
        found.push(Value::Number(number));
    }
    match text {
        "true" if types.allows(Type::Boolean) => found.push(Value::Bool(true)),
        "false" if types.allows(Type::Boolean) => found.push(Value::Bool(false)),
        "null" | "" if types.allows(Type::Null) => found.push(Value::Null),
        _ => {}
    }
    found.push(Value::String(text.to_owned()));
    found
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<Number> {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    begins.then(|| serde_json::from_str(text).ok()).flatten()
}
