//! Schemas that judge the same value by way of each other.
//!
//! A schema may contain itself in a property: values end somewhere. `allOf` that leads back to itself without going into
//! the value has no end, and a chain of a thousand such steps is a trap for whoever walks it. Both are refused here, so
//! that nobody behind needs to watch for them.

use super::{Schema, SchemaId, Schemas};
use crate::limits::SAME_VALUE_STEPS_MAX;

/// What is wrong with a schema.
pub enum Fault {
    /// It leads back to itself.
    Circle,
    /// Its chain is longer than the bound.
    TooLong,
}

/// Schemas that judge the same value as this one.
pub fn beside(schema: &Schema) -> impl Iterator<Item = SchemaId> {
    let condition = schema.condition.iter().flat_map(|condition| {
        [Some(condition.when), condition.then, condition.otherwise].into_iter().flatten()
    });
    let dependent =
        schema.object.iter().flat_map(|object| object.dependent.iter().map(|(_, dependent)| *dependent));
    let groups = schema.all_of.iter().chain(&schema.any_of).chain(&schema.one_of);
    groups.copied().chain(schema.not).chain(condition).chain(dependent)
}

#[derive(Clone, Copy)]
enum Mark {
    Unseen,
    Open,
    /// Steps of the longest chain from here.
    Done(usize),
}

/// Everything that is wrong, walked without recursion: a chain may be as long as the table.
pub fn faults(schemas: &Schemas) -> Vec<(SchemaId, Fault)> {
    let mut marks = vec![Mark::Unseen; schemas.0.len()];
    let mut found = Vec::new();
    for (start, _) in schemas.iter() {
        let mut stack = vec![(start, false)];
        while let Some((id, inner_done)) = stack.pop() {
            let schema = schemas.get(id);
            match (marks[id.0 as usize], inner_done) {
                (Mark::Unseen, _) => {
                    marks[id.0 as usize] = Mark::Open;
                    stack.push((id, true));
                    for next in beside(schema) {
                        match marks[next.0 as usize] {
                            Mark::Unseen => stack.push((next, false)),
                            Mark::Open => found.push((next, Fault::Circle)),
                            Mark::Done(_) => {}
                        }
                    }
                }
                (Mark::Open, true) => {
                    let steps = beside(schema).map(|next| match marks[next.0 as usize] {
                        Mark::Done(steps) => steps + 1,
                        Mark::Open | Mark::Unseen => 1,
                    });
                    let steps = steps.max().unwrap_or(0);
                    if steps == SAME_VALUE_STEPS_MAX + 1 {
                        found.push((id, Fault::TooLong));
                    }
                    marks[id.0 as usize] = Mark::Done(steps);
                }
                (Mark::Open | Mark::Done(_), _) => {}
            }
        }
    }
    found
}
