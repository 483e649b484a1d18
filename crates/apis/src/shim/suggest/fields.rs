//! Parameters of path, query and head.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::transform::{FieldTransform, Move, NamedText, Part, Rename};

use super::names::{ALIKE, SAME, likeness};
use super::pairs::Pair;
use super::values::{chosen, text};
use crate::check::Direction;
use crate::operation::{Operation, Parameter, Place};

/// What becomes of the parameters of an operation.
#[derive(Debug, Default)]
pub struct Fields {
    /// The new operation, with the names of values of the old path; none where both are the same.
    pub to: Option<Arc<str>>,
    pub moves: Vec<Move>,
    pub query: FieldTransform,
    pub headers: FieldTransform,
    /// What is to be looked at: where, what, whether it is a guess.
    pub told: Vec<(String, String, bool)>,
    /// Whether requests cannot be written at all.
    pub is_lost: bool,
    /// Parameters of the new operation that get a value of the old one.
    filled: Vec<(Place, Arc<str>)>,
}

/// Finds out.
pub fn of(pair: &Pair<'_>) -> Fields {
    let mut fields = Fields::default();
    fields.path(pair.old, pair.new);
    fields.others(pair.old, pair.new);
    fields.defaults(pair.old, pair.new);
    fields
}

fn outside(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().filter(|one| matches!(one.place, Place::Query | Place::Header))
}

/// The same parameter of another operation.
fn counterpart<'o>(parameter: &Parameter, other: &'o Operation) -> Option<&'o Parameter> {
    let same = |known: &str| match parameter.place {
        Place::Header => known.eq_ignore_ascii_case(&parameter.name),
        Place::Path | Place::Query | Place::Cookie => *known == *parameter.name,
    };
    other.parameters.iter().find(|known| known.place == parameter.place && same(&known.name))
}

fn part(place: Place, name: Arc<str>) -> Part {
    match place {
        Place::Path => Part::Path(name),
        Place::Header => Part::Header(name),
        Place::Query | Place::Cookie => Part::Query(name),
    }
}

impl Fields {
    /// The names of the new path in words of the old one.
    fn path(&mut self, old: &Operation, new: &Operation) {
        let mut free: Vec<&str> = old.template.parameters().collect();
        let mut names: HashMap<&str, String> = HashMap::new();
        let wanted: Vec<&str> = new.template.parameters().collect();
        for name in &wanted {
            if let Some(at) = free.iter().position(|known| likeness(known, name) == SAME) {
                names.insert(name, free.remove(at).to_owned());
            }
        }
        for name in &wanted {
            if names.contains_key(name) {
                continue;
            }
            let elsewhere = outside(old).find(|known| likeness(&known.name, name) == SAME);
            if let Some(known) = elsewhere {
                let from = part(known.place, known.name.clone());
                self.moves.push(Move { from, to: Part::Path((*name).into()) });
                names.insert(name, (*name).to_owned());
            } else if !free.is_empty() {
                names.insert(name, free.remove(0).to_owned());
            } else {
                let what = format!("`{name}` of the new path has no value");
                self.told.push(("path".to_owned(), what, false));
                self.is_lost = true;
            }
        }
        for name in free {
            let elsewhere = outside(new).find(|known| likeness(&known.name, name) >= ALIKE);
            match elsewhere {
                Some(known) => {
                    self.filled.push((known.place, known.name.clone()));
                    let (from, to) = (Part::Path(name.into()), part(known.place, known.name.clone()));
                    self.moves.push(Move { from, to });
                }
                None => {
                    let what = format!("`{name}` of the path is lost: the new version does not know it");
                    self.told.push(("path".to_owned(), what, false));
                }
            }
        }
        let path = new
            .template
            .filled(|name| names.get(name).map_or_else(String::new, |name| format!("{{{name}}}")));
        let is_other = old.method != new.method
            || old.template.erased() != new.template.erased()
            || *path != *old.template.as_str();
        if is_other && !self.is_lost {
            self.to = Some(format!("{} {path}", new.method).into());
        }
    }

    /// Parameters of query and head that have another name or place.
    fn others(&mut self, old: &Operation, new: &Operation) {
        for parameter in old.parameters.iter().filter(|one| one.place != Place::Path) {
            let at = format!("{} parameter {}", parameter.place, parameter.name);
            if let Some(same) = counterpart(parameter, new) {
                if same.shape != parameter.shape {
                    self.told.push((at, "is written in another way".to_owned(), false));
                }
                continue;
            }
            let is_moved = |part: &Part| match part {
                Part::Query(name) | Part::Header(name) => *name == parameter.name,
                Part::Path(_) | Part::Body(_) => false,
            };
            if self.moves.iter().any(|one| is_moved(&one.from)) {
                continue;
            }
            match self.nearest(parameter, old, new).filter(|_| parameter.place != Place::Cookie) {
                Some((found, points)) => {
                    self.filled.push((found.place, found.name.clone()));
                    if points < SAME {
                        let what = format!("becomes {} parameter `{}`", found.place, found.name);
                        self.told.push((at, what, true));
                    }
                    self.carry(parameter, found);
                }
                None => {
                    let what = "is not known to the new version, which would pass it over";
                    self.told.push((at, what.to_owned(), false));
                }
            }
        }
    }

    fn carry(&mut self, from: &Parameter, to: &Parameter) {
        let (name, other) = (from.name.clone(), to.name.clone());
        match (from.place, to.place) {
            (Place::Query, Place::Query) => self.query.rename.push(Rename { from: name, to: other }),
            (Place::Header, Place::Header) => self.headers.rename.push(Rename { from: name, to: other }),
            (here, there) => self.moves.push(Move { from: part(here, name), to: part(there, other) }),
        }
    }

    /// The parameter of the new operation that is most like one of the old; the last two of a place are taken for one.
    fn nearest<'o>(
        &self,
        parameter: &Parameter,
        old: &Operation,
        new: &'o Operation,
    ) -> Option<(&'o Parameter, u32)> {
        let free = || {
            let is_filled = |one: &&Parameter| {
                !self.filled.iter().any(|(place, name)| *place == one.place && *name == one.name)
            };
            outside(new).filter(|one| counterpart(one, old).is_none()).filter(is_filled)
        };
        let scored =
            free().map(|one| (one, likeness(&parameter.name, &one.name), one.place == parameter.place));
        let best = scored.max_by_key(|(_, points, is_here)| (*points, *is_here));
        if let Some((found, points, _)) = best.filter(|(_, points, _)| *points >= ALIKE) {
            return Some((found, points));
        }
        let lonely = |one: &&Parameter| one.place == parameter.place;
        let left = outside(old).filter(lonely).filter(|one| counterpart(one, new).is_none()).count();
        let mut there = free().filter(lonely);
        let (only, more) = (there.next()?, there.next());
        let types = |of: &Operation, one: &Parameter| one.schema.map(|id| of.schemas.types_of(id));
        let is_only = more.is_none() && left == 1 && types(old, parameter) == types(new, only);
        is_only.then_some((only, 0))
    }

    /// What must be there and may be absent.
    fn defaults(&mut self, old: &Operation, new: &Operation) {
        for parameter in outside(new).filter(|one| one.required) {
            let is_sent = |known: &&Parameter| known.required;
            if counterpart(parameter, old).filter(is_sent).is_some() || self.is_always_filled(parameter, old)
            {
                continue;
            }
            let at = format!("{} parameter {}", parameter.place, parameter.name);
            let found = parameter.schema.and_then(|id| chosen(&new.schemas, &[id], Direction::Request));
            let Some((found, value)) = found.and_then(|found| Some((text(&found.value)?, found))) else {
                self.told.push((at, "must be sent, and no value was found for it".to_owned(), false));
                continue;
            };
            if !value.is_said {
                self.told.push((at, format!("must be sent; `{found}` is made up"), true));
            }
            let default = NamedText { name: parameter.name.clone(), value: found.into() };
            match parameter.place {
                Place::Header => self.headers.default.push(default),
                Place::Query | Place::Path | Place::Cookie => self.query.default.push(default),
            }
        }
    }

    /// Whether a value that is always sent goes there.
    fn is_always_filled(&self, parameter: &Parameter, old: &Operation) -> bool {
        let goes = |part: &Part| match part {
            Part::Query(name) => parameter.place == Place::Query && *name == parameter.name,
            Part::Header(name) => parameter.place == Place::Header && *name == parameter.name,
            Part::Path(_) | Part::Body(_) => false,
        };
        let is_sure = |place: Place, name: &str| {
            let mut known = old.parameters.iter().filter(|one| one.place == place);
            known.any(|one| *one.name == *name && one.required)
        };
        let moved = self.moves.iter().filter(|one| goes(&one.to)).any(|one| match &one.from {
            Part::Path(_) => true,
            Part::Query(name) => is_sure(Place::Query, name),
            Part::Header(name) => is_sure(Place::Header, name),
            Part::Body(_) => false,
        });
        let renames = if parameter.place == Place::Query { &self.query.rename } else { &self.headers.rename };
        moved || renames.iter().any(|one| one.to == parameter.name && is_sure(parameter.place, &one.from))
    }
}
