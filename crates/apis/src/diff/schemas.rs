//! Schemas against schemas: which values are taken no more, and which are new.
//!
//! Pairs wait in a list, so a schema that contains itself and a chain of ten thousand end alike.

use std::collections::HashSet;

use super::view::View;
use super::{Class, Report, print, rules};
use crate::check::Direction;
use crate::schema::{Schema, SchemaId, Schemas};

/// Pairs of schemas of two descriptions.
pub struct Pairs<'s> {
    old: &'s Schemas,
    new: &'s Schemas,
    seen: HashSet<(SchemaId, SchemaId, Direction)>,
    waiting: Vec<(SchemaId, SchemaId, String)>,
}

impl<'s> Pairs<'s> {
    pub fn new(old: &'s Schemas, new: &'s Schemas) -> Pairs<'s> {
        Pairs { old, new, seen: HashSet::new(), waiting: Vec::new() }
    }

    /// Compares two schemas that need not be there; without one, everything will do.
    pub fn maybe(
        &mut self,
        old: Option<SchemaId>,
        new: Option<SchemaId>,
        direction: Direction,
        report: &mut Report,
    ) {
        match (old, new) {
            (None, None) => {}
            (Some(_), None) => report.wider(direction, "schema-removed", "may be anything now"),
            (None, Some(_)) => {
                report.narrower(direction, "schema-added", "was anything and has a schema now")
            }
            (Some(old), Some(new)) => self.compare(old, new, direction, report),
        }
    }

    fn compare(&mut self, old: SchemaId, new: SchemaId, direction: Direction, report: &mut Report) {
        self.waiting.push((old, new, " ".to_owned()));
        while let Some((old, new, place)) = self.waiting.pop() {
            if self.seen.insert((old, new, direction)) {
                report.within(&place.clone(), |report| self.pair(old, new, &place, direction, report));
            }
        }
    }

    fn wait(&mut self, old: &[SchemaId], new: &[SchemaId], place: String, report: &mut Report) {
        match (old, new) {
            ([old], [new]) => self.waiting.push((*old, *new, place)),
            // Several schemas speak of one place: they are compared as a whole.
            (old, new) => {
                let (was, now) = (print::prints(self.old, old), print::prints(self.new, new));
                if was.is_none() || was != now {
                    report.add(Class::Unknown, "schema-changed", format!("has other rules at {place}"));
                }
            }
        }
    }

    fn pair(&mut self, old: SchemaId, new: SchemaId, place: &str, direction: Direction, report: &mut Report) {
        let (was, now) = (View::of(self.old, old), View::of(self.new, new));
        match (was.never, now.never) {
            (true, true) => return,
            (false, true) => return report.narrower(direction, "schema-closed", "may not be there any more"),
            (true, false) => return report.wider(direction, "schema-opened", "may be there now"),
            (false, false) => {}
        }
        rules::compare(&was, &now, direction, report);
        self.properties(&was, &now, place, direction, report);
        self.additional(&was, &now, place, direction, report);
        self.elements(&was, &now, place, direction, report);
        self.branches(&was, &now, "anyOf", place, direction, report, |part| &part.any_of);
        self.branches(&was, &now, "oneOf", place, direction, report, |part| &part.one_of);
        self.others(&was, &now, report);
    }

    fn properties(
        &mut self,
        was: &View<'s>,
        now: &View<'s>,
        place: &str,
        direction: Direction,
        report: &mut Report,
    ) {
        // What goes the other way only is not there.
        let one_way = |schema: &Schema| match direction {
            Direction::Request => schema.read_only,
            Direction::Answer => schema.write_only,
        };
        let (before, after) = (was.properties(), now.properties());
        let there = |view: &View<'_>, name: &str| !view.goes_one_way(name, one_way);
        for (name, ids) in &before {
            let counterpart = after.iter().find(|(known, _)| known == name);
            match (there(was, name), counterpart.filter(|_| there(now, name))) {
                (false, None) => {}
                (true, None) => report.within(&format!("/{name}"), |report| {
                    report.add(Class::Breaking, "property-removed", "was removed");
                }),
                (false, Some(_)) => {
                    report.within(&format!("/{name}"), |report| added(was, now, name, direction, report))
                }
                (true, Some((_, others))) => self.wait(ids, others, format!("{place}/{name}"), report),
            }
        }
        for (name, _) in after.iter().filter(|(name, _)| !before.iter().any(|(known, _)| known == name)) {
            if there(now, name) {
                report.within(&format!("/{name}"), |report| added(was, now, name, direction, report));
            }
        }
        self.required(was, now, direction, report);
    }

    fn required(&self, was: &View<'s>, now: &View<'s>, direction: Direction, report: &mut Report) {
        let one_way = |schema: &Schema| match direction {
            Direction::Request => schema.read_only,
            Direction::Answer => schema.write_only,
        };
        let names = |view: &View<'s>| -> Vec<&str> {
            view.required().into_iter().filter(|name| !view.goes_one_way(name, one_way)).collect()
        };
        let (before, after) = (names(was), names(now));
        for name in after.iter().filter(|name| !before.contains(name)) {
            report.within(&format!("/{name}"), |report| {
                report.narrower(direction, "property-required", "must be there now");
            });
        }
        for name in before.iter().filter(|name| !after.contains(name)) {
            report.within(&format!("/{name}"), |report| {
                report.wider(direction, "property-optional", "may be missing now");
            });
        }
    }

    fn additional(
        &mut self,
        was: &View<'s>,
        now: &View<'s>,
        place: &str,
        direction: Direction,
        report: &mut Report,
    ) {
        match (was.is_closed(), now.is_closed()) {
            (false, true) => {
                report.narrower(direction, "object-closed", "takes no other properties any more")
            }
            (true, false) => report.wider(direction, "object-opened", "takes other properties now"),
            (true, true) => {}
            (false, false) => match (&was.additional()[..], &now.additional()[..]) {
                ([], []) => {}
                ([], _) => {
                    report.narrower(direction, "schema-added", "has a schema for other properties now")
                }
                (_, []) => report.wider(direction, "schema-removed", "takes any other property now"),
                (old, new) => self.wait(old, new, format!("{place}/*"), report),
            },
        }
    }

    fn elements(
        &mut self,
        was: &View<'s>,
        now: &View<'s>,
        place: &str,
        direction: Direction,
        report: &mut Report,
    ) {
        match (&was.items()[..], &now.items()[..]) {
            ([], []) => {}
            ([], _) => report.narrower(direction, "schema-added", "has a schema for its elements now"),
            (_, []) => report.wider(direction, "schema-removed", "takes any element now"),
            (old, new) => self.wait(old, new, format!("{place}/*"), report),
        }
    }

    /// Alternatives are the same when they say the same; one that went, or came, is told, unless it is the only one and
    /// can be compared.
    #[allow(
        clippy::too_many_arguments,
        reason = "a place, a direction and what to look at; a struct would only rename them"
    )]
    fn branches(
        &mut self,
        was: &View<'s>,
        now: &View<'s>,
        word: &'static str,
        place: &str,
        direction: Direction,
        report: &mut Report,
        of: impl Fn(&'s Schema) -> &'s [SchemaId],
    ) {
        let all = |view: &View<'s>| -> Vec<SchemaId> {
            view.parts.iter().copied().flat_map(|part| of(part).iter().copied()).collect()
        };
        let (before, after) = (all(was), all(now));
        if before.is_empty() || after.is_empty() {
            match (before.is_empty(), after.is_empty()) {
                (true, false) => {
                    report.add(Class::Unknown, "alternatives-added", format!("has an `{word}` now"))
                }
                (false, true) => {
                    report.add(Class::Unknown, "alternatives-removed", format!("has no `{word}` any more"))
                }
                (true, true) | (false, false) => {}
            }
            return;
        }
        let (mut gone, mut come) = (before, after);
        let (old, new) = (self.old, self.new);
        gone.retain(|id| {
            let text = print::print(old, *id);
            let same = come.iter().position(|other| text.is_some() && print::print(new, *other) == text);
            same.map(|at| come.remove(at)).is_none()
        });
        // What has a name is followed by it.
        let mut pairs = Vec::new();
        gone.retain(|id| {
            let name = &old.get(*id).name;
            let same = come.iter().position(|other| name.is_some() && new.get(*other).name == *name);
            same.map(|at| pairs.push((*id, come.remove(at)))).is_none()
        });
        if let ([only], [other]) = (&gone[..], &come[..]) {
            pairs.push((*only, *other));
            (gone, come) = (Vec::new(), Vec::new());
        }
        self.waiting.extend(pairs.into_iter().map(|(old, new)| (old, new, place.to_owned())));
        for _ in gone {
            report.narrower(
                direction,
                "alternative-removed",
                format!("has one alternative of its `{word}` less"),
            );
        }
        for _ in come {
            report.wider(direction, "alternative-added", format!("has one alternative of its `{word}` more"));
        }
    }

    /// Rules of which it is only told that they differ.
    fn others(&self, was: &View<'s>, now: &View<'s>, report: &mut Report) {
        let rest = |view: &View<'s>| -> Option<Vec<String>> {
            let mut all = Vec::new();
            for part in &view.parts {
                all.extend(self.rest(view.schemas, part)?);
            }
            all.sort_unstable();
            all.dedup();
            Some(all)
        };
        let (before, after) = (rest(was), rest(now));
        if before.is_none() || before != after {
            report.add(Class::Unknown, "rules-changed", "has other rules of a kind that is not compared");
        }
    }

    fn rest(&self, schemas: &Schemas, part: &Schema) -> Option<Vec<String>> {
        let mut all: Vec<String> = part.unchecked.iter().map(ToString::to_string).collect();
        let mut add = |word: &str, id: SchemaId| {
            let text = print::print(schemas, id)?;
            all.push(format!("{word}{text}"));
            Some(())
        };
        if let Some(id) = part.not {
            add("not", id)?;
        }
        if let Some(condition) = &part.condition {
            add("if", condition.when)?;
            condition.then.map_or(Some(()), |id| add("then", id))?;
            condition.otherwise.map_or(Some(()), |id| add("else", id))?;
        }
        if let Some(rules) = &part.object {
            rules.names.map_or(Some(()), |id| add("names", id))?;
            for (pattern, id) in &rules.patterns {
                add(pattern.as_str(), *id)?;
            }
            for (name, id) in &rules.dependent {
                add(name, *id)?;
            }
        }
        if let Some(rules) = &part.list {
            for (position, id) in rules.first.iter().enumerate() {
                add(&format!("first{position}"), *id)?;
            }
            rules.unevaluated.map_or(Some(()), |id| add("rest", id))?;
            if let Some(contains) = &rules.contains {
                add(&format!("contains{}{:?}", contains.size_min, contains.size_max), contains.schema)?;
            }
        }
        let needed = part.object.iter().flat_map(|rules| rules.dependent_required.iter());
        all.extend(needed.map(|needed| format!("{needed:?}")));
        if let Some(discriminator) = &part.discriminator {
            let mut names: Vec<&str> = discriminator.mapping.iter().map(|(name, _)| &**name).collect();
            names.sort_unstable();
            all.push(format!("discriminator {}{names:?}", discriminator.property));
        }
        Some(all)
    }
}

/// A property that is new. Whether it must be there is told with the names that must.
fn added(was: &View<'_>, now: &View<'_>, name: &str, direction: Direction, report: &mut Report) {
    let must = now.required().contains(&name);
    match direction {
        Direction::Request if must => {
            report.add(Class::Breaking, "property-added", "was added and must be sent")
        }
        Direction::Request => {
            report.add(Class::Compatible, "property-added", "was added and may be left out")
        }
        // Who promised that there is nothing else has callers who believe it.
        Direction::Answer if was.is_closed() => {
            report.add(Class::Breaking, "property-added", "was added where nothing else could be");
        }
        Direction::Answer => report.add(Class::Compatible, "property-added", "was added"),
    }
}
