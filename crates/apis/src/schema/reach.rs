//! What a schema says by way of others: the types its values may have, and the schemas of its parts.

use super::{Schema, SchemaId, Schemas, Type, Types};
use crate::limits::SAME_VALUE_STEPS_MAX;

impl Schemas {
    /// Types that values may have, what the schema refers to and its alternatives included.
    #[must_use]
    pub fn types_of(&self, id: SchemaId) -> Types {
        self.types_within(id, SAME_VALUE_STEPS_MAX)
    }

    fn types_within(&self, id: SchemaId, steps: usize) -> Types {
        let schema = self.get(id);
        let Some(steps) = steps.checked_sub(1) else { return schema.types };
        let mut types = schema.types;
        for id in &schema.all_of {
            types = types.and(self.types_within(*id, steps));
        }
        for branches in [&schema.any_of, &schema.one_of] {
            if !branches.is_empty() {
                let none = Types::NONE;
                let either = branches.iter().fold(none, |all, id| all.or(self.types_within(*id, steps)));
                types = types.and(either);
            }
        }
        if schema.nullable { types.with(Type::Null) } else { types }
    }

    /// The schema of a property, wherever it is said.
    #[must_use]
    pub fn property_of(&self, id: SchemaId, name: &str) -> Option<SchemaId> {
        self.part_of(id, &|schemas, id| {
            let rules = schemas.get(id).object.as_deref()?;
            rules.property(name).or(rules.additional)
        })
    }

    /// The schema of the elements of a list, wherever it is said.
    #[must_use]
    pub fn items_of(&self, id: SchemaId, position: usize) -> Option<SchemaId> {
        self.part_of(id, &|schemas, id| {
            let rules = schemas.get(id).list.as_deref()?;
            rules.first.get(position).copied().or(rules.items)
        })
    }

    /// Names of all properties that are spoken of.
    #[must_use]
    pub fn property_names(&self, id: SchemaId) -> Vec<&str> {
        let mut names = Vec::new();
        for id in self.beside(id) {
            let properties = self.get(id).object.iter().flat_map(|rules| rules.properties.iter());
            names.extend(properties.map(|(name, _)| &**name));
        }
        names
    }

    fn part_of(
        &self,
        id: SchemaId,
        part: &dyn Fn(&Schemas, SchemaId) -> Option<SchemaId>,
    ) -> Option<SchemaId> {
        self.beside(id).into_iter().find_map(|id| part(self, id))
    }

    /// The schema and all that judge the same value by way of it, alternatives included; each once.
    #[must_use]
    pub fn beside(&self, id: SchemaId) -> Vec<SchemaId> {
        let mut found = vec![id];
        let mut at = 0;
        while at < found.len() {
            let schema = self.get(found[at]);
            for next in schema.all_of.iter().chain(&schema.any_of).chain(&schema.one_of) {
                if !found.contains(next) {
                    found.push(*next);
                }
            }
            at += 1;
        }
        found
    }
}

impl Schema {
    /// Every schema that this one names.
    #[must_use]
    pub fn inner(&self) -> Vec<SchemaId> {
        let mut all: Vec<SchemaId> = super::same_value::beside(self).collect();
        if let Some(list) = &self.list {
            all.extend(list.first.iter().copied());
            all.extend([list.items, list.unevaluated].into_iter().flatten());
            all.extend(list.contains.iter().map(|contains| contains.schema));
        }
        if let Some(object) = &self.object {
            all.extend(object.properties.iter().map(|(_, id)| *id));
            all.extend(object.patterns.iter().map(|(_, id)| *id));
            all.extend([object.additional, object.names, object.unevaluated].into_iter().flatten());
        }
        all.extend(
            self.discriminator
                .iter()
                .flat_map(|discriminator| discriminator.mapping.iter().map(|(_, id)| *id)),
        );
        all
    }
}
