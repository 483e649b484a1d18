//! Reads schemas of a description into the table, each place once and without recursion.
//!
//! A schema that is met gets its number at once and is read later, off a list. So a schema may lead back to itself, and a
//! chain of ten thousand references is as flat as any.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::rules;
use super::same_value::{self, Fault};
use super::{About, Condition, Discriminator, Schema, SchemaId, Schemas, Type, Types};
use crate::description::Dialect;
use crate::problem::quoted;
use crate::source::{Findings, Node, References};

/// Collects schemas while a description is read.
pub(crate) struct Schematics<'a> {
    dialect: Dialect,
    known: HashMap<usize, SchemaId>,
    waiting: Vec<(SchemaId, Node<'a>)>,
    schemas: Vec<Schema>,
    nodes: Vec<Node<'a>>,
}

/// What reading one schema needs at hand.
pub(super) struct Desk<'r, 'a> {
    pub schematics: &'r mut Schematics<'a>,
    pub references: &'r mut References<'a>,
    pub findings: &'r mut Findings,
}

impl<'a> Schematics<'a> {
    pub fn new(dialect: Dialect) -> Schematics<'a> {
        Schematics {
            dialect,
            known: HashMap::new(),
            waiting: Vec::new(),
            schemas: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// The number of the schema at a place. A reference alone has the number of what it leads to.
    pub fn number(
        &mut self,
        node: Node<'a>,
        references: &mut References<'a>,
        findings: &mut Findings,
    ) -> SchemaId {
        let old = self.dialect == Dialect::OpenApi30;
        let target = references.follow_while(node, findings, |node| is_reference_alone(node, old));
        // A reference to nowhere is told already; the place keeps a schema that takes everything.
        let node = target.unwrap_or(node);
        if let Some(known) = self.known.get(&node.address()) {
            return *known;
        }
        let id = SchemaId(u32::try_from(self.schemas.len()).unwrap_or(u32::MAX));
        self.known.insert(node.address(), id);
        self.schemas.push(Schema { line: node.line(), file: references.file_of(node), ..Schema::default() });
        self.nodes.push(node);
        if target.is_some() {
            self.waiting.push((id, node));
        }
        id
    }

    /// Names the schemas of the components.
    pub fn name(&mut self, id: SchemaId, name: &str) {
        let schema = &mut self.schemas[id.0 as usize];
        if schema.name.is_none() {
            schema.name = Some(name.into());
        }
    }

    /// Reads everything that waits and closes the table. Warnings are faults that do no harm.
    pub fn finish(
        mut self,
        references: &mut References<'a>,
        findings: &mut Findings,
        warnings: &mut Findings,
    ) -> Schemas {
        while let Some((id, node)) = self.waiting.pop() {
            let mut desk = Desk { schematics: &mut self, references, findings };
            let schema = desk.schema(node);
            let slot = &mut self.schemas[id.0 as usize];
            let (name, file) = (slot.name.take(), slot.file.clone());
            *slot = Schema { name, file, line: slot.line, ..schema };
        }
        let schemas = Schemas(self.schemas);
        for (id, fault) in same_value::faults(&schemas) {
            let node = self.nodes[id.0 as usize];
            match fault {
                Fault::Circle => warnings.add(
                    node,
                    "leads back to itself for the same value (by `allOf`, `anyOf`, `oneOf` or `$ref`)",
                    "take one of the steps out; inside of itself it is taken as met",
                ),
                Fault::TooLong => {
                    let most = crate::limits::SAME_VALUE_STEPS_MAX;
                    let what = format!("is the start of more than {most} schemas that judge one value");
                    findings.add(node, what, "join some of them");
                }
            }
        }
        for (id, schema) in schemas.iter() {
            for word in &schema.unchecked {
                let what = format!("{} is not understood: nothing is checked by it", quoted(word));
                warnings.add(self.nodes[id.0 as usize], what, "write the rule in another way");
            }
        }
        schemas
    }
}

/// In OpenAPI 3.0 nothing counts beside a reference; later, what stands beside it counts as well.
fn is_reference_alone(node: Node<'_>, old: bool) -> bool {
    const SAYS_NOTHING: [&str; 3] = ["$ref", "description", "summary"];
    node.text_of("$ref").is_some() && (old || node.fields().all(|(name, _)| SAYS_NOTHING.contains(&name)))
}

impl<'a> Desk<'_, 'a> {
    pub fn number(&mut self, node: Node<'a>) -> SchemaId {
        self.schematics.number(node, self.references, self.findings)
    }

    pub fn is_old(&self) -> bool {
        self.schematics.dialect == Dialect::OpenApi30
    }

    fn schema(&mut self, node: Node<'a>) -> Schema {
        match node.value {
            Value::Bool(all) if !self.is_old() => return Schema { never: !all, ..Schema::default() },
            Value::Object(_) => {}
            _ => {
                self.findings.add(node, "is no schema", "write an object with `type:` and so on");
                return Schema::default();
            }
        }
        let mut draft = Draft::default();
        for (word, value) in node.fields() {
            self.word(&mut draft, node, word, value);
        }
        rules::settle(&mut draft, node, self);
        draft.schema
    }

    /// Takes one keyword. Those that nobody knows say nothing, as JSON Schema has it.
    fn word(&mut self, draft: &mut Draft<'a>, node: Node<'a>, word: &str, value: Node<'a>) {
        let schema = &mut draft.schema;
        match word {
            "type" => schema.types = self.types(value),
            "nullable" if self.is_old() => schema.nullable = *value.value == Value::Bool(true),
            "enum" => match value.value {
                Value::Array(values) => draft.choices = Some(values.clone()),
                _ => self.findings.add(value, "must be a list", "write the values as a list"),
            },
            "const" if !self.is_old() => draft.constant = Some(value.value.clone()),
            "title" => about(schema).title = value.text().map(Into::into),
            "description" => about(schema).description = value.text().map(Into::into),
            "default" => about(schema).default = Some(value.value.clone()),
            "example" => draft.examples.insert(0, value.value.clone()),
            "examples" => draft.examples.extend(value.items().map(|item| item.value.clone())),
            "readOnly" => schema.read_only = *value.value == Value::Bool(true),
            "writeOnly" => schema.write_only = *value.value == Value::Bool(true),
            "deprecated" => schema.deprecated = *value.value == Value::Bool(true),
            "$ref" => {
                if let Some(target) = self.references.step(node, self.findings) {
                    draft.all_of.push(self.number(target));
                }
            }
            "allOf" => draft.all_of.extend(self.several(value)),
            "anyOf" => schema.any_of = self.several(value).into(),
            "oneOf" => schema.one_of = self.several(value).into(),
            "not" => schema.not = Some(self.number(value)),
            "if" if !self.is_old() => draft.when = Some(self.number(value)),
            "then" if !self.is_old() => draft.then = Some(self.number(value)),
            "else" if !self.is_old() => draft.otherwise = Some(self.number(value)),
            "discriminator" => schema.discriminator = self.discriminator(node, value),
            "$dynamicRef" | "$recursiveRef" => draft.unchecked.push(word.into()),
            _ => rules::word(draft, word, value, self),
        }
    }

    fn types(&mut self, value: Node<'a>) -> Types {
        let mut one = |node: Node<'a>, types: Types| match node.text().map(|word| (word, Type::named(word))) {
            Some((_, Some(named))) => types.with(named),
            Some((word, None)) => {
                let near = model::suggest::did_you_mean(word, Type::ALL.iter().map(|known| known.word()));
                let all = "the types are null, boolean, integer, number, string, array, object";
                self.findings.add(
                    node,
                    format!("{} is no type", quoted(word)),
                    near.unwrap_or_else(|| all.to_owned()),
                );
                Types::ALL
            }
            None => {
                self.findings.add(node, "must be the name of a type", "write `type: string`");
                Types::ALL
            }
        };
        match value.value {
            Value::Array(_) => value.items().fold(Types::NONE, |types, item| one(item, types)),
            _ => one(value, Types::NONE),
        }
    }

    fn several(&mut self, value: Node<'a>) -> Vec<SchemaId> {
        if value.value.as_array().is_none_or(Vec::is_empty) {
            self.findings.add(value, "must be a list of schemas", "write one schema for each element");
        }
        value.items().map(|item| self.number(item)).collect()
    }

    fn discriminator(&mut self, node: Node<'a>, value: Node<'a>) -> Option<Box<Discriminator>> {
        let Some(property) = value.text_of("propertyName") else {
            self.findings.add(
                value,
                "has no `propertyName`",
                "name the property that tells which schema is meant",
            );
            return None;
        };
        let mut mapping: Vec<(Arc<str>, SchemaId)> = Vec::new();
        for (name, target) in value.field("mapping").into_iter().flat_map(|mapping| mapping.fields()) {
            if let Some(found) = self.references.mapped(target, self.findings) {
                mapping.push((name.into(), self.number(found)));
            }
        }
        for word in ["oneOf", "anyOf"] {
            for branch in node.field(word).into_iter().flat_map(|list| list.items()) {
                let implied = branch.text_of("$ref").and_then(|reference| reference.rsplit('/').next());
                let id = self.number(branch);
                if let Some(implied) = implied.filter(|_| !mapping.iter().any(|(_, known)| *known == id)) {
                    mapping.push((implied.into(), id));
                }
            }
        }
        Some(Box::new(Discriminator { property: property.into(), mapping: mapping.into() }))
    }
}

/// What a schema is before its parts are put together.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub schema: Schema,
    pub choices: Option<Vec<Value>>,
    pub constant: Option<Value>,
    pub examples: Vec<Value>,
    pub all_of: Vec<SchemaId>,
    pub when: Option<SchemaId>,
    pub then: Option<SchemaId>,
    pub otherwise: Option<SchemaId>,
    pub unchecked: Vec<Arc<str>>,
    pub format: Option<&'a str>,
    pub numbers: Numbers,
    pub contains: Option<SchemaId>,
    pub contains_min: Option<u64>,
    pub contains_max: Option<u64>,
}

/// Bounds of numbers as both dialects write them.
#[derive(Default)]
pub(super) struct Numbers {
    pub minimum: Option<Number>,
    pub maximum: Option<Number>,
    pub above: Option<Number>,
    pub below: Option<Number>,
    pub minimum_excluded: bool,
    pub maximum_excluded: bool,
}

pub(super) fn about(schema: &mut Schema) -> &mut About {
    schema.about.get_or_insert_default()
}

impl Draft<'_> {
    /// `if`, `then`, `else` of which the first is there; the others say nothing alone.
    pub fn condition(&self) -> Option<Box<Condition>> {
        let when = self.when?;
        Some(Box::new(Condition { when, then: self.then, otherwise: self.otherwise }))
    }
}
