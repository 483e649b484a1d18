//! Fills in what a schema says about fields nobody wrote.
//!
//! As in Kubernetes, a field written without a value counts as not written, and defaults are looked for inside of
//! what defaults put there. New fields go behind the written ones: that is what keeps the line table aligned.

use serde_json::Value;

use super::{ObjectShape, Schema, Shape};
use crate::resource::Lines;

/// Fills a tree.
pub fn fill(schema: &Schema, value: &mut Value, lines: &mut Lines) {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(map)) => fill_object(object, map, lines),
        (Shape::List(list), Value::Array(elements)) => {
            let mut unwritten = Lines::default();
            for (position, element) in elements.iter_mut().enumerate() {
                fill(&list.items, element, lines.children.get_mut(position).unwrap_or(&mut unwritten));
            }
        }
        // A value of the wrong type is left for the check to report.
        (
            Shape::Object(_)
            | Shape::List(_)
            | Shape::Text
            | Shape::Integer
            | Shape::Number
            | Shape::Boolean
            | Shape::IntOrText
            | Shape::Any,
            _,
        ) => {}
    }
}

fn fill_object(object: &ObjectShape, map: &mut serde_json::Map<String, Value>, lines: &mut Lines) {
    drop_empty_fields(object, map, lines);
    for (name, schema) in object.fields.iter() {
        if let Some(default) = &schema.default
            && !map.contains_key(&**name)
        {
            map.insert(name.to_string(), default.clone());
        }
    }
    let mut unwritten = Lines::default();
    for (position, (name, value)) in map.iter_mut().enumerate() {
        if let Some(schema) = object.fields.get(name).or(object.values.as_deref()) {
            fill(schema, value, lines.children.get_mut(position).unwrap_or(&mut unwritten));
        }
    }
}

/// An unknown field stays even when it is empty, so that a slip in its name is reported.
fn drop_empty_fields(object: &ObjectShape, map: &mut serde_json::Map<String, Value>, lines: &mut Lines) {
    if !map.values().any(Value::is_null) {
        return;
    }
    let mut position = 0;
    map.retain(|name, value| {
        let dropped = value.is_null() && (object.fields.get(name).is_some() || object.values.is_some());
        if !dropped {
            position += 1;
        } else if position < lines.children.len() {
            lines.children.remove(position);
        }
        !dropped
    });
}
