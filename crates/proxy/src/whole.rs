//! Takes a request's body in to its end before anything else becomes of the request.
//!
//! Bodies pass piece by piece; that is the rule, and memory is bounded by it. Here is the one way around it, for who
//! must have seen the end before the beginning may go on. What was taken in stands in the exchange and goes on from
//! there, as often as attempts need it. Answers have the same way: whoever wants one whole says so in the exchange
//! ([`Exchange::answer_bytes_max`]) and gets it from the pipeline.
//!
//! Streams of messages are never taken in: a gRPC call may last for hours and its caller waits for answers between.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::WHOLE_BODY_SECONDS;
use crate::message::Framing;
use crate::stream::{Form, Intake, Sink, Untaken, WholeBody};

/// Takes the body in, at most `bytes_max` bytes of it, into [`Exchange::body`]. A client that waits to be asked for it
/// is asked. Does nothing when the body is here already, and nothing for gRPC: its body stays `None` and passes as it
/// comes.
///
/// # Errors
/// The body is larger, does not come in time or not to its end, or the worker has no room for it. The client may still
/// be sending then.
pub async fn take_request(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    bytes_max: usize,
) -> Result<(), Failure> {
    if exchange.body.is_some() || exchange.is_grpc() {
        return Ok(());
    }
    if let Framing::Length(length) = exchange.request.head.framing
        && length > bytes_max as u64
    {
        return Err(Failure::BodyTooLarge); // before it is asked for
    }
    let mut intake = Intake::bounded(bytes_max);
    if exchange.request.head.framing != Framing::None {
        downstream.set_form(Form::Content);
        downstream.invite_body(exchange);
        exchange.request.head.expects_continue = false; // it was told by now
        let limit = Duration::from_secs(u64::from(WHOLE_BODY_SECONDS));
        let work = pin!(take(downstream, &mut intake));
        tokio::time::timeout(limit, work).await.unwrap_or(Err(Failure::BodyTimeout))?;
    }
    exchange.body = Some(Box::new(intake.into_body()));
    Ok(())
}

async fn take(downstream: &mut Downstream, intake: &mut Intake) -> Result<(), Failure> {
    poll_fn(|cx| downstream.poll_flush(cx)).await?;
    poll_fn(|cx| intake.poll(cx, downstream)).await.map_err(|untaken| match untaken {
        Untaken::TooLarge => Failure::BodyTooLarge,
        Untaken::NoRoom => Failure::WholeBodiesFull,
        Untaken::Failed(failure) => failure,
    })
}

/// Puts other content in the place of a body that was taken in; the request goes on with it, framed by its length.
pub fn replace_request(exchange: &mut Exchange<'_>, content: Vec<u8>) {
    let Some(body) = &mut exchange.body else { return };
    body.replace(content);
    exchange.body_length = body.changed_length();
    exchange.request.head.framing = framing_of(body);
}

/// How content is framed that has a length of its own.
#[must_use]
pub fn framing_of(body: &WholeBody) -> Framing {
    match body.content().len() as u64 {
        0 => Framing::None,
        length => Framing::Length(length),
    }
}
