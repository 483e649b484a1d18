//! Answers in place of a service that is not there yet.
//!
//! What is answered is decided by one table, the same that Prism's users know: a request that shows no credentials is
//! answered 401, one whose body is of no described type 415, one that breaks the description 422 (or what the
//! description says instead), and everything else with an answer of the description, chosen by `Prefer`, by status
//! and by `Accept`. A body is an example of the description or a value made for its schema, which then keeps to it.
//! The same request with the same seed gets the same answer.

mod accept;
mod chance;
pub mod make;
mod negotiate;
mod prefer;
mod route;
mod write;

use serde_json::{Map, Value, json};

pub use prefer::Prefer;
pub(crate) use route::find;
pub use route::route;

use crate::check::{self, Fault, Sent, Where};
use crate::operation::{Operation, Response, Statuses};

/// A request to a mock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// What came.
    pub sent: crate::Request<'a>,
    /// Where chance begins for `Prefer: dynamic=true`.
    pub seed: u64,
}

/// What a mock answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Fields of the head, `content-type` among them; without those that frame the body.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// One answer of the description, whatever was asked: the first draw is its example, others are made up. Nothing where no
/// value could be made.
pub(crate) fn of_response(
    operation: &Operation,
    response: &Response,
    status: u16,
    seed: u64,
) -> Option<Answer> {
    let prefer = Prefer { dynamic: seed > 1, ..Prefer::default() };
    let request = Request { sent: crate::Request::default(), seed };
    negotiate::with_response(operation, &request, &prefer, status, response).ok()
}

impl Answer {
    /// An answer that says what is wrong (RFC 9457).
    fn problem(status: u16, title: &str, detail: &str) -> Answer {
        Answer::problem_with(status, title, detail, Map::new())
    }

    fn problem_with(status: u16, title: &str, detail: &str, more: Map<String, Value>) -> Answer {
        let mut body = Map::new();
        body.insert("title".to_owned(), title.into());
        body.insert("status".to_owned(), status.into());
        body.insert("detail".to_owned(), detail.into());
        body.extend(more);
        Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/problem+json".to_owned())],
            body: Value::Object(body).to_string().into_bytes(),
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Answers a request to an operation.
#[must_use]
pub fn answer(operation: &Operation, request: &Request<'_>) -> Answer {
    let prefer = Prefer::read(&request.sent);
    let challenges = check::credentials::missing(operation, &request.sent);
    if !challenges.is_empty() {
        return unauthorized(operation, request, &prefer, &challenges);
    }
    if check::sent(operation, &request.sent) == Sent::Unsupported {
        return unsupported(operation);
    }
    let faults = check::request(operation, &request.sent);
    if !faults.is_empty() {
        return invalid(operation, request, &prefer, &faults);
    }
    negotiate::valid(operation, request, &prefer)
}

/// 401, as the description has it if it does.
fn unauthorized(
    operation: &Operation,
    request: &Request<'_>,
    prefer: &Prefer,
    challenges: &[String],
) -> Answer {
    let described = described(operation, &[401]).and_then(|(status, response)| {
        negotiate::with_response(operation, request, &prefer.for_failure(status), status, response).ok()
    });
    let detail = "the request shows nothing of what the description asks callers to show";
    let mut answer = described.unwrap_or_else(|| Answer::problem(401, "unauthorized", detail));
    if answer.header("www-authenticate").is_none() {
        answer.headers.push(("www-authenticate".to_owned(), challenges.join(", ")));
    }
    answer
}

fn unsupported(operation: &Operation) -> Answer {
    let content = operation.body.as_ref().map(|body| &*body.content).unwrap_or_default();
    let known: Vec<&str> = content.iter().map(|media| &*media.range).collect();
    let mut answer = Answer::problem(
        415,
        "unsupported media type",
        &format!("the description knows bodies of {}", known.join(", ")),
    );
    answer.headers.push(("accept".to_owned(), known.join(", ")));
    answer
}

/// 422, then 400, then the default of the description; without any of them, 422 with everything that is wrong. A body
/// that cannot be read at all is 400 first.
fn invalid(operation: &Operation, request: &Request<'_>, prefer: &Prefer, faults: &[Fault]) -> Answer {
    let unreadable = faults.iter().any(|fault| fault.place == Where::Body && fault.rule == "content");
    let (statuses, title) =
        if unreadable { ([400, 422], "bad request") } else { ([422, 400], "unprocessable content") };
    let described = described(operation, &statuses).and_then(|(status, response)| {
        negotiate::with_response(operation, request, &prefer.for_failure(status), status, response).ok()
    });
    described.unwrap_or_else(|| {
        let list = faults.iter().map(|fault| {
            json!({ "in": fault.place.to_string(), "pointer": fault.pointer, "rule": fault.rule, "detail": fault.what })
        });
        let mut more = Map::new();
        more.insert("errors".to_owned(), list.collect());
        let detail = "the request does not keep to the description";
        Answer::problem_with(statuses[0], title, detail, more)
    })
}

/// The first of these statuses that is described by itself, or the first of them by the default.
fn described<'o>(operation: &'o Operation, statuses: &[u16]) -> Option<(u16, &'o Response)> {
    let of = |wanted: Statuses| operation.responses.iter().find(|response| response.statuses == wanted);
    let itself = statuses.iter().find_map(|status| Some((*status, of(Statuses::One(*status))?)));
    itself.or_else(|| Some((*statuses.first()?, of(Statuses::Default)?)))
}
