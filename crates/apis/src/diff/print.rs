//! A text that two schemas share when they say the same, wherever they stand.
//!
//! Used where it is asked *whether* rules differ and not how. What people are told (titles, examples) is not part of it.

use std::fmt::Write as _;

use crate::schema::{Schema, SchemaId, Schemas};

/// How deep a print goes; what is deeper is told apart by its name alone.
const DEPTH: usize = 8;
/// Longest print, in bytes; two that are cut count as different.
const BYTES: usize = 256 << 10;

/// The text; nothing when it would be too long to compare.
pub fn print(schemas: &Schemas, id: SchemaId) -> Option<String> {
    let mut text = String::new();
    whole(schemas, id, DEPTH, &mut text);
    (text.len() <= BYTES).then_some(text)
}

/// The texts of several schemas, sorted: their order says nothing.
pub fn prints(schemas: &Schemas, ids: &[SchemaId]) -> Option<Vec<String>> {
    let mut all: Vec<String> = ids.iter().map(|id| print(schemas, *id)).collect::<Option<_>>()?;
    all.sort_unstable();
    Some(all)
}

fn whole(schemas: &Schemas, id: SchemaId, depth: usize, text: &mut String) {
    let schema = schemas.get(id);
    if text.len() > BYTES {
        return;
    }
    if depth == 0 {
        let _cannot_fail = write!(text, "@{:?}", schema.name);
        return;
    }
    let _cannot_fail = write!(
        text,
        "({}{:?}{}{:?}{:?}{:?}{}{}",
        schema.never,
        schema.types,
        schema.nullable,
        schema.choices,
        schema.number,
        schema.text,
        schema.read_only,
        schema.write_only
    );
    lists(schemas, schema, depth, text);
    objects(schemas, schema, depth, text);
    for (word, ids) in [("all", &schema.all_of), ("any", &schema.any_of), ("one", &schema.one_of)] {
        several(schemas, word, ids.iter().copied(), depth, text);
    }
    several(schemas, "not", schema.not, depth, text);
    if let Some(condition) = &schema.condition {
        several(schemas, "if", [condition.when], depth, text);
        several(schemas, "then", condition.then, depth, text);
        several(schemas, "else", condition.otherwise, depth, text);
    }
    text.push(')');
}

fn lists(schemas: &Schemas, schema: &Schema, depth: usize, text: &mut String) {
    let Some(rules) = &schema.list else { return };
    let _cannot_fail = write!(text, "list{:?}{:?}{}", rules.size_min, rules.size_max, rules.unique);
    several(schemas, "first", rules.first.iter().copied(), depth, text);
    several(schemas, "items", rules.items, depth, text);
    several(schemas, "rest", rules.unevaluated, depth, text);
    if let Some(contains) = &rules.contains {
        let _cannot_fail = write!(text, "{}{:?}", contains.size_min, contains.size_max);
        several(schemas, "contains", [contains.schema], depth, text);
    }
}

fn objects(schemas: &Schemas, schema: &Schema, depth: usize, text: &mut String) {
    let Some(rules) = &schema.object else { return };
    let mut required: Vec<&str> = rules.required.iter().map(|name| &**name).collect();
    required.sort_unstable();
    let _cannot_fail = write!(
        text,
        "object{required:?}{:?}{:?}{:?}",
        rules.size_min, rules.size_max, rules.dependent_required
    );
    let mut properties: Vec<(&str, SchemaId)> =
        rules.properties.iter().map(|(name, id)| (&**name, *id)).collect();
    properties.sort_unstable();
    for (name, id) in properties {
        several(schemas, name, [id], depth, text);
    }
    for (pattern, id) in &rules.patterns {
        several(schemas, pattern.as_str(), [*id], depth, text);
    }
    several(schemas, "additional", rules.additional, depth, text);
    several(schemas, "names", rules.names, depth, text);
    several(schemas, "rest", rules.unevaluated, depth, text);
    for (name, id) in &rules.dependent {
        several(schemas, name, [*id], depth, text);
    }
}

fn several(
    schemas: &Schemas,
    word: &str,
    ids: impl IntoIterator<Item = SchemaId>,
    depth: usize,
    text: &mut String,
) {
    for id in ids {
        let _cannot_fail = write!(text, "{word:?}:");
        whole(schemas, id, depth - 1, text);
    }
}
