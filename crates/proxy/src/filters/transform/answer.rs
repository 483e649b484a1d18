//! An answer as its client shall see it: the changes of a request, backwards.

use std::rc::Rc;
use std::sync::Arc;

use engine::config::Transform;
use model::kinds::transform::OtherBodies;
use serde_json::Value;

use super::{Body, Unfit, body, fields};
use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::{Framing, ResponseHead, Span};
use crate::stream::WholeBody;

/// Fields that speak of the very bytes that an upstream has sent.
const OF_BYTES: &[&[u8]] =
    &[b"accept-ranges", b"content-digest", b"content-md5", b"digest", b"repr-digest", b"want-digest"];

/// Changes the head of an answer whose body passes as it comes; returns the text that the head points into by then,
/// when it is another.
///
/// # Errors
/// Its body would have to be changed, and passes in a way that cannot be.
pub fn on_head(
    exchange: &mut Exchange<'_>,
    head: &mut ResponseHead,
    bytes: &[u8],
) -> Result<Option<Text>, Failure> {
    let Some(transforms) = exchange.rule.and_then(|rule| rule.transforms.as_ref()) else { return Ok(None) };
    if head.status == 101 {
        return Ok(None);
    }
    let mut text = Text::new();
    text.extend_from_slice(&bytes[..head.head_bytes]);
    for transform in transforms.iter().rev() {
        let Some(part) = transform.changes.response(head.status) else { continue };
        let reads = part.reads_body();
        if reads && head.framing != Framing::None && transform.changes.other_bodies == OtherBodies::Refuse {
            return Err(Failure::AnswerUnreadable);
        }
        if reads {
            fields::remove(&mut head.fields, &text, &[b"content-length"]);
        }
        change(exchange, transform, head, &mut text, None)?;
    }
    Ok(Some(text))
}

/// Changes an answer all of which is here.
///
/// # Errors
/// Its body is nothing that could be changed, or has a value that cannot become what it has to.
pub fn on_whole(
    exchange: &mut Exchange<'_>,
    head: &mut ResponseHead,
    text: &mut Text,
    content: &mut WholeBody,
) -> Result<(), Failure> {
    let Some(transforms) = exchange.rule.and_then(|rule| rule.transforms.as_ref()) else { return Ok(()) };
    let (mut value, mut is_read) = (None, false);
    for transform in transforms.iter().rev() {
        let Some(part) = transform.changes.response(head.status) else { continue };
        if part.reads_body() && !is_read {
            match body(&head.view(text), content.content(), transform.changes.other_bodies) {
                Ok(Body::Value(read)) => (value, is_read) = (Some(read), true),
                Ok(Body::Empty | Body::Other) => {}
                Err(Unfit::Type | Unfit::Content) => return Err(Failure::AnswerUnreadable),
            }
        }
        value = change(exchange, transform, head, text, value)?;
    }
    if is_read {
        fields::remove(&mut head.fields, text, OF_BYTES);
        content.replace(value.map(|value| value.to_string().into_bytes()).unwrap_or_default());
    }
    Ok(())
}

/// What one object changes; returns the body.
fn change(
    exchange: &mut Exchange<'_>,
    transform: &Arc<Transform>,
    head: &mut ResponseHead,
    text: &mut Text,
    value: Option<Value>,
) -> Result<Option<Value>, Failure> {
    let Some(part) = transform.changes.response(head.status) else { return Ok(value) };
    let (given, kept) = if part.reads_body() { (value, None) } else { (None, value) };
    let changed = part.answer(&fields::texts(&head.fields, text), given).map_err(|fault| {
        exchange.untransformed = Some(Rc::new((transform.origin.clone(), fault)));
        Failure::AnswerUntransformable
    })?;
    if let Some(status) = changed.status {
        (head.status, head.reason) = (status, Span::default());
    }
    fields::change(&mut head.fields, text, &changed.headers);
    Ok(changed.body.or(kept))
}
