//! A request as its upstream shall see it.

use std::rc::Rc;

use apis::shim::ChangedRequest;
use engine::config::Transform;
use serde_json::Value;
use std::sync::Arc;

use super::{Body, Unfit, body, fields};
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::REQUEST_TARGET_BYTES_MAX;
use crate::message::{Method, RequestHead};
use crate::whole;

/// Changes a request, one object's changes after the other's.
///
/// # Errors
/// Its body is too large, or nothing that could be changed; or it has a value that cannot become what it has to.
pub async fn on_request(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    transforms: &[Arc<Transform>],
) -> Result<(), Failure> {
    exchange.onward = Some(Box::new(exchange.request.head.clone()));
    let mut read = Read::default();
    for transform in transforms {
        let changes = &transform.changes;
        if changes.reads_request() {
            whole::take_request(downstream, exchange, changes.body_bytes_max).await?;
            read.content(exchange, transform)?;
        }
        if changes.reads_responses() {
            expect_answer(exchange, changes.body_bytes_max);
        }
        change(exchange, transform, &mut read)?;
    }
    if read.is_changed {
        let content = read.value.map(|value| value.to_string().into_bytes()).unwrap_or_default();
        whole::replace_request(exchange, content);
    }
    Ok(())
}

/// A body that several may change is read once and written once.
#[derive(Default)]
struct Read {
    is_read: bool,
    is_changed: bool,
    value: Option<Value>,
}

impl Read {
    fn content(&mut self, exchange: &Exchange<'_>, transform: &Transform) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(());
        }
        let content = exchange.body.as_ref().map(|body| body.content());
        let others = transform.changes.other_bodies;
        // A body that was not taken in is a stream of messages.
        let Some(content) = content else {
            self.is_read = false;
            return match others {
                model::kinds::transform::OtherBodies::Pass => Ok(()),
                model::kinds::transform::OtherBodies::Refuse => Err(Failure::BodyUnreadable),
            };
        };
        if content.len() > transform.changes.body_bytes_max {
            return Err(Failure::BodyTooLarge); // somebody else may look into larger ones
        }
        self.value = match body(&exchange.view().headers, content, others) {
            Ok(Body::Value(value)) => Some(value),
            Ok(Body::Empty) => None,
            Ok(Body::Other) => {
                self.is_read = false;
                None
            }
            Err(Unfit::Type) => return Err(Failure::BodyUnreadable),
            Err(Unfit::Content) => return Err(Failure::BodyNotJson),
        };
        Ok(())
    }
}

fn change(exchange: &mut Exchange<'_>, transform: &Transform, read: &mut Read) -> Result<(), Failure> {
    let Transform { origin, base, changes } = transform;
    let Some(onward) = exchange.onward.take() else { return Ok(()) };
    let text = &exchange.request.text;
    let as_text = |bytes| std::str::from_utf8(bytes).map_err(|_| Failure::TransformImpossible);
    let path = as_text(onward.path.of(text))?;
    let headers = fields::texts(&onward.fields, text);
    let sent = apis::Request {
        path: path.strip_prefix(&**base).unwrap_or(path),
        query: onward.query.map_or(Ok(""), |query| as_text(query.of(text)))?,
        headers: &headers,
        body: &[],
    };
    let works = changes.reads_request() && read.is_read;
    let given = if works { read.value.take() } else { None };
    let changed = changes.request(&sent, given).map_err(|fault| {
        exchange.untransformed = Some(Rc::new((origin.clone(), fault)));
        Failure::TransformImpossible
    })?;
    let mut onward = put(exchange, onward, base, &changed)?;
    if works {
        read.is_changed |= changed.body.is_some();
        read.value = changed.body;
        let has_type = onward.fields.iter().any(|field| field.known == crate::message::Known::ContentType);
        if read.value.is_some() && !has_type {
            let text = &mut exchange.request.text;
            fields::put(&mut onward.fields, text, b"content-type", b"application/json");
        }
    }
    exchange.onward = Some(onward);
    Ok(())
}

/// The head after its changes.
fn put(
    exchange: &mut Exchange<'_>,
    mut onward: Box<RequestHead>,
    base: &str,
    changed: &ChangedRequest,
) -> Result<Box<RequestHead>, Failure> {
    let text = &mut exchange.request.text;
    if let Some(method) = changed.method.as_deref() {
        set_method(&mut onward, text, method)?;
    }
    if let Some(path) = &changed.path {
        onward.path = fields::append(text, format!("{base}{path}").as_bytes());
    }
    if let Some(query) = &changed.query {
        onward.query = (!query.is_empty()).then(|| fields::append(text, query.as_bytes()));
    }
    if onward.path.len() + onward.query.map_or(0, |query| query.len()) > REQUEST_TARGET_BYTES_MAX {
        return Err(Failure::TargetTooLong);
    }
    fields::change(&mut onward.fields, text, &changed.headers);
    Ok(onward)
}

/// Who asks for a head only may do so of what becomes a GET; of anything else there is no head to be had without doing
/// it.
fn set_method(head: &mut RequestHead, text: &mut crate::buffer::Text, method: &str) -> Result<(), Failure> {
    let kind = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        _ => Method::Other,
    };
    match (head.method, kind) {
        (Method::Head, Method::Get | Method::Head) => Ok(()),
        (Method::Head, _) | (_, Method::Head) => Err(Failure::MethodRefused),
        _ => {
            head.method_token = fields::append(text, method.as_bytes());
            head.method = kind;
            Ok(())
        }
    }
}

/// The answer is taken in whole, and asked for as a whole: a part of a list would not be JSON.
fn expect_answer(exchange: &mut Exchange<'_>, bytes_max: usize) {
    let wanted = exchange.answer_bytes_max.unwrap_or_default().max(bytes_max);
    exchange.answer_bytes_max = Some(wanted);
    if let Some(onward) = &mut exchange.onward {
        fields::remove(&mut onward.fields, &exchange.request.text, &[b"range", b"if-range"]);
    }
}
