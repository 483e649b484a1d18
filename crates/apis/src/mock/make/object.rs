//! Objects with what they must have, and what they may have as long as there is room.

use serde_json::{Map, Value};

use super::{Look, Maker};
use crate::check::Direction;
use crate::schema::{ObjectRules, Schema, SchemaId};

/// Of a hundred properties that need not be there, so many are drawn.
const OPTIONAL_PERCENT: u64 = 70;

impl<'s> Maker<'s> {
    /// An object that keeps to the rules of all parts.
    pub fn object(&mut self, parts: &[&'s Schema]) -> Option<Value> {
        let rules: Vec<&'s ObjectRules> = parts.iter().filter_map(|part| part.object.as_deref()).collect();
        let least = rules.iter().filter_map(|rules| rules.size_min).max().unwrap_or(0);
        let most = rules.iter().filter_map(|rules| rules.size_max).min().unwrap_or(u64::MAX);
        if least > most {
            return None;
        }
        let mut map = Map::new();
        let mut names = required(&rules);
        let mut at = 0;
        while let Some(name) = names.get(at).copied() {
            at += 1;
            if map.contains_key(name)
                || (self.goes_the_other_way(&rules, name) && !self.is_free(&rules, name))
            {
                continue;
            }
            let value = self.property(&rules, name)?;
            map.insert(name.to_owned(), value);
            names.extend(needed_with(&rules, name));
        }
        self.optional(&rules, &mut map, most);
        self.fill(&rules, &mut map, least)?;
        Some(Value::Object(in_order(&rules, map)))
    }

    fn optional(&mut self, rules: &[&'s ObjectRules], map: &mut Map<String, Value>, most: u64) {
        let named = rules.iter().flat_map(|rules| rules.properties.iter());
        for (name, id) in named {
            let taken = match self.look {
                Look::Plain => !self.sparse,
                Look::Drawn => self.chance.percent(OPTIONAL_PERCENT) && !self.sparse,
            };
            let leads_back = self.open.contains(id);
            if !taken
                || leads_back
                || self.ends_here()
                || (map.len() as u64) >= most
                || map.contains_key(&**name)
                || self.goes_the_other_way(rules, name)
                || !needed_with(rules, name).iter().all(|needed| map.contains_key(*needed))
            {
                continue;
            }
            if let Some(value) = self.property(rules, name) {
                map.insert(name.to_string(), value);
            }
        }
    }

    /// More properties until there are enough.
    fn fill(&mut self, rules: &[&'s ObjectRules], map: &mut Map<String, Value>, least: u64) -> Option<()> {
        let named: Vec<&str> =
            rules.iter().flat_map(|rules| rules.properties.iter()).map(|(name, _)| &**name).collect();
        let mut attempts = 0;
        while (map.len() as u64) < least {
            attempts += 1;
            if attempts > 4 * least + 64 {
                return None;
            }
            let left =
                named.iter().find(|name| !map.contains_key(**name) && !self.goes_the_other_way(rules, name));
            let name = match (left, rules.iter().find_map(|rules| rules.names)) {
                (Some(name), _) if attempts <= named.len() as u64 => (*name).to_owned(),
                (_, Some(names)) => self.make(&[names])?.as_str()?.to_owned(),
                (_, None) => self.free_name(rules, map.len(), attempts)?,
            };
            if let Some(value) = self.property(rules, &name) {
                map.insert(name, value);
            }
        }
        Some(())
    }

    /// A name that some pattern matches, or any.
    fn free_name(&mut self, rules: &[&'s ObjectRules], count: usize, attempt: u64) -> Option<String> {
        let pattern = rules.iter().find_map(|rules| rules.patterns.first());
        match pattern {
            Some((pattern, _)) if attempt % 2 == 1 => {
                let translated = pattern.translated()?;
                super::pattern::text(translated, &mut self.chance, 0, u64::MAX, u32::try_from(attempt).ok()?)
            }
            _ => Some(format!("property{}", count + 1)),
        }
    }

    /// The value of a property; nothing when it may not be there.
    fn property(&mut self, rules: &[&'s ObjectRules], name: &str) -> Option<Value> {
        let mut ids: Vec<SchemaId> = Vec::new();
        for rules in rules {
            let before = ids.len();
            ids.extend(rules.property(name));
            ids.extend(
                rules
                    .patterns
                    .iter()
                    .filter(|(pattern, _)| pattern.is_match(name) == Some(true))
                    .map(|(_, id)| *id),
            );
            if ids.len() == before {
                ids.extend(rules.additional);
            }
        }
        if ids.is_empty() { Some(Value::String("string".to_owned())) } else { self.make(&ids) }
    }

    /// What is only in requests is not made for an answer, and the other way round.
    fn goes_the_other_way(&self, rules: &[&ObjectRules], name: &str) -> bool {
        rules.iter().filter_map(|rules| rules.property(name)).any(|id| {
            let schema = self.schemas.get(id);
            let one_way = |schema: &Schema| match self.direction {
                Direction::Request => schema.read_only,
                Direction::Answer => schema.write_only,
            };
            one_way(schema) || schema.all_of.iter().any(|id| one_way(self.schemas.get(*id)))
        })
    }

    /// Whether some part requires a name without saying that it goes one way only.
    fn is_free(&self, rules: &[&ObjectRules], name: &str) -> bool {
        rules.iter().any(|rules| rules.requires(name) && rules.property(name).is_none())
    }
}

fn required<'s>(rules: &[&'s ObjectRules]) -> Vec<&'s str> {
    rules.iter().flat_map(|rules| rules.required.iter()).map(|name| &**name).collect()
}

fn needed_with<'s>(rules: &[&'s ObjectRules], name: &str) -> Vec<&'s str> {
    let all = rules.iter().flat_map(|rules| rules.dependent_required.iter());
    all.filter(|needs| *needs.name == *name)
        .flat_map(|needs| needs.needed.iter())
        .map(|name| &**name)
        .collect()
}

/// As the description writes them: that reads best.
fn in_order(rules: &[&ObjectRules], mut map: Map<String, Value>) -> Map<String, Value> {
    let mut ordered = Map::new();
    for (name, _) in rules.iter().rev().flat_map(|rules| rules.properties.iter()) {
        if let Some(value) = map.remove(&**name) {
            ordered.insert(name.to_string(), value);
        }
    }
    ordered.extend(map);
    ordered
}
