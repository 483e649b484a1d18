//! Bodies and parameters: whether their examples keep to their schemas, and whether a value can be made at all.

use super::{Desk, rules};
use crate::check::{self, Direction, Where};
use crate::mock::make::{self, Look};
use crate::operation::{Example, Operation};
use crate::schema::SchemaId;

pub fn look(operation: &Operation, desk: &mut Desk) {
    for parameter in &operation.parameters {
        let subject = format!("{} {} parameter {}", operation.key, parameter.place, parameter.name);
        examples(operation, parameter.schema, &parameter.examples, Direction::Request, &subject, desk);
    }
    for media in operation.body.iter().flat_map(|body| body.content.iter()) {
        let subject = format!("{} request body {}", operation.key, media.range);
        examples(operation, media.schema, &media.examples, Direction::Request, &subject, desk);
    }
    for response in &operation.responses {
        for media in response.content.iter() {
            let subject = format!("{} answer {} {}", operation.key, response.statuses, media.range);
            examples(operation, media.schema, &media.examples, Direction::Answer, &subject, desk);
            possible(operation, media.schema, &media.examples, &subject, desk);
        }
    }
}

fn examples(
    operation: &Operation,
    schema: Option<SchemaId>,
    examples: &[Example],
    direction: Direction,
    subject: &str,
    desk: &mut Desk,
) {
    let Some(id) = schema else { return };
    for example in examples {
        for fault in check::value(&operation.schemas, id, &example.value, direction, &Where::Body) {
            let name = example.name.as_deref().map_or_else(String::new, |name| format!(" `{name}`"));
            let at = if fault.pointer.is_empty() { String::new() } else { format!(" at {}", fault.pointer) };
            let what = format!("has an example{name} that{at} {}", fault.what);
            let place = (&operation.file, operation.line);
            desk.add(&rules::EXAMPLE_VALID, place, subject, what, "mend the example or the schema");
        }
    }
}

fn possible(
    operation: &Operation,
    schema: Option<SchemaId>,
    examples: &[Example],
    subject: &str,
    desk: &mut Desk,
) {
    let Some(id) = schema.filter(|_| examples.is_empty()) else { return };
    if make::value(&operation.schemas, id, Look::Plain, 0, Direction::Answer).is_none() {
        let fix =
            "look for bounds that exclude each other and patterns that are not understood, or add an example";
        let place = (&operation.file, operation.line);
        desk.add(&rules::VALUE_POSSIBLE, place, subject, "has a schema for which no value was found", fix);
    }
}
