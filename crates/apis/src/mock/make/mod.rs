//! Makes values that keep to a schema.
//!
//! A value is made for a *set* of schemas that must all hold: the schema, what it refers to, and one branch of each of
//! its alternatives. What comes out was checked against the schema, so a value either keeps to it or is not made at
//! all. Schemas that contain themselves end where they may; where they may not, there is no such value.

mod list;
mod number;
mod object;
mod pattern;
mod text;

use serde_json::Value;

use super::chance::Chance;
use crate::check::{self, Direction};
use crate::limits::{MADE_DEPTH_MAX, MADE_NODES_MAX, SAME_VALUE_STEPS_MAX};
use crate::schema::{Schema, SchemaId, Schemas, Type, Types};

/// How often a value is tried again when what was made does not hold.
const TRIES: usize = 24;
/// How often a value is tried for one choice of branches.
const TRIES_OF_BRANCHES: usize = 6;

/// How values look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The same plain values each time, examples and defaults of the description first.
    Plain,
    /// Drawn by chance.
    Drawn,
}

/// Makes a value that keeps to a schema. Nothing when there is none, or none that could be found.
#[must_use]
pub fn value(schemas: &Schemas, id: SchemaId, look: Look, seed: u64, direction: Direction) -> Option<Value> {
    for attempt in 0..TRIES {
        let mut maker = Maker {
            schemas,
            direction,
            chance: Chance::new(seed.wrapping_add(attempt as u64)),
            look: if attempt < 2 { look } else { Look::Drawn },
            sparse: attempt == 1,
            nodes_left: MADE_NODES_MAX,
            open: Vec::new(),
        };
        if let Some(value) = maker.make(&[id])
            && check::holds(schemas, id, &value, direction)
        {
            return Some(value);
        }
    }
    None
}

pub(super) struct Maker<'s> {
    schemas: &'s Schemas,
    direction: Direction,
    chance: Chance,
    look: Look,
    /// Leave out what need not be there.
    sparse: bool,
    nodes_left: usize,
    /// Schemas whose values are being made, the innermost last.
    open: Vec<SchemaId>,
}

impl<'s> Maker<'s> {
    /// A value for which all of these hold.
    fn make(&mut self, ids: &[SchemaId]) -> Option<Value> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        if self.open.len() > 2 * MADE_DEPTH_MAX {
            return None;
        }
        let depth = self.open.len();
        self.open.extend(ids.first());
        let made = self.make_here(ids);
        self.open.truncate(depth);
        made
    }

    fn make_here(&mut self, ids: &[SchemaId]) -> Option<Value> {
        let holds = |maker: &Self, value: &Value| {
            ids.iter().all(|id| check::holds(maker.schemas, *id, value, maker.direction))
        };
        if self.look == Look::Plain
            && let Some(shown) = self.shown(ids).into_iter().find(|value| holds(self, value))
        {
            return Some(shown);
        }
        for turn in 0..TRIES_OF_BRANCHES {
            let parts = self.parts(ids, turn);
            let made = self.of_parts(&parts);
            if let Some(value) = made.filter(|value| holds(self, value)) {
                return Some(value);
            }
            // Without alternatives another turn is the same turn, unless chance decides.
            if self.look == Look::Plain && parts.iter().all(|part| is_simple(part)) {
                break;
            }
        }
        None
    }

    /// Values that the description shows for these schemas.
    fn shown(&self, ids: &[SchemaId]) -> Vec<Value> {
        let about = |schema: &'s Schema| schema.about.as_deref();
        let all = || ids.iter().map(|id| self.schemas.get(*id));
        let examples = all().filter_map(about).flat_map(|about| about.examples.iter());
        let defaults = all().filter_map(about).filter_map(|about| about.default.as_ref());
        examples.chain(defaults).cloned().collect()
    }

    /// The schemas that a value of these has to meet, with one branch of each alternative: the first ones in the first
    /// turn, then others.
    fn parts(&mut self, ids: &[SchemaId], turn: usize) -> Vec<&'s Schema> {
        let mut waiting: Vec<SchemaId> = ids.to_vec();
        let mut known: Vec<SchemaId> = Vec::new();
        let mut parts = Vec::new();
        while let Some(id) = waiting.pop() {
            if known.contains(&id) || known.len() > SAME_VALUE_STEPS_MAX * SAME_VALUE_STEPS_MAX {
                continue;
            }
            known.push(id);
            let schema = self.schemas.get(id);
            parts.push(schema);
            waiting.extend(&schema.all_of);
            for branches in [&schema.any_of, &schema.one_of] {
                waiting.extend(self.branch(branches, turn));
            }
            if let Some(condition) = &schema.condition {
                let first = (turn + self.drawn(2)).is_multiple_of(2);
                match (first, condition.then, condition.otherwise) {
                    (true, then, _) => waiting.extend([Some(condition.when), then].into_iter().flatten()),
                    (false, _, otherwise) => waiting.extend(otherwise),
                }
            }
        }
        parts
    }

    /// A branch; those that are being made already come last.
    fn branch(&mut self, branches: &[SchemaId], turn: usize) -> Option<SchemaId> {
        let mut order: Vec<SchemaId> = branches.to_vec();
        if order.is_empty() {
            return None;
        }
        let start = self.drawn(order.len());
        order.rotate_left(start);
        let leads_back = |id: &SchemaId| self.open.contains(id);
        order.sort_by_key(leads_back);
        order.get(turn % order.len()).copied()
    }

    fn drawn(&mut self, end: usize) -> usize {
        match self.look {
            Look::Plain => 0,
            Look::Drawn => usize::try_from(self.chance.below(end as u64)).unwrap_or(0),
        }
    }

    fn of_parts(&mut self, parts: &[&'s Schema]) -> Option<Value> {
        if parts.iter().any(|part| part.never) {
            return None;
        }
        if let Some(choices) = parts.iter().find_map(|part| part.choices.as_ref()) {
            let fits = |value: &&Value| {
                let others = parts.iter().filter_map(|part| part.choices.as_ref());
                let in_all = others.into_iter().all(|others| others.contains(value));
                in_all
                    && parts.iter().all(|part| part.types.takes(value) || (value.is_null() && part.nullable))
            };
            let fitting: Vec<&Value> = choices.iter().filter(fits).collect();
            let at = self.drawn(fitting.len());
            return fitting.get(at).map(|value| (*value).clone());
        }
        let types = parts.iter().fold(Types::ALL, |types, part| types.and(part.types));
        if types.is_empty() {
            return parts.iter().all(|part| part.nullable).then_some(Value::Null);
        }
        match self.kind(parts, types)? {
            Type::Null => Some(Value::Null),
            Type::Boolean => Some(Value::Bool(self.look == Look::Plain || self.chance.percent(50))),
            Type::Integer => self.number(parts, true),
            Type::Number => self.number(parts, false),
            Type::Text => self.text(parts).map(Value::String),
            Type::List => self.list(parts),
            Type::Object => self.object(parts),
        }
    }

    /// The type to make: what the rules speak of when several types would do.
    fn kind(&mut self, parts: &[&Schema], types: Types) -> Option<Type> {
        let spoken = [
            (Type::Object, parts.iter().any(|part| part.object.is_some())),
            (Type::List, parts.iter().any(|part| part.list.is_some())),
            (Type::Text, parts.iter().any(|part| part.text.is_some())),
            (Type::Number, parts.iter().any(|part| part.number.is_some())),
        ];
        if types.is_all() {
            let spoken = spoken.into_iter().find(|(_, spoken)| *spoken).map(|(kind, _)| kind);
            // Where anything will do, text does; unless it turned out not to.
            if spoken.is_some() || self.look == Look::Plain {
                return Some(spoken.unwrap_or(Type::Text));
            }
        }
        let mut kinds: Vec<Type> = types.iter().collect();
        // `integer` stands in the set of every `number`.
        if types.allows(Type::Number) {
            kinds.retain(|kind| *kind != Type::Integer);
        }
        // Something is better to look at than nothing.
        kinds.sort_by_key(|kind| *kind == Type::Null);
        let at = self.drawn(kinds.len());
        kinds.get(at).copied()
    }

    /// Whether what need not be there is left out here.
    fn ends_here(&self) -> bool {
        self.open.len() >= MADE_DEPTH_MAX || self.nodes_left < MADE_NODES_MAX / 4
    }
}

/// Whether there is only one way to meet it.
fn is_simple(schema: &Schema) -> bool {
    schema.any_of.is_empty() && schema.one_of.is_empty() && schema.condition.is_none() && schema.not.is_none()
}
