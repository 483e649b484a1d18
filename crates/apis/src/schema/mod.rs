//! What values an API speaks of: JSON Schema as OpenAPI 3.0 and 3.1 write it, brought into one form.
//!
//! Every schema of an upload is one node of one table, however often it is referred to; a schema that contains itself
//! is a number that comes up again, never a copy. Differences between the dialects (`nullable`, `exclusiveMinimum:
//! true`, `example`) end here, so that whoever checks, mocks, compares or prints knows one kind of schema.

mod pattern;
mod reach;
pub(crate) mod read;
mod rules;
mod same_value;
mod types;

use std::sync::Arc;

use serde_json::{Number, Value};

pub use pattern::Pattern;
pub use types::{Type, Types};

/// Number of a schema in its [`Schemas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaId(u32);

/// All schemas of a description.
#[derive(Debug, Default)]
pub struct Schemas(Vec<Schema>);

impl Schemas {
    /// The schema of a number that came from this table.
    #[must_use]
    pub fn get(&self, id: SchemaId) -> &Schema {
        &self.0[id.0 as usize]
    }

    /// Every schema with its number.
    pub fn iter(&self) -> impl Iterator<Item = (SchemaId, &Schema)> {
        (0..).map(SchemaId).zip(&self.0)
    }
}

/// What a value must be. Every rule that is there must hold; a schema without rules takes everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// The name it has among the components of the description.
    pub name: Option<Arc<str>>,
    /// Name of the document it stands in.
    pub file: Arc<str>,
    /// Line of that document, from 1.
    pub line: u32,
    /// The schema `false`: no value will do.
    pub never: bool,
    /// Types a value may have.
    pub types: Types,
    /// `null` will do whatever the other rules say (OpenAPI 3.0's `nullable`).
    pub nullable: bool,
    /// The only values that will do (`enum`, `const`).
    pub choices: Option<Box<[Value]>>,
    /// Rules for numbers.
    pub number: Option<Box<NumberRules>>,
    /// Rules for text.
    pub text: Option<Box<TextRules>>,
    /// Rules for lists.
    pub list: Option<Box<ListRules>>,
    /// Rules for objects.
    pub object: Option<Box<ObjectRules>>,
    /// All of them must hold as well; a reference beside other rules is one of them.
    pub all_of: Box<[SchemaId]>,
    /// At least one of them must hold, if there are any.
    pub any_of: Box<[SchemaId]>,
    /// Exactly one of them must hold, if there are any.
    pub one_of: Box<[SchemaId]>,
    /// Must not hold.
    pub not: Option<SchemaId>,
    /// `if`, `then`, `else`.
    pub condition: Option<Box<Condition>>,
    /// Which of several schemas is meant, told by a property.
    pub discriminator: Option<Box<Discriminator>>,
    /// What people are told.
    pub about: Option<Box<About>>,
    /// The value is only in answers.
    pub read_only: bool,
    /// The value is only in requests.
    pub write_only: bool,
    /// Should not be used any more.
    pub deprecated: bool,
    /// Rules that stand in the description and are not understood: nothing is checked by them.
    pub unchecked: Box<[Arc<str>]>,
}

/// What is said of a schema to people, and values to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// A title.
    pub title: Option<Arc<str>>,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
    /// What is meant when nothing is written.
    pub default: Option<Value>,
    /// Values to show.
    pub examples: Box<[Value]>,
}

/// Rules for numbers; others are not concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberRules {
    /// Smallest number, and whether it is itself too small.
    pub minimum: Option<Bound>,
    /// Largest number, and whether it is itself too large.
    pub maximum: Option<Bound>,
    /// The number is a multiple of this, which is above zero.
    pub multiple_of: Option<Number>,
    /// `int32`, `int64`, `float`, `double`.
    pub format: Option<Arc<str>>,
}

/// An end of a range of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: Number,
    /// Whether the number itself is outside.
    pub exclusive: bool,
}

/// Rules for text; other values are not concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextRules {
    /// Fewest characters.
    pub length_min: Option<u64>,
    /// Most characters.
    pub length_max: Option<u64>,
    /// A pattern that is found somewhere in the text.
    pub pattern: Option<Arc<Pattern>>,
    /// A format such as `date-time`; unknown ones say nothing.
    pub format: Option<Arc<str>>,
}

/// Rules for lists; other values are not concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListRules {
    /// The first elements, one by one (`prefixItems`).
    pub first: Box<[SchemaId]>,
    /// Every element behind those.
    pub items: Option<SchemaId>,
    /// Fewest elements.
    pub size_min: Option<u64>,
    /// Most elements.
    pub size_max: Option<u64>,
    /// No element stands twice.
    pub unique: bool,
    /// Elements that must be among them, how many at least, how many at most.
    pub contains: Option<Contains>,
    /// Elements that no other rule has looked at.
    pub unevaluated: Option<SchemaId>,
}

/// Elements that must be among those of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Contains {
    /// What they are.
    pub schema: SchemaId,
    /// How many at least.
    pub size_min: u64,
    /// How many at most.
    pub size_max: Option<u64>,
}

/// Rules for objects; other values are not concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectRules {
    /// Properties by name, in the order written.
    pub properties: Box<[(Arc<str>, SchemaId)]>,
    /// Names that must be there.
    pub required: Box<[Arc<str>]>,
    /// Properties by patterns of their names.
    pub patterns: Box<[(Arc<Pattern>, SchemaId)]>,
    /// Every other property.
    pub additional: Option<SchemaId>,
    /// Fewest properties.
    pub size_min: Option<u64>,
    /// Most properties.
    pub size_max: Option<u64>,
    /// Every name, as text.
    pub names: Option<SchemaId>,
    /// Names that must be there when a name is there.
    pub dependent_required: Box<[Needs]>,
    /// What the whole object must be when a name is there.
    pub dependent: Box<[(Arc<str>, SchemaId)]>,
    /// Properties that no other rule has looked at.
    pub unevaluated: Option<SchemaId>,
}

impl ObjectRules {
    /// The schema of a property that is named.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<SchemaId> {
        self.properties.iter().find(|(known, _)| **known == *name).map(|(_, id)| *id)
    }

    /// Whether a property must be there.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|required| **required == *name)
    }
}

/// Names that must be there when a name is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// The name.
    pub name: Arc<str>,
    /// Those that it needs.
    pub needed: Box<[Arc<str>]>,
}

/// `if`, `then`, `else`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is asked.
    pub when: SchemaId,
    /// Must hold when that holds.
    pub then: Option<SchemaId>,
    /// Must hold when it does not.
    pub otherwise: Option<SchemaId>,
}

/// Which of several schemas is meant, told by a property.
#[derive(Clone, Debug, PartialEq)]
pub struct Discriminator {
    /// The property.
    pub property: Arc<str>,
    /// Values of the property and the schemas they stand for, those that the names of schemas imply included.
    pub mapping: Box<[(Arc<str>, SchemaId)]>,
}
