//! Values for what one version asks for and the other does not know.

use serde_json::Value;

use crate::check::Direction;
use crate::diff::view::View;
use crate::mock::make::{self, Look};
use crate::schema::{SchemaId, Schemas};

/// A value, and whether the description itself says that it is the one.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    pub value: Value,
    pub is_said: bool,
}

/// What to put where nothing stands.
pub fn chosen(schemas: &Schemas, ids: &[SchemaId], direction: Direction) -> Option<Chosen> {
    let view = View::together(schemas, ids);
    let default =
        view.parts.iter().filter_map(|part| part.about.as_ref()).find_map(|about| about.default.clone());
    if let Some(value) = default {
        return Some(Chosen { value, is_said: true });
    }
    if let Some(choices) = view.choices()
        && let Some(first) = choices.first()
    {
        return Some(Chosen { value: (*first).clone(), is_said: choices.len() == 1 });
    }
    let made = ids.first().and_then(|id| make::value(schemas, *id, Look::Plain, 1, direction))?;
    Some(Chosen { value: made, is_said: false })
}

/// A value as the text of a field; none for lists and objects.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
