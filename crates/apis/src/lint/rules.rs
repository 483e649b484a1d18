//! All rules, with their reasons.

use std::borrow::Cow;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Something is broken.
    Error,
    /// Somebody will stumble.
    Warning,
    /// It could be better.
    Hint,
}

impl Severity {
    /// The word for people and programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        }
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name; a promise to scripts.
    pub id: Cow<'static, str>,
    /// How bad it is.
    pub severity: Severity,
    /// Why it is one.
    pub reason: Cow<'static, str>,
}

const fn rule(id: &'static str, severity: Severity, reason: &'static str) -> Rule {
    Rule { id: Cow::Borrowed(id), severity, reason: Cow::Borrowed(reason) }
}

use Severity::{Error, Hint, Warning};

// The table is the point.
#[rustfmt::skip]
#[allow(missing_docs, reason = "each row says what it is")]
mod table {
    use super::{Error, Hint, Rule, Warning, rule};

    pub static READABLE: Rule = rule("readable", Error, "what cannot be read cannot be served");
    pub static ODD: Rule = rule("understood", Warning, "what is not understood is left out, and nobody sees that it is");
    pub static TITLE: Rule = rule("info-title", Warning, "a catalogue lists APIs by their title");
    pub static ABOUT: Rule = rule("info-description", Hint, "whoever finds an API asks first what it is for");
    pub static SERVER_TLS: Rule = rule("server-tls", Warning, "credentials sent without TLS are everybody's");
    pub static PATH_SLASH: Rule = rule("path-trailing-slash", Warning, "`/pets` and `/pets/` are two paths, and callers know only one");
    pub static PATH_AMBIGUOUS: Rule = rule("path-ambiguous", Warning, "servers disagree on which of two paths answers");
    pub static OPERATION_ID: Rule = rule("operation-id", Warning, "generated clients name their functions by it");
    pub static OPERATION_ID_UNIQUE: Rule = rule("operation-id-unique", Error, "generated clients would define a function twice");
    pub static SUMMARY: Rule = rule("operation-summary", Hint, "a reference without words is a list of paths");
    pub static TAG_KNOWN: Rule = rule("tag-known", Hint, "a misspelt tag is a group of one");
    pub static SUCCESS: Rule = rule("answer-success", Warning, "a caller must know what it gets when all goes well; a mock cannot answer");
    pub static FAILURE: Rule = rule("answer-failure", Hint, "a caller must know what failures look like");
    pub static ANSWER_WORDS: Rule = rule("answer-description", Hint, "OpenAPI asks for it, and readers need it");
    pub static ANSWER_EMPTY: Rule = rule("answer-without-body", Error, "these statuses have no body (RFC 9110)");
    pub static BODY_UNEXPECTED: Rule = rule("request-body-unexpected", Warning, "bodies of GET, HEAD and DELETE mean nothing (RFC 9110) and are dropped on the way");
    pub static SECURITY: Rule = rule("security-on-writes", Warning, "whoever can change something should be known");
    pub static PARAMETER_SCHEMA: Rule = rule("parameter-schema", Warning, "nothing is checked of a parameter without a schema");
    pub static PARAMETER_WORDS: Rule = rule("parameter-description", Hint, "a name alone rarely says what may be sent");
    pub static EXAMPLE_VALID: Rule = rule("example-valid", Error, "callers copy examples; mocks answer with them");
    pub static DEFAULT_VALID: Rule = rule("default-valid", Warning, "a default that is refused when it is sent is none");
    pub static VALUE_POSSIBLE: Rule = rule("value-possible", Warning, "no value could be found that keeps to the schema, so neither mock nor tests can make one");
    pub static LIST_ITEMS: Rule = rule("array-items", Warning, "a list of anything tells callers nothing");
    pub static CHOICES_UNIQUE: Rule = rule("enum-unique", Warning, "a choice that stands twice is a slip");
    pub static REQUIRED_KNOWN: Rule = rule("required-known", Warning, "a property that must be there and is not described is mostly misspelt");
    pub static SCHEMA_USED: Rule = rule("schema-used", Hint, "what nobody refers to is read by everybody");
}

pub use table::*;

/// Every rule.
pub static ALL: &[&Rule] = &[
    &READABLE,
    &ODD,
    &TITLE,
    &ABOUT,
    &SERVER_TLS,
    &PATH_SLASH,
    &PATH_AMBIGUOUS,
    &OPERATION_ID,
    &OPERATION_ID_UNIQUE,
    &SUMMARY,
    &TAG_KNOWN,
    &SUCCESS,
    &FAILURE,
    &ANSWER_WORDS,
    &ANSWER_EMPTY,
    &BODY_UNEXPECTED,
    &SECURITY,
    &PARAMETER_SCHEMA,
    &PARAMETER_WORDS,
    &EXAMPLE_VALID,
    &DEFAULT_VALID,
    &VALUE_POSSIBLE,
    &LIST_ITEMS,
    &CHOICES_UNIQUE,
    &REQUIRED_KNOWN,
    &SCHEMA_USED,
];
