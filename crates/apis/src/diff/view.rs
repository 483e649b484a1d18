//! A schema and everything that must hold beside it, as one set of rules.
//!
//! Whether a rule stands in the schema, in an `allOf` or behind a reference says nothing about values, so it must say
//! nothing about changes.

use std::collections::HashMap;

use serde_json::{Number, Value};

use crate::numbers;
use crate::schema::{Bound, Schema, SchemaId, Schemas, Type, Types};

/// Rules that hold together.
pub struct View<'s> {
    pub schemas: &'s Schemas,
    pub parts: Vec<&'s Schema>,
    pub types: Types,
    pub never: bool,
}

impl<'s> View<'s> {
    pub fn of(schemas: &'s Schemas, id: SchemaId) -> View<'s> {
        View::together(schemas, &[id])
    }

    /// All of these, which speak of one value.
    pub fn together(schemas: &'s Schemas, ids: &[SchemaId]) -> View<'s> {
        let (mut ids, mut at) = (ids.to_vec(), 0);
        while let Some(id) = ids.get(at).copied() {
            at += 1;
            for next in &schemas.get(id).all_of {
                if !ids.contains(next) {
                    ids.push(*next);
                }
            }
        }
        let parts: Vec<&Schema> = ids.into_iter().map(|id| schemas.get(id)).collect();
        let types_of = |part: &&Schema| if part.nullable { part.types.with(Type::Null) } else { part.types };
        let types = parts.iter().map(types_of).fold(Types::ALL, Types::and);
        View { schemas, types, never: parts.iter().any(|part| part.never), parts }
    }

    /// The only values that will do.
    pub fn choices(&self) -> Option<Vec<&'s Value>> {
        let mut lists = self.parts.iter().filter_map(|part| part.choices.as_deref());
        let mut found: Vec<&Value> = lists.next()?.iter().collect();
        lists.for_each(|others| found.retain(|value| others.contains(value)));
        if self.parts.iter().all(|part| part.nullable) && !found.contains(&&Value::Null) {
            found.push(&Value::Null);
        }
        Some(found)
    }

    pub fn minimum(&self) -> Option<&'s Bound> {
        self.strictest(|part| part.number.as_ref()?.minimum.as_ref(), true)
    }

    pub fn maximum(&self) -> Option<&'s Bound> {
        self.strictest(|part| part.number.as_ref()?.maximum.as_ref(), false)
    }

    fn strictest(&self, bound: impl Fn(&'s Schema) -> Option<&'s Bound>, larger: bool) -> Option<&'s Bound> {
        let bounds = self.parts.iter().copied().filter_map(bound);
        bounds.reduce(|left, right| if is_stricter(right, left, larger) { right } else { left })
    }

    pub fn steps(&self) -> Vec<&'s Number> {
        self.parts.iter().filter_map(|part| part.number.as_ref()?.multiple_of.as_ref()).collect()
    }

    /// The largest of a lower bound that counts things.
    pub fn least(&self, of: impl Fn(&Schema) -> Option<u64>) -> Option<u64> {
        self.parts.iter().filter_map(|part| of(part)).filter(|least| *least > 0).max()
    }

    /// The smallest of an upper bound that counts things.
    pub fn most(&self, of: impl Fn(&Schema) -> Option<u64>) -> Option<u64> {
        self.parts.iter().filter_map(|part| of(part)).min()
    }

    /// Words of a sort, sorted: patterns or formats.
    pub fn words(&self, of: impl Fn(&'s Schema) -> Option<&'s str>) -> Vec<&'s str> {
        let mut words: Vec<&str> = self.parts.iter().copied().filter_map(of).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    pub fn is_unique(&self) -> bool {
        self.parts.iter().any(|part| part.list.as_ref().is_some_and(|list| list.unique))
    }

    /// Properties by name, with every schema that speaks of them, in the order written.
    pub fn properties(&self) -> Vec<(&'s str, Vec<SchemaId>)> {
        let mut found: Vec<(&str, Vec<SchemaId>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let rules = self.parts.iter().filter_map(|part| part.object.as_ref());
        for (name, id) in rules.flat_map(|rules| &rules.properties) {
            let place = *places.entry(name).or_insert(found.len());
            match found.get_mut(place) {
                Some((_, ids)) if ids.contains(id) => {}
                Some((_, ids)) => ids.push(*id),
                None => found.push((name, vec![*id])),
            }
        }
        found
    }

    pub fn required(&self) -> Vec<&'s str> {
        let rules = self.parts.iter().filter_map(|part| part.object.as_ref());
        let mut names: Vec<&str> =
            rules.flat_map(|rules| rules.required.iter()).map(|name| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether a property of these schemas goes one way only.
    pub fn goes_one_way(&self, ids: &[SchemaId], one_way: impl Fn(&Schema) -> bool) -> bool {
        ids.iter().any(|id| View::of(self.schemas, *id).parts.into_iter().any(&one_way))
    }

    /// Schemas of properties that are not named.
    pub fn additional(&self) -> Vec<SchemaId> {
        let rules = self.parts.iter().filter_map(|part| part.object.as_ref());
        rules.flat_map(|rules| [rules.additional, rules.unevaluated]).flatten().collect()
    }

    /// Whether no other properties may be there.
    pub fn is_closed(&self) -> bool {
        self.additional().iter().any(|id| self.schemas.get(*id).never)
    }

    /// Schemas of the elements behind the first ones.
    pub fn items(&self) -> Vec<SchemaId> {
        self.parts.iter().filter_map(|part| part.list.as_ref()?.items).collect()
    }
}

/// Whether a bound leaves fewer numbers than another.
pub fn is_stricter(bound: &Bound, than: &Bound, lower: bool) -> bool {
    let order = numbers::compare(&bound.number, &than.number);
    if order.is_eq() { bound.exclusive && !than.exclusive } else { order.is_gt() == lower }
}
