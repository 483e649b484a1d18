//! Schemas by themselves.

use std::collections::HashSet;

use super::{Desk, rules};
use crate::check::{self, Direction, Where};
use crate::description::Description;
use crate::schema::{Schema, SchemaId, Schemas, Type};

pub fn look(description: &Description, desk: &mut Desk) {
    let schemas = &description.schemas;
    for (id, schema) in schemas.iter() {
        let subject =
            schema.name.as_deref().map_or_else(|| "schema".to_owned(), |name| format!("schema {name}"));
        let place = (&schema.file, schema.line);
        if let Some(default) = schema.about.as_ref().and_then(|about| about.default.as_ref()) {
            for fault in check::value(schemas, id, default, Direction::Request, &Where::Body) {
                let what = format!("has a default that {}", fault.what);
                desk.add(&rules::DEFAULT_VALID, place, &subject, what, "mend the default or the schema");
            }
        }
        for example in schema.about.iter().flat_map(|about| about.examples.iter()) {
            // An example may be of either way.
            let told = check::value(schemas, id, example, Direction::Answer, &Where::Body);
            if !told.is_empty() && !check::holds(schemas, id, example, Direction::Request) {
                let what = format!("has an example that {}", told[0].what);
                desk.add(&rules::EXAMPLE_VALID, place, &subject, what, "mend the example or the schema");
            }
        }
        if says_list(schema)
            && schema.list.as_ref().is_none_or(|list| list.items.is_none() && list.first.is_empty())
        {
            desk.add(&rules::LIST_ITEMS, place, &subject, "is a list of anything", "add `items:`");
        }
        choices(schema, &subject, desk);
        required(schemas, id, schema, &subject, desk);
    }
    unused(description, desk);
}

fn says_list(schema: &Schema) -> bool {
    schema.types.allows(Type::List) && !schema.types.is_all() && schema.all_of.is_empty()
}

fn choices(schema: &Schema, subject: &str, desk: &mut Desk) {
    let Some(choices) = &schema.choices else { return };
    let texts: HashSet<String> = choices.iter().map(ToString::to_string).collect();
    if texts.len() < choices.len() {
        desk.add(
            &rules::CHOICES_UNIQUE,
            (&schema.file, schema.line),
            subject,
            "lists a choice twice",
            "remove one of the two",
        );
    }
}

fn required(schemas: &Schemas, id: SchemaId, schema: &Schema, subject: &str, desk: &mut Desk) {
    let Some(object) = &schema.object else { return };
    // Half of an object may require what the other half describes.
    if object.properties.is_empty() || !schema.all_of.is_empty() || object.additional.is_some() {
        return;
    }
    for name in object.required.iter().filter(|name| schemas.property_of(id, name).is_none()) {
        let near = model::suggest::did_you_mean(name, object.properties.iter().map(|(known, _)| &**known));
        let what = format!("requires {}, which is not among its properties", crate::problem::quoted(name));
        let fix = near.unwrap_or_else(|| "describe it under `properties:`".to_owned());
        desk.add(&rules::REQUIRED_KNOWN, (&schema.file, schema.line), subject, what, fix);
    }
}

fn unused(description: &Description, desk: &mut Desk) {
    let mut waiting: Vec<SchemaId> =
        description.operations.iter().flat_map(|operation| operation.schema_ids()).collect();
    let mut used: HashSet<SchemaId> = HashSet::new();
    while let Some(id) = waiting.pop() {
        if used.insert(id) {
            waiting.extend(description.schemas.get(id).inner());
        }
    }
    for (_, schema) in description.schemas.iter().filter(|(id, _)| !used.contains(id)) {
        let Some(name) = &schema.name else { continue };
        let place = (&schema.file, schema.line);
        desk.add(
            &rules::SCHEMA_USED,
            place,
            format!("schema {name}"),
            "is used by no operation",
            "remove it, or use it",
        );
    }
}
