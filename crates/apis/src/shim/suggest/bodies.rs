//! From the schema of a body that comes to the schema of a body that is wanted: the steps that lead there.
//!
//! What is alike is taken for the same and told as a guess; what no step can do is told as well. Nothing here is
//! trusted: whoever takes the steps has them proved.

use std::collections::{BTreeMap, BTreeSet};

use model::kinds::transform::{BodyStep, Otherwise, ValueType};
use serde_json::Value;

use super::names::{SAME, likeness};
use super::values::chosen;
use crate::check::Direction;
use crate::diff::print::prints;
use crate::diff::view::View;
use crate::schema::{SchemaId, Schemas, Type};

/// Deepest nesting of bodies that is looked into.
const DEPTH_MAX: usize = 16;
/// Most places of one body that are looked at: schemas that share parts unfold into more of them than anybody could read.
const PLACES_MAX: usize = 2_000;
/// From here on two values of a list of choices are taken for one.
const CHOICES_ALIKE: u32 = 40;

/// Something about a place that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub at: String,
    pub what: String,
    pub is_guess: bool,
}

/// The way from one schema to another, as far as it was found.
pub struct Mapping<'s> {
    pub(super) from: &'s Schemas,
    pub(super) to: &'s Schemas,
    pub(super) direction: Direction,
    pub(super) steps: Vec<BodyStep>,
    pub(super) told: Vec<Told>,
    open: Vec<(SchemaId, SchemaId)>,
    places_left: usize,
    /// Places that something has moved to, and from.
    pub(super) filled: BTreeSet<String>,
    pub(super) taken: BTreeSet<String>,
}

/// Steps, and what is to be looked at.
pub fn steps(
    (from_schemas, from): (&Schemas, SchemaId),
    (to_schemas, to): (&Schemas, SchemaId),
    direction: Direction,
) -> (Vec<BodyStep>, Vec<Told>) {
    let mut mapping = Mapping {
        from: from_schemas,
        to: to_schemas,
        direction,
        steps: Vec::new(),
        told: Vec::new(),
        open: Vec::new(),
        places_left: PLACES_MAX,
        filled: BTreeSet::new(),
        taken: BTreeSet::new(),
    };
    mapping.map(&[from], &[to], "");
    (mapping.steps, mapping.told)
}

/// The only type that values have, `null` apart.
pub(super) fn kind(view: &View<'_>) -> Option<Type> {
    let mut types = view.types.iter().filter(|one| *one != Type::Null);
    match (types.next(), types.next(), types.next()) {
        (Some(one), None, None) => Some(one),
        (Some(Type::Integer), Some(Type::Number), None) => Some(Type::Number),
        _ => view.choices().and_then(|choices| common(&choices)),
    }
}

/// The type that all choices have.
fn common(choices: &[&Value]) -> Option<Type> {
    let of = |value: &&Value| match value {
        Value::Null => None,
        Value::Bool(_) => Some(Type::Boolean),
        Value::Number(number) => Some(if number.is_f64() { Type::Number } else { Type::Integer }),
        Value::String(_) => Some(Type::Text),
        Value::Array(_) => Some(Type::List),
        Value::Object(_) => Some(Type::Object),
    };
    let mut types = choices.iter().filter_map(of);
    let first = types.next()?;
    types.all(|other| other == first).then_some(first)
}

impl<'s> Mapping<'s> {
    pub(super) fn guess(&mut self, at: &str, what: String) {
        self.told.push(Told { at: at.to_owned(), what, is_guess: true });
    }

    pub(super) fn cannot(&mut self, at: &str, what: impl Into<String>) {
        let told = Told { at: at.to_owned(), what: what.into(), is_guess: false };
        if self.told.last() != Some(&told) {
            self.told.push(told);
        }
    }

    /// Makes values for which all of `from` hold into ones for which all of `to` do.
    pub(super) fn map(&mut self, from: &[SchemaId], to: &[SchemaId], at: &str) {
        let (Some(first), Some(second)) = (from.first(), to.first()) else { return };
        let Some(left) = self.places_left.checked_sub(1) else {
            return self.cannot("", format!("has more than {PLACES_MAX} places, and no more were looked at"));
        };
        self.places_left = left;
        let (was, now) = (prints(self.from, from), prints(self.to, to));
        if was.is_some() && was == now {
            return;
        }
        let pair = (*first, *second);
        if self.open.contains(&pair) || self.open.len() >= DEPTH_MAX {
            return self.cannot(at, "contains itself: steps have an end, and it has none");
        }
        self.open.push(pair);
        let (was, now) = (View::together(self.from, from), View::together(self.to, to));
        self.views(&was, &now, at);
        self.open.pop();
    }

    fn views(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        let has_branches = |view: &View<'_>| {
            view.parts.iter().any(|part| !part.any_of.is_empty() || !part.one_of.is_empty())
        };
        if has_branches(was) || has_branches(now) {
            return self.cannot(at, "is one of several schemas, and steps cannot tell which");
        }
        if was.types.allows(Type::Null) && !now.types.allows(Type::Null) && !was.types.is_all() {
            self.cannot(at, "may be `null`, and must not be");
        }
        let (Some(before), Some(after)) = (kind(was), kind(now)) else {
            if kind(now).is_some() {
                self.cannot(at, "may be of any type, and must be of one");
            }
            return;
        };
        match (before, after) {
            (Type::Object, Type::Object) => self.object(was, now, at),
            (Type::List, Type::List) => self.map(&was.items(), &now.items(), &format!("{at}/*")),
            (Type::List, Type::Object) => self.wrapped(was, now, at),
            (Type::Object, Type::List) => self.unwrapped(was, now, at),
            (_, Type::List) => self.listed(was, now, at),
            (Type::List, _) => self.single(was, now, at),
            (Type::Object, _) | (_, Type::Object) => {
                self.cannot(at, format!("is of the type {}, and must be {}", before.word(), after.word()));
            }
            _ => self.scalar(was, now, (before, after), at),
        }
    }

    fn scalar(&mut self, was: &View<'s>, now: &View<'s>, (before, after): (Type, Type), at: &str) {
        if let (Some(old), Some(new)) = (was.choices(), now.choices()) {
            return self.choices(&old, &new, at);
        }
        if now.choices().is_some() {
            self.cannot(at, "may have any value, and must be one of some");
        }
        let to = match (before, after) {
            (Type::Integer | Type::Number | Type::Boolean, Type::Text) => ValueType::String,
            (Type::Text, Type::Boolean) => ValueType::Boolean,
            (Type::Text, Type::Number) => ValueType::Number,
            (Type::Text | Type::Number, Type::Integer) => ValueType::Integer,
            (Type::Integer, Type::Number) => return,
            (before, after) if before == after => return,
            (before, after) => {
                return self
                    .cannot(at, format!("is of the type {}, and must be {}", before.word(), after.word()));
            }
        };
        self.steps.push(BodyStep::Type { at: at.into(), to });
        if matches!(to, ValueType::Integer | ValueType::Number | ValueType::Boolean) {
            let word = after.word();
            self.guess(at, format!("becomes {word}; a value that is none refuses the message"));
        }
    }

    /// Values that become others, one by one.
    fn choices(&mut self, was: &[&'s Value], now: &[&'s Value], at: &str) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut free_old: Vec<&Value> = was.iter().copied().filter(|value| !now.contains(value)).collect();
        if free_old.is_empty() {
            return;
        }
        let mut free_new: Vec<&Value> = now.iter().copied().filter(|value| !was.contains(value)).collect();
        let mut map: BTreeMap<_, Value> = BTreeMap::new();
        let mut guessed = Vec::new();
        while let Some((old, new, points)) = best(&free_old, &free_new, &text) {
            if points < SAME {
                guessed.push(format!("`{}` becomes `{}`", text(old), text(new)));
            }
            free_old.retain(|value| *value != old);
            free_new.retain(|value| *value != new);
            map.insert(text(old).into(), new.clone());
        }
        if !guessed.is_empty() {
            self.guess(at, guessed.join(", "));
        }
        for value in &free_old {
            self.cannot(at, format!("`{}` has no counterpart", text(value)));
        }
        let otherwise = if free_old.is_empty() { Otherwise::Keep } else { Otherwise::Refuse };
        // What both know passes by its own name where others are refused.
        if otherwise == Otherwise::Refuse {
            let both = was.iter().filter(|value| now.contains(value));
            map.extend(both.map(|value| (text(value).into(), (*value).clone())));
        }
        if !map.is_empty() {
            self.steps.push(BodyStep::Values { at: at.into(), map, otherwise });
        }
    }

    /// A list that is to be a member of an object.
    fn wrapped(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        let is_list = |ids: &[SchemaId]| kind(&View::together(self.to, ids)) == Some(Type::List);
        let lists: Vec<_> = now.properties().into_iter().filter(|(_, ids)| is_list(ids)).collect();
        let required = now.required();
        let found = lists.iter().find(|(name, _)| required.contains(name)).or(lists.first());
        let Some((key, ids)) = found else {
            return self.cannot(at, "is a list, and must be an object without one");
        };
        let inner = super::below(at, key);
        self.steps.push(BodyStep::Wrap { at: at.into(), key: (*key).into() });
        let items = View::together(self.to, ids).items();
        self.map(&was.items(), &items, &format!("{inner}/*"));
        self.missing(now, at, &|name| name == *key);
    }

    /// A list that is a member of an object.
    fn unwrapped(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        let is_list = |ids: &[SchemaId]| kind(&View::together(self.from, ids)) == Some(Type::List);
        let Some((key, ids)) = was.properties().into_iter().find(|(_, ids)| is_list(ids)) else {
            return self.cannot(at, "is an object without a list, and must be one");
        };
        self.steps.push(BodyStep::Unwrap { at: at.into(), key: key.into() });
        let items = View::together(self.from, &ids).items();
        self.map(&items, &now.items(), &format!("{at}/*"));
    }

    fn listed(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        self.steps.push(BodyStep::Type { at: at.into(), to: ValueType::List });
        if let [items] = now.items()[..] {
            self.views(was, &View::of(self.to, items), &format!("{at}/*"));
        }
    }

    fn single(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        self.steps.push(BodyStep::Type { at: at.into(), to: ValueType::Single });
        self.guess(at, "the only element of a list; lists of others refuse the message".to_owned());
        if let [items] = was.items()[..] {
            self.views(&View::of(self.from, items), now, at);
        }
    }

    /// Puts what must be there and comes from nowhere.
    pub(super) fn missing(&mut self, now: &View<'s>, at: &str, is_there: &dyn Fn(&str) -> bool) {
        let required = now.required();
        for (name, ids) in now.properties() {
            if !required.contains(&name) || is_there(name) || self.goes_the_other_way(now, &ids) {
                continue;
            }
            let place = super::below(at, name);
            let beneath = format!("{place}/");
            if self.filled.iter().any(|filled| filled.starts_with(&beneath)) {
                // The object is made by what moves into it; the rest of it may still be missing.
                self.missing(&View::together(self.to, &ids), &place, &|_| false);
            } else if !self.filled.contains(&place) {
                self.put(&ids, &place);
            }
        }
    }

    fn put(&mut self, ids: &[SchemaId], place: &str) {
        match chosen(self.to, ids, self.direction) {
            None => self.cannot(place, "must be there, and no value was found for it"),
            Some(found) => {
                if !found.is_said {
                    self.guess(place, format!("must be there; {} is made up", found.value));
                }
                self.steps.push(BodyStep::Default { at: place.into(), value: found.value });
            }
        }
    }

    /// What is only in answers is not in requests, and the other way round.
    pub(super) fn goes_the_other_way(&self, view: &View<'_>, ids: &[SchemaId]) -> bool {
        view.goes_one_way(ids, |schema| match self.direction {
            Direction::Request => schema.read_only,
            Direction::Answer => schema.write_only,
        })
    }
}

/// The two values that are most alike; the last two that are left are taken for one another.
fn best<'v>(
    old: &[&'v Value],
    new: &[&'v Value],
    text: &dyn Fn(&Value) -> String,
) -> Option<(&'v Value, &'v Value, u32)> {
    let pairs = old.iter().flat_map(|left| new.iter().map(move |right| (*left, *right)));
    let scored = pairs.map(|(left, right)| (left, right, likeness(&text(left), &text(right))));
    let found = scored.max_by_key(|(_, _, points)| *points)?;
    let is_last = old.len() == 1 && new.len() == 1;
    (found.2 >= CHOICES_ALIKE || is_last).then_some(found)
}
