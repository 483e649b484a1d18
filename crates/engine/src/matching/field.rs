//! What a match demands beside the path: method, header fields, query parameters.
//!
//! Everything is compared as bytes, and of a repeated name only the first occurrence counts, as Gateway API
//! settles it. The order among matches of one path follows from how much they demand.

use std::cmp::Reverse;
use std::sync::Arc;

use super::pattern::Pattern;
use super::query;
use crate::request::{HeaderView, RequestView};

/// Demands of one match; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The method, compared exactly.
    pub method: Option<Arc<str>>,
    /// Header fields; names in lower case and pairwise different.
    pub headers: Vec<FieldMatch>,
    /// Query parameters; names decoded and pairwise different.
    pub query: Vec<FieldMatch>,
}

/// One demand on a named value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    /// Name of the field or parameter.
    pub name: Arc<str>,
    /// What its first value must be.
    pub value: ValueMatch,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// These bytes.
    Exact(Arc<str>),
    /// Something the whole pattern matches.
    Pattern(Pattern),
    /// A pattern was given that cannot be read. It holds for every request that carries the name at all,
    /// which is the most the pattern could have meant; the rule behind it must refuse.
    Unreadable(Arc<str>),
}

impl ValueMatch {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            ValueMatch::Exact(text) => text.as_bytes() == value,
            ValueMatch::Pattern(pattern) => pattern.matches(value),
            ValueMatch::Unreadable(_) => true,
        }
    }
}

impl Requirements {
    /// Whether a request meets all of them.
    #[must_use]
    pub fn hold<H: HeaderView>(&self, request: &RequestView<'_, H>) -> bool {
        self.method.as_ref().is_none_or(|method| method.as_bytes() == request.method)
            && self.headers.iter().all(|field| header_holds(field, &request.headers))
            && self.query.iter().all(|field| query_holds(field, request.query))
    }

    /// What a request lacks, one half-sentence each; for explanations.
    #[must_use]
    pub fn unmet<H: HeaderView>(&self, request: &RequestView<'_, H>) -> Vec<String> {
        let method = self.method.as_ref().filter(|method| method.as_bytes() != request.method);
        let headers = self.headers.iter().filter(|field| !header_holds(field, &request.headers));
        let query = self.query.iter().filter(|field| !query_holds(field, request.query));
        let method = method.map(|method| format!("the method is not {method}"));
        let headers = headers.map(|field| format!("header {}", field.lack()));
        let query = query.map(|field| format!("query parameter {}", field.lack()));
        method.into_iter().chain(headers).chain(query).collect()
    }

    /// Smaller comes first: a method, then more headers, then more parameters.
    #[must_use]
    pub(super) fn rank(&self) -> (Reverse<bool>, Reverse<usize>, Reverse<usize>) {
        (Reverse(self.method.is_some()), Reverse(self.headers.len()), Reverse(self.query.len()))
    }
}

impl FieldMatch {
    fn lack(&self) -> String {
        match &self.value {
            ValueMatch::Exact(text) => format!("`{}` is not `{text}`", self.name),
            ValueMatch::Pattern(pattern) => format!("`{}` does not match `{}`", self.name, pattern.text()),
            ValueMatch::Unreadable(_) => format!("`{}` is absent", self.name),
        }
    }
}

/// Whether a header demand is met.
pub(crate) fn header_holds<H: HeaderView>(field: &FieldMatch, headers: &H) -> bool {
    headers.first(field.name.as_bytes()).is_some_and(|value| field.value.holds(value))
}

/// Whether a query demand is met.
pub(crate) fn query_holds(field: &FieldMatch, query: Option<&[u8]>) -> bool {
    let Some(raw) = query.and_then(|query| query::first(query, field.name.as_bytes())) else {
        return false;
    };
    match &field.value {
        ValueMatch::Exact(text) => query::decodes_to(raw, text.as_bytes()),
        ValueMatch::Pattern(_) | ValueMatch::Unreadable(_) => {
            query::with_decoded(raw, |value| field.value.holds(value))
        }
    }
}
