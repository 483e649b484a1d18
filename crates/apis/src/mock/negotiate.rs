//! Which answer of the description is given: by wish, by status, by media type, by example.

use serde_json::Value;

use super::make::{self, Look};
use super::{Answer, Prefer, Request, accept, write};
use crate::check::Direction;
use crate::operation::{Media, Operation, Response, Statuses};

/// Answers a request that keeps to the description.
pub fn valid(operation: &Operation, request: &Request<'_>, prefer: &Prefer) -> Answer {
    if let Some(why) = &prefer.impossible {
        return Answer::problem(422, "impossible preference", why);
    }
    let (status, response) = match prefer.code {
        Some(code) => match operation.response(code) {
            Some(response) => (code, response),
            None => {
                let detail = format!("the description has no answer with the status {code}");
                return Answer::problem(404, "not described", &detail);
            }
        },
        None => match success(operation) {
            Some(found) => found,
            None => {
                let detail = "the description has no answer to a request that succeeds";
                return Answer::problem(404, "not described", detail);
            }
        },
    };
    with_response(operation, request, prefer, status, response).unwrap_or_else(|answer| answer)
}

/// The lowest status of a success, then a class, then the default as 200.
fn success(operation: &Operation) -> Option<(u16, &Response)> {
    let statuses = |response: &Response| match response.statuses {
        Statuses::One(status) if (200..300).contains(&status) => Some((0, status)),
        Statuses::Class(2) => Some((1, 200)),
        Statuses::Default => Some((2, 200)),
        Statuses::One(_) | Statuses::Class(_) => None,
    };
    let mut found: Vec<_> =
        operation.responses.iter().filter_map(|response| Some((statuses(response)?, response))).collect();
    found.sort_by_key(|(order, _)| *order);
    let first = found.first().map(|((_, status), response)| (*status, *response));
    // An API that only ever redirects still answers.
    first.or_else(|| {
        operation.responses.iter().find_map(|response| match response.statuses {
            Statuses::One(status) if status < 400 => Some((status, response)),
            Statuses::One(_) | Statuses::Class(_) | Statuses::Default => None,
        })
    })
}

/// Answers with a chosen response. An error is an answer as well: that what was wished for does not exist.
pub fn with_response(
    operation: &Operation,
    request: &Request<'_>,
    prefer: &Prefer,
    status: u16,
    response: &Response,
) -> Result<Answer, Answer> {
    let mut answer =
        Answer { status, headers: write::headers(operation, response, request.seed), body: Vec::new() };
    if response.content.is_empty() {
        return Ok(answer);
    }
    let wanted = request.sent.header("accept");
    let Some((media, name)) = accept::choose(&response.content, wanted.as_deref()) else {
        let known: Vec<&str> = response.content.iter().map(|media| &*media.range).collect();
        let detail = format!("the description has answers of {}", known.join(", "));
        return Err(Answer::problem(406, "not acceptable", &detail));
    };
    let value = value(operation, request, prefer, media)?;
    if let Some(value) = value {
        answer.body = write::body(&name, &value);
        answer.headers.insert(0, ("content-type".to_owned(), name));
    }
    if &*operation.method == "HEAD" || matches!(status, 100..=199 | 204 | 205 | 304) {
        answer.body.clear();
    }
    Ok(answer)
}

/// The example that was wished for, else the first, else a value for the schema. Nothing when there is neither.
fn value(
    operation: &Operation,
    request: &Request<'_>,
    prefer: &Prefer,
    media: &Media,
) -> Result<Option<Value>, Answer> {
    if let Some(name) = &prefer.example {
        let found = media.examples.iter().find(|example| example.name.as_deref() == Some(name));
        return found.map(|example| Some(example.value.clone())).ok_or_else(|| {
            let detail = format!("the description has no example {} here", crate::problem::quoted(name));
            Answer::problem(404, "not described", &detail)
        });
    }
    let made = |look| {
        let id = media.schema?;
        Some(make::value(&operation.schemas, id, look, request.seed, Direction::Answer))
    };
    let none = || {
        let detail =
            "no value was found that keeps to the schema of the answer; add an example to the description";
        Answer::problem(500, "no example", detail)
    };
    if prefer.dynamic
        && let Some(made) = made(Look::Drawn)
    {
        return made.map(Some).ok_or_else(none);
    }
    if let Some(example) = media.examples.first() {
        return Ok(Some(example.value.clone()));
    }
    made(Look::Plain).map_or(Ok(None), |made| made.map(Some).ok_or_else(none))
}
