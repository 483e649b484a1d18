//! What is changed about messages on their way, as people write it: one form for policies and for shims.
//!
//! Requests first: what moves between parts, then fields of the query and of the head, then the body, step by step in
//! the order written. Answers likewise. Steps that find nothing to work on do nothing, so that one list serves answers
//! that have a member and answers that do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::ByteQuantity;

/// Changes of a request and of its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Transform {
    /// Of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestTransform>,
    /// Of answers; the first that names the status holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<ResponseTransform>,
}

/// Changes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestTransform {
    /// Another path; the query is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTransform>,
    /// Values that go from one part to another, before anything else is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Parameters of the query.
    #[serde(skip_serializing_if = "FieldTransform::is_empty")]
    pub query: FieldTransform,
    /// Fields of the head.
    #[serde(skip_serializing_if = "FieldTransform::is_empty")]
    pub headers: FieldTransform,
    /// Steps on a JSON body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<BodyStep>,
}

/// Changes of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResponseTransform {
    /// Statuses, each as `404` or `4XX`; those of success when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Arc<str>>,
    /// Another status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Values that go from one part to another, before anything else is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Fields of the head.
    #[serde(skip_serializing_if = "FieldTransform::is_empty")]
    pub headers: FieldTransform,
    /// Steps on a JSON body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<BodyStep>,
}

/// Another path. Paths that are not of the form are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTransform {
    /// The form, with names in braces: `/pets/{id}`.
    pub from: Arc<str>,
    /// What it becomes; names stand for what they stood for in `from`.
    pub to: Arc<str>,
}

/// A value that goes from one part to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Where it is taken from; where nothing is, nothing moves.
    pub from: Part,
    /// Where it goes; what stands there is replaced.
    pub to: Part,
}

/// A place for a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// A parameter of the path.
    Path(Arc<str>),
    /// A parameter of the query.
    Query(Arc<str>),
    /// A field of the head.
    Header(Arc<str>),
    /// A JSON Pointer into the body.
    Body(Arc<str>),
}

/// Changes of fields with names, in this order: rename, remove, default, set, add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldTransform {
    /// Other names; what stands under the new name is replaced when something stood under the old one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<Rename>,
    /// Names that are taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Arc<str>>,
    /// Values for names that are absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<NamedText>,
    /// Values that replace all that stands under a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<NamedText>,
    /// Values that stand beside others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<NamedText>,
}

impl FieldTransform {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let FieldTransform { rename, remove, default, set, add } = self;
        rename.is_empty() && remove.is_empty() && default.is_empty() && set.is_empty() && add.is_empty()
    }

    /// Every name that it speaks of.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let renamed = self.rename.iter().flat_map(|rename| [&rename.from, &rename.to]);
        let given = self.default.iter().chain(&self.set).chain(&self.add).map(|field| &field.name);
        renamed.chain(&self.remove).chain(given)
    }
}

/// A name that becomes another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The name as it comes.
    pub from: Arc<str>,
    /// The name as it goes on.
    pub to: Arc<str>,
}

/// A name and a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedText {
    /// The name.
    pub name: Arc<str>,
    /// The text.
    pub value: Arc<str>,
}

/// One step on a JSON body. Places are JSON Pointers (RFC 6901) in which `*` stands for every element of a list or
/// every member of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BodyStep {
    /// A member gets another name.
    Rename {
        /// The member.
        at: Arc<str>,
        /// Its new name.
        to: Arc<str>,
    },
    /// A value goes elsewhere; objects on its way are made.
    Move {
        /// Where it is.
        from: Arc<str>,
        /// Where it goes.
        to: Arc<str>,
    },
    /// A member is taken out.
    Remove {
        /// The member.
        at: Arc<str>,
    },
    /// A value is put where none is.
    Default {
        /// Where.
        at: Arc<str>,
        /// The value.
        value: Value,
    },
    /// A value is put, whatever is there.
    Set {
        /// Where.
        at: Arc<str>,
        /// The value.
        value: Value,
    },
    /// Values become others, one by one.
    Values {
        /// Where they are.
        at: Arc<str>,
        /// What each becomes. A value that is no text is written as JSON writes it.
        map: BTreeMap<Arc<str>, Value>,
        /// What becomes of others.
        #[serde(default)]
        otherwise: Otherwise,
    },
    /// A value becomes the only member of an object.
    Wrap {
        /// The value; empty for all of the body.
        at: Arc<str>,
        /// The name of the member.
        key: Arc<str>,
    },
    /// An object becomes the value of one of its members.
    Unwrap {
        /// The object; empty for all of the body.
        at: Arc<str>,
        /// The name of the member.
        key: Arc<str>,
    },
    /// A value becomes one of another type.
    Type {
        /// The value.
        at: Arc<str>,
        /// The type.
        to: ValueType,
    },
}

/// What becomes of values that a map does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Otherwise {
    /// They stay as they are.
    #[default]
    Keep,
    /// The message is refused.
    Refuse,
}

/// A type that a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueType {
    /// Numbers and truth values as JSON writes them.
    String,
    /// Text that is a whole number.
    Integer,
    /// Text that is a number.
    Number,
    /// `true` and `false`.
    Boolean,
    /// A list of this one value.
    List,
    /// The only element of a list.
    Single,
}

/// What becomes of bodies that are no JSON where steps are to be done on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtherBodies {
    /// They are refused.
    #[default]
    Refuse,
    /// They go on as they are.
    Pass,
}

/// Bounds of bodies that are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BodyRules {
    /// Most bytes of a body on which steps are done; 1Mi when absent, at most 8Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<ByteQuantity>,
    /// What becomes of bodies that are no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_bodies: Option<OtherBodies>,
}
