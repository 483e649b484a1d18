//! A text that two schemas share when they say the same, wherever they stand.
//!
//! Used where it is asked *whether* rules differ and not how. What people are told (titles, examples) is not part of
//! it. A schema that contains itself is printed as a step back, so the text is exact; where it would be too long
//! there is none, and whoever asked must take the schemas for different.

use std::fmt::Write as _;

use crate::schema::{Schema, SchemaId, Schemas};

/// Deepest print.
const DEPTH: usize = 64;
/// Longest print, in bytes.
const BYTES: usize = 64 << 10;

/// The text; nothing when it would be too long to compare.
pub fn print(schemas: &Schemas, id: SchemaId) -> Option<String> {
    let mut printer = Printer { schemas, open: Vec::new(), text: String::new(), cut: false };
    printer.whole(id);
    (!printer.cut).then_some(printer.text)
}

/// The texts of several schemas, sorted: their order says nothing.
pub fn prints(schemas: &Schemas, ids: &[SchemaId]) -> Option<Vec<String>> {
    let mut all: Vec<String> = ids.iter().map(|id| print(schemas, *id)).collect::<Option<_>>()?;
    all.sort_unstable();
    Some(all)
}

struct Printer<'s> {
    schemas: &'s Schemas,
    /// Schemas that are being printed, the innermost last.
    open: Vec<SchemaId>,
    text: String,
    cut: bool,
}

impl Printer<'_> {
    fn whole(&mut self, id: SchemaId) {
        if let Some(at) = self.open.iter().rposition(|open| *open == id) {
            let _cannot_fail = write!(self.text, "^{}", self.open.len() - at);
            return;
        }
        self.cut |= self.text.len() > BYTES || self.open.len() >= DEPTH;
        if self.cut {
            return;
        }
        self.open.push(id);
        let schema = self.schemas.get(id);
        let _cannot_fail = write!(
            self.text,
            "({}{:?}{}{:?}{:?}{:?}{}{}",
            schema.never,
            schema.types,
            schema.nullable,
            schema.choices,
            schema.number,
            schema.text,
            schema.read_only,
            schema.write_only
        );
        self.lists(schema);
        self.objects(schema);
        for (word, ids) in [("all", &schema.all_of), ("any", &schema.any_of), ("one", &schema.one_of)] {
            self.several(word, ids.iter().copied());
        }
        self.several("not", schema.not);
        if let Some(condition) = &schema.condition {
            self.several("if", [condition.when]);
            self.several("then", condition.then);
            self.several("else", condition.otherwise);
        }
        self.text.push(')');
        self.open.pop();
    }

    fn lists(&mut self, schema: &Schema) {
        let Some(rules) = &schema.list else { return };
        let _cannot_fail = write!(self.text, "list{:?}{:?}{}", rules.size_min, rules.size_max, rules.unique);
        self.several("first", rules.first.iter().copied());
        self.several("items", rules.items);
        self.several("rest", rules.unevaluated);
        if let Some(contains) = &rules.contains {
            let _cannot_fail = write!(self.text, "{}{:?}", contains.size_min, contains.size_max);
            self.several("contains", [contains.schema]);
        }
    }

    fn objects(&mut self, schema: &Schema) {
        let Some(rules) = &schema.object else { return };
        let mut required: Vec<&str> = rules.required.iter().map(|name| &**name).collect();
        required.sort_unstable();
        let _cannot_fail = write!(
            self.text,
            "object{required:?}{:?}{:?}{:?}",
            rules.size_min, rules.size_max, rules.dependent_required
        );
        let mut properties: Vec<(&str, SchemaId)> =
            rules.properties.iter().map(|(name, id)| (&**name, *id)).collect();
        properties.sort_unstable();
        for (name, id) in properties {
            self.several(name, [id]);
        }
        for (pattern, id) in &rules.patterns {
            self.several(pattern.as_str(), [*id]);
        }
        self.several("additional", rules.additional);
        self.several("names", rules.names);
        self.several("rest", rules.unevaluated);
        for (name, id) in &rules.dependent {
            self.several(name, [*id]);
        }
    }

    fn several(&mut self, word: &str, ids: impl IntoIterator<Item = SchemaId>) {
        for id in ids {
            if self.cut {
                return;
            }
            let _cannot_fail = write!(self.text, "{word:?}:");
            self.whole(id);
        }
    }
}
