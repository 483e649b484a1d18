//! From the members of one object to those of another.

use model::kinds::transform::BodyStep;

use super::below;
use super::bodies::{Mapping, kind};
use super::names::{ALIKE, SAME, likeness, plain};
use crate::check::Direction;
use crate::diff::view::View;
use crate::schema::{SchemaId, Schemas, Type};

/// Points from which on two members are taken for one.
const ENOUGH: i64 = 25;

/// A member: its name, and the schemas that speak of it.
type Member<'s> = (&'s str, Vec<SchemaId>);

impl<'s> Mapping<'s> {
    pub(super) fn object(&mut self, was: &View<'s>, now: &View<'s>, at: &str) {
        let old = self.members(was, at, |mapping, place| mapping.taken.contains(place));
        let new = self.members(now, at, |mapping, place| mapping.filled.contains(place));
        if old.is_empty() && new.is_empty() {
            return self.map(&was.additional(), &now.additional(), &format!("{at}/*"));
        }
        let named = |all: &[Member<'_>], name: &str| all.iter().any(|(known, _)| *known == name);
        let mut free_old: Vec<Member<'s>> =
            old.iter().filter(|(name, _)| !named(&new, name)).cloned().collect();
        let mut free_new: Vec<Member<'s>> =
            new.iter().filter(|(name, _)| !named(&old, name)).cloned().collect();
        if old.len() == free_old.len() && self.envelope((was, &free_old), (now, &free_new), at) {
            return;
        }
        let moved = self.moves((&old, &new), (&mut free_old, &mut free_new), at);
        let renamed = self.renames(&mut free_old, &mut free_new, at);
        let both = old.iter().filter_map(|(name, ids)| {
            let (_, others) = new.iter().find(|(known, _)| known == name)?;
            Some((below(at, name), ids.clone(), others.clone()))
        });
        let pairs: Vec<_> = both.chain(moved).chain(renamed.iter().cloned()).collect();
        for (place, ids, others) in &pairs {
            self.map(ids, others, place);
        }
        self.left_over(was, now, &free_old, at);
        let sure = was.required();
        let comes = |name: &str| {
            sure.contains(&name)
                || renamed.iter().any(|(place, ids, _)| {
                    let is_sure = old.iter().any(|(known, own)| own == ids && sure.contains(known));
                    is_sure && *place == below(at, name)
                })
        };
        self.missing(now, at, &comes);
    }

    /// What a message has of an object, less what was dealt with before.
    fn members(&self, view: &View<'s>, at: &str, is_done: impl Fn(&Self, &str) -> bool) -> Vec<Member<'s>> {
        let mut found = view.properties();
        // A pointer would take it for every member.
        found.retain(|(name, _)| *name != "*");
        found.retain(|(name, ids)| !self.goes_the_other_way(view, ids) && !is_done(self, &below(at, name)));
        found
    }

    /// All of one side stands in one member of the other.
    fn envelope(
        &mut self,
        (was, old): (&View<'s>, &[Member<'s>]),
        (now, new): (&View<'s>, &[Member<'s>]),
        at: &str,
    ) -> bool {
        let direct = old.iter().any(|(left, _)| new.iter().any(|(right, _)| likeness(left, right) >= ALIKE));
        if direct {
            return false;
        }
        if let Some((key, ids)) = around(self.from, old, new) {
            self.steps.push(BodyStep::Unwrap { at: at.into(), key: key.into() });
            let inner = View::together(self.from, &ids);
            self.object(&inner, now, at);
            return true;
        }
        if let Some((key, ids)) = around(self.to, new, old) {
            self.steps.push(BodyStep::Wrap { at: at.into(), key: key.into() });
            let inner = View::together(self.to, &ids);
            self.object(was, &inner, &below(at, key));
            self.missing(now, at, &|name| name == key);
            return true;
        }
        false
    }

    /// Members of the same name, one level up or down.
    fn moves(
        &mut self,
        (old, new): (&[Member<'s>], &[Member<'s>]),
        (free_old, free_new): (&mut Vec<Member<'s>>, &mut Vec<Member<'s>>),
        at: &str,
    ) -> Vec<(String, Vec<SchemaId>, Vec<SchemaId>)> {
        let (above, beneath) = (inner(self.from, old), inner(self.to, new));
        let is_free = |(outer, name, _): &&Inner<'s>, others: &[Inner<'s>]| {
            !others.iter().any(|(other, known, _)| other == outer && known == name)
        };
        let mut found = Vec::new();
        let mut go = |mapping: &mut Self, from: String, to: String, both: (&[SchemaId], &[SchemaId])| {
            mapping.steps.push(BodyStep::Move { from: from.as_str().into(), to: to.as_str().into() });
            mapping.taken.insert(from);
            mapping.filled.insert(to.clone());
            found.push((to, both.0.to_vec(), both.1.to_vec()));
        };
        free_old.retain(|(name, ids)| {
            let down = beneath.iter().filter(|one| is_free(one, &above)).find(|one| is_of(one, name));
            let Some((outer, own, others)) =
                down.filter(|_| !new.iter().any(|(known, _)| is_same(known, name)))
            else {
                return true;
            };
            go(self, below(at, name), below(&below(at, outer), own), (ids, others));
            false
        });
        free_new.retain(|(name, others)| {
            let up = above.iter().filter(|one| is_free(one, &beneath)).find(|one| is_of(one, name));
            let Some((outer, own, ids)) = up.filter(|_| !old.iter().any(|(known, _)| is_same(known, name)))
            else {
                return true;
            };
            go(self, below(&below(at, outer), own), below(at, name), (ids, others));
            false
        });
        found
    }

    /// Members that are alike, the most alike first.
    fn renames(
        &mut self,
        free_old: &mut Vec<Member<'s>>,
        free_new: &mut Vec<Member<'s>>,
        at: &str,
    ) -> Vec<(String, Vec<SchemaId>, Vec<SchemaId>)> {
        let mut scored: Vec<(i64, Member<'s>, Member<'s>)> = Vec::new();
        for left in free_old.iter() {
            for right in free_new.iter() {
                scored.push((self.points(left, right), left.clone(), right.clone()));
            }
        }
        scored.retain(|(points, _, _)| *points >= ENOUGH);
        scored.sort_by_key(|(points, _, _)| -points);
        let mut found = Vec::new();
        for (_, (name, ids), (other, others)) in scored {
            let is_free = |all: &[Member<'_>], name: &str| all.iter().any(|(known, _)| *known == name);
            if !is_free(free_old, name) || !is_free(free_new, other) {
                continue;
            }
            free_old.retain(|(known, _)| *known != name);
            free_new.retain(|(known, _)| *known != other);
            if !is_same(name, other) {
                self.guess(&below(at, name), format!("becomes `{other}`"));
            }
            self.steps.push(BodyStep::Rename { at: below(at, name).into(), to: other.into() });
            found.push((below(at, other), ids, others));
        }
        found
    }

    /// What speaks for two members being one: their names, their types, their choices.
    fn points(&self, (name, ids): &Member<'_>, (other, others): &Member<'_>) -> i64 {
        let (was, now) = (View::together(self.from, ids), View::together(self.to, others));
        let mut points = i64::from(likeness(name, other)) / 2;
        points += match (kind(&was), kind(&now)) {
            (Some(left), Some(right)) if left == right => 20,
            (Some(Type::List | Type::Object), Some(_)) | (Some(_), Some(Type::List | Type::Object)) => -30,
            _ => 0,
        };
        points += match (was.choices(), now.choices()) {
            (Some(left), Some(right)) => {
                let text = |value: &serde_json::Value| value.as_str().map(plain);
                let is_known =
                    |value: &&&serde_json::Value| right.iter().any(|known| text(known) == text(value));
                if left.iter().filter(|value| text(value).is_some()).any(|value| is_known(&value)) {
                    25
                } else {
                    -10
                }
            }
            (None, None) => 5,
            (Some(_), None) | (None, Some(_)) => -15,
        };
        points
    }

    /// What the other side does not know.
    fn left_over(&mut self, was: &View<'s>, now: &View<'s>, free: &[Member<'s>], at: &str) {
        let required = was.required();
        for (name, ids) in free {
            let place = below(at, name);
            let inside = View::together(self.from, ids).properties();
            let is_emptied =
                !inside.is_empty() && inside.iter().all(|(own, _)| self.taken.contains(&below(&place, own)));
            if now.is_closed() {
                self.steps.push(BodyStep::Remove { at: place.as_str().into() });
            }
            if self.direction == Direction::Request && !is_emptied {
                let must = if required.contains(name) { "is always sent" } else { "may be sent" };
                self.cannot(&place, format!("{must}, and the new version does not know it: it is lost"));
            }
        }
    }
}

/// A member of a member: the outer name, its own, and its schemas.
type Inner<'s> = (&'s str, &'s str, Vec<SchemaId>);

fn inner<'s>(schemas: &'s Schemas, members: &[Member<'s>]) -> Vec<Inner<'s>> {
    let mut found = Vec::new();
    for (outer, ids) in members {
        let view = View::together(schemas, ids);
        if kind(&view) == Some(Type::Object) {
            found.extend(view.properties().into_iter().map(|(name, ids)| (*outer, name, ids)));
        }
    }
    found
}

fn is_same(left: &str, right: &str) -> bool {
    likeness(left, right) == SAME
}

/// Whether a name is that of a member of a member, with or without the outer name before it.
fn is_of((outer, own, _): &Inner<'_>, name: &str) -> bool {
    is_same(own, name) || plain(name) == format!("{}{}", plain(outer), plain(own))
}

/// The member of one side that is an object and has what the other side has.
fn around<'s>(schemas: &'s Schemas, one: &[Member<'s>], other: &[Member<'s>]) -> Option<Member<'s>> {
    let fits = |(_, ids): &&Member<'s>| {
        let view = View::together(schemas, ids);
        let names = view.properties();
        let common =
            other.iter().filter(|(name, _)| names.iter().any(|(known, _)| is_same(known, name))).count();
        kind(&view) == Some(Type::Object) && common > 0 && 2 * common >= names.len().min(other.len())
    };
    one.iter().find(fits).cloned()
}
