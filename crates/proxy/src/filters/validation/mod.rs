//! ValidationPolicy: what does not keep to a description, or is made to harm whoever parses it, goes no further.
//!
//! All that is wrong with a request is told at once, each with its place. A body that must be looked into is taken in
//! whole first ([`crate::whole`]); one of a type that nobody looks into passes as it comes, within its bound. Answers
//! are judged in passing where they are only reported, so that no caller waits for it.

mod answers;
mod refusal;

use apis::check::{self, Fault, Where};
use engine::config::{BodyBounds, Validation};
use model::kinds::validation_policy::ValidationAction;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::{Framing, Known};
use crate::told;
use crate::whole;

pub use answers::{Sample, on_whole_answer};

/// Judges a request, and says what is to become of its answer.
///
/// # Errors
/// It must go no further. What is wrong with it stands in [`Exchange::findings`].
pub async fn on_request<'c>(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'c>,
    validation: &'c Validation,
) -> Result<(), Failure> {
    if validation.broken.is_some() {
        return Err(Failure::ValidationInvalid);
    }
    let mut faults = Vec::new();
    if let Some(bounds) = &validation.bodies {
        faults = body(downstream, exchange, validation, bounds).await?;
    }
    let harmful = !faults.is_empty();
    if !harmful && validation.requests.is_some() {
        faults = against_description(exchange, validation);
    }
    if !faults.is_empty() {
        // What may harm a parser is refused in any case.
        let refused = harmful || validation.requests == Some(ValidationAction::Refuse);
        refusal::of_request(exchange, validation, &faults, refused)?;
    }
    answers::prepare(exchange, validation);
    Ok(())
}

/// Takes the body in where it must be looked into, and judges what it is like whatever it means.
async fn body(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    validation: &Validation,
    bounds: &BodyBounds,
) -> Result<Vec<Fault>, Failure> {
    if exchange.request.head.framing == Framing::None || exchange.is_grpc() {
        return Ok(Vec::new());
    }
    let essence = essence(exchange);
    let looked_into = is_read(&essence) && (validation.requests.is_some() || check::is_json(&essence));
    if !looked_into {
        if bounds.of_every_type {
            downstream.bound_body(exchange, bounds.bytes_max as u64)?;
        }
        return Ok(Vec::new());
    }
    if let Some(encoding) = encoding(exchange) {
        let what = format!("is encoded as `{encoding}`, and only bodies that are not are looked into");
        return Ok(vec![fault("encoding", what)]);
    }
    whole::take_request(downstream, exchange, bounds.bytes_max).await?;
    let content = exchange.body.as_ref().map_or(&[][..], |body| body.content());
    let json = check::is_json(&essence) && !content.is_empty();
    Ok(if json { check::structure(content, &bounds.json) } else { Vec::new() })
}

/// Everything in which a request does not keep to the description.
fn against_description(exchange: &Exchange<'_>, validation: &Validation) -> Vec<Fault> {
    let Some(described) = &validation.described else { return Vec::new() };
    let (head, text) = (&exchange.request.head, &exchange.request.text);
    let (method, path) = (told::as_text(head.method_token.of(text)), told::as_text(head.path.of(text)));
    let Some(operation) = described.operation(method, path) else {
        let what = "has no operation in the description".to_owned();
        let place = Where::Parameter(apis::Place::Path, path.into());
        return vec![Fault { place, pointer: String::new(), rule: "operation", what }];
    };
    let headers = told::fields(&head.fields, text);
    let request = told::request(exchange, described.base(), &headers);
    let mut faults = check::request(operation, &request);
    if exchange.body.is_none() && head.framing != Framing::None {
        of_unread(exchange, operation, &mut faults);
    }
    faults
}

/// A body that passes as it comes is there, although nobody has it: only its type is judged.
fn of_unread(exchange: &Exchange<'_>, operation: &apis::Operation, faults: &mut Vec<Fault>) {
    faults.retain(|fault| fault.place != Where::Body);
    let content = operation.body.as_ref().map(|body| &*body.content).unwrap_or_default();
    if exchange.is_grpc() {
        faults.push(fault("mediaType", "is a stream of messages, which is not described".to_owned()));
    } else if !content.is_empty() && check::find_media(content, &essence(exchange)).is_none() {
        faults.push(fault("mediaType", "is of a media type that is not described".to_owned()));
    }
}

fn fault(rule: &'static str, what: String) -> Fault {
    Fault { place: Where::Body, pointer: String::new(), rule, what }
}

/// The media type of the body without its parameters, in lower case; empty when it does not say.
fn essence(exchange: &Exchange<'_>) -> String {
    let given = exchange.view().headers.known(Known::ContentType).unwrap_or_default();
    told::as_text(given).split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// Whether bodies of a type are looked into. One that does not say is taken for what is described.
fn is_read(essence: &str) -> bool {
    essence.is_empty()
        || check::is_json(essence)
        || essence == "application/x-www-form-urlencoded"
        || essence.starts_with("text/")
}

/// What the body was encoded with, other than not at all.
fn encoding(exchange: &Exchange<'_>) -> Option<String> {
    use engine::HeaderView;
    let headers = exchange.view().headers;
    let mut values = headers.values(b"content-encoding").map(told::as_text);
    values.find(|value| !value.trim().eq_ignore_ascii_case("identity")).map(str::to_owned)
}
