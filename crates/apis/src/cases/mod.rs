//! Tests that a description implies: requests that keep to it and requests that break it in exactly one place.
//!
//! A case says what is sent and what may be answered. Whoever sends it, and to what (a mock, an upstream, a gateway),
//! is not known here; the verdict over what came back is ([`Case::verdict`]). A good request must be answered with
//! what is described and keep to it; a bad one must be refused, and no request may make a server fail.

mod bad;
mod good;

use crate::check::{self, Fault, Where};
use crate::description::Description;
use crate::op_key::OpKey;
use crate::operation::{Operation, Scheme, Statuses};

/// What a case asks of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// The request keeps to the description: the answer must be a described one, and keep to it.
    Taken,
    /// The request breaks the description: the answer must be a 4xx.
    Refused,
}

/// One request and what may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The operation.
    pub operation: OpKey,
    /// What is tried, for people: `query parameter limit below its minimum`.
    pub name: String,
    /// The method.
    pub method: String,
    /// Path and query below the base path of the API.
    pub target: String,
    /// Fields of the head.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// What may come back.
    pub expected: Expected,
}

/// What a server has answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The status.
    pub status: u16,
    /// Fields of the head.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

impl Case {
    /// What is wrong with an answer; empty when nothing is.
    #[must_use]
    pub fn verdict(&self, operation: &Operation, answered: Answered<'_>) -> Vec<Fault> {
        let Answered { status, headers, body } = answered;
        let fault =
            |what: String| vec![Fault { place: Where::Status, pointer: String::new(), rule: "status", what }];
        match self.expected {
            // `default` says what a failure looks like, not that this one may be.
            _ if status >= 500
                && operation
                    .response(status)
                    .is_none_or(|response| response.statuses == Statuses::Default) =>
            {
                fault(format!("is {status}: the server failed"))
            }
            Expected::Refused if (400..500).contains(&status) => Vec::new(),
            Expected::Refused => fault(format!("is {status}, but the request breaks the description")),
            // A value that was made up names nothing that exists; that is no fault of the server.
            Expected::Taken if matches!(status, 401 | 403 | 404 | 409 | 410 | 429) => Vec::new(),
            Expected::Taken => check::answer(operation, status, headers, body),
        }
    }
}

/// How callers show who they are, for cases that must be let in: the name of a header and its value.
pub type Credential = (String, String);

/// All cases of a description, operation by operation. The same seed makes the same cases.
#[must_use]
pub fn of(description: &Description, credentials: &[Credential], seed: u64) -> Vec<Case> {
    description.operations.iter().flat_map(|operation| of_operation(operation, credentials, seed)).collect()
}

/// The cases of one operation.
#[must_use]
pub fn of_operation(operation: &Operation, credentials: &[Credential], seed: u64) -> Vec<Case> {
    let Some(base) = good::draft(operation, credentials, seed) else { return Vec::new() };
    let mut cases = good::cases(operation, &base, seed);
    cases.extend(bad::cases(operation, &base, seed));
    cases
}

/// A value for each thing that an operation asks callers to show, where any value will do.
fn shown(operation: &Operation) -> Vec<(Scheme, String)> {
    let first = operation.security.alternatives.first();
    let value = |scheme: &Scheme| match scheme {
        Scheme::Http(name) if &**name == "basic" => "Basic dGVzdDp0ZXN0".to_owned(),
        Scheme::Http(name) => format!("{name} test"),
        Scheme::OAuth2 | Scheme::OpenIdConnect => "Bearer test".to_owned(),
        Scheme::ApiKey { .. } | Scheme::MutualTls => "test".to_owned(),
    };
    first
        .into_iter()
        .flat_map(|all| all.iter())
        .map(|one| ((*one.scheme).clone(), value(&one.scheme)))
        .collect()
}
