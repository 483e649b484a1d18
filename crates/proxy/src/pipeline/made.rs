//! Answers that are made here, because a rule says so: one that never changes, or one out of a description.
//!
//! No upstream is asked. Memory is taken for each: these answers stand in for a service, and are no service.

use std::future::poll_fn;

use engine::config::{FixedAnswer, Mock};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::MOCK_BODY_BYTES_MAX;
use crate::message::Framing;
use crate::respond::Answer;
use crate::stream::{Form, Next, Sink, Source};

/// The answer that a rule always gives.
pub(super) fn fixed(answer: &FixedAnswer) -> Answer {
    let fields = answer.fields.iter().map(|(name, value)| ((*name).into(), value.as_bytes().to_vec()));
    Answer { status: answer.status, fields: fields.collect(), content: answer.content.as_bytes().to_vec() }
}

/// The answer of an operation that nobody serves yet, out of its description.
pub(super) async fn mock(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    mock: &Mock,
) -> Result<Answer, Failure> {
    let body = body(downstream, exchange).await?;
    let (head, text) = (&exchange.request.head, &exchange.request.text);
    let path = as_text(head.path.of(text));
    let fields = head.fields.iter();
    let mut headers: Vec<(&str, &str)> =
        fields.map(|field| (as_text(field.name.of(text)), as_text(field.value.of(text)))).collect();
    if mock.dynamic && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("prefer")) {
        headers.push(("prefer", "dynamic=true"));
    }
    let sent = apis::Request {
        path: path.strip_prefix(&*mock.base).unwrap_or(path),
        query: head.query.map_or("", |query| as_text(query.of(text))),
        headers: &headers,
        body: &body,
    };
    let seed = u64::from(exchange.worker.random.below(u32::MAX));
    let apis::mock::Answer { status, headers, body } =
        apis::mock::answer(&mock.operation, &apis::mock::Request { sent, seed });
    let fields =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value.into_bytes()));
    Ok(Answer { status, fields: fields.collect(), content: body })
}

/// What is no text is nothing that a description could speak of.
fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The whole body of a request.
async fn body(downstream: &mut Downstream, exchange: &Exchange<'_>) -> Result<Vec<u8>, Failure> {
    match exchange.request.head.framing {
        Framing::Length(length) if length > MOCK_BODY_BYTES_MAX as u64 => return Err(Failure::BodyTooLarge),
        _ => {}
    }
    let mut body = Vec::new();
    downstream.set_form(Form::Content);
    downstream.invite_body(exchange);
    poll_fn(|cx| downstream.poll_flush(cx)).await?;
    loop {
        let next = poll_fn(|cx| downstream.poll_piece(cx)).await?;
        let (piece, is_last) = match next {
            Next::Piece(piece) => (Some(piece), false),
            Next::Last(piece) => (Some(piece), true),
            Next::End(_) => (None, true),
        };
        body.extend_from_slice(piece.as_ref().map_or(&[][..], |piece| piece.bytes()));
        if body.len() > MOCK_BODY_BYTES_MAX {
            return Err(Failure::BodyTooLarge);
        }
        if is_last {
            return Ok(body);
        }
    }
}
