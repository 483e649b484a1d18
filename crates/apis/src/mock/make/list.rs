//! Lists of a size, with elements that are all different if that is asked for.

use serde_json::Value;

use super::{Look, Maker};
use crate::check;
use crate::limits::MADE_ITEMS_MAX;
use crate::schema::{ListRules, Schema, SchemaId};

/// How often an element is tried again when it stands in the list already.
const TRIES: usize = 40;

impl<'s> Maker<'s> {
    /// A list that keeps to the rules of all parts.
    pub fn list(&mut self, parts: &[&'s Schema]) -> Option<Value> {
        let rules: Vec<&ListRules> = parts.iter().filter_map(|part| part.list.as_deref()).collect();
        let first = rules.iter().map(|rules| rules.first.len() as u64).max().unwrap_or(0);
        let contained: u64 =
            rules.iter().filter_map(|rules| rules.contains.as_ref()).map(|contains| contains.size_min).sum();
        let least = rules.iter().filter_map(|rules| rules.size_min).max().unwrap_or(0).max(contained);
        let most = rules.iter().filter_map(|rules| rules.size_max).min().unwrap_or(u64::MAX);
        if least > most || least > MADE_ITEMS_MAX {
            return None;
        }
        let wanted = if self.ends_here() || self.sparse {
            least
        } else {
            match self.look {
                Look::Plain => least.max(1).max(first),
                Look::Drawn => least.max(self.chance.below(4)),
            }
        };
        let wanted = wanted.clamp(least, most);
        let unique = rules.iter().any(|rules| rules.unique);
        let mut list: Vec<Value> = Vec::new();
        for position in 0..wanted {
            let (mut ids, closed) = element(&rules, usize::try_from(position).ok()?);
            // Those that must be among the elements come last, where no rule for the first ones is in the way.
            ids.extend(owed(&rules, wanted - position));
            let made = if closed && position >= least { None } else { self.different(&ids, &list, unique) };
            match made {
                Some(value) => list.push(value),
                None if position >= least => break,
                None => return None,
            }
        }
        Some(Value::Array(list))
    }

    fn different(&mut self, ids: &[SchemaId], list: &[Value], unique: bool) -> Option<Value> {
        let look = self.look;
        for attempt in 0..TRIES {
            let made = if ids.is_empty() { self.anything(attempt) } else { self.make(ids)? };
            if !unique || !list.iter().any(|known| check::equal(known, &made)) {
                self.look = look;
                return Some(made);
            }
            self.look = Look::Drawn; // the plain value stands there already
        }
        self.look = look;
        None
    }

    fn anything(&mut self, attempt: usize) -> Value {
        match (self.look, attempt) {
            (Look::Plain, 0) => Value::String("string".to_owned()),
            _ => Value::from(self.chance.below(1_000_000)),
        }
    }
}

/// What the element at a position must meet, and whether no element may be there.
fn element(rules: &[&ListRules], position: usize) -> (Vec<SchemaId>, bool) {
    let ids = rules.iter().filter_map(|rules| rules.first.get(position).copied().or(rules.items));
    let closed = rules.iter().any(|rules| rules.unevaluated.is_some() && position >= rules.first.len());
    (ids.collect(), closed)
}

/// The schema that must be among the elements, when only so many places are left as it needs.
fn owed(rules: &[&ListRules], places_left: u64) -> Option<SchemaId> {
    let mut needed = 0;
    for contains in rules.iter().filter_map(|rules| rules.contains.as_ref()) {
        needed += contains.size_min;
        if places_left <= needed {
            return Some(contains.schema);
        }
    }
    None
}
