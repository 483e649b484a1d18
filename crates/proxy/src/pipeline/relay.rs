//! From the head of an answer to its end, while what is left of the request still moves.
//!
//! An answer passes piece by piece, or it is taken in whole first because a filter must have seen all of it. Until
//! then nothing has left for the client, so that what the filter says can still be the answer.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::buffer::{Buffer, Text};
use crate::copies;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::filters::{self, validation::Sample};
use crate::message::{Framing, Known, ResponseHead};
use crate::revocation;
use crate::state::clusters::InFlight;
use crate::stream::{Again, Copy, Form, Intake, Replay, Tee, Transfer, Untaken};
use crate::upstream::Upstream;
use crate::whole::framing_of;

/// What is left of the request.
pub(super) struct Rest {
    pub(super) upload: Transfer,
    pub(super) copy: Option<Box<Copy>>,
    pub(super) replay: Option<Box<Replay>>,
}

/// The request's body: what was kept of it first, and what still comes copied where it is to be.
pub(super) fn body<'b>(
    downstream: &'b mut Downstream,
    copy: Option<&'b mut Copy>,
    replay: Option<&'b mut Replay>,
) -> Again<'b, Tee<'b, Downstream>> {
    Again { source: Tee { source: downstream, copy }, replay }
}

impl Rest {
    /// Moves what can be moved. Whatever becomes of it, the answer decides.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        downstream: &mut Downstream,
        upstream: &mut Upstream,
        exchange: &mut Exchange<'_>,
    ) {
        if !self.upload.is_done() {
            let mut body = body(downstream, self.copy.as_deref_mut(), self.replay.as_deref_mut());
            let _ = self.upload.poll(cx, &mut body, upstream);
        }
        if self.upload.is_done() {
            self.end(exchange);
        }
    }

    fn end(&mut self, exchange: &mut Exchange<'_>) {
        if let Some(copy) = self.copy.take() {
            copies::send(exchange, *copy);
        }
    }
}

/// Relays the answer as it comes.
pub(super) async fn relay(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    mut upstream: Upstream,
    mut rest: Rest,
    head: &mut ResponseHead,
    mut received: Buffer,
    in_flight: &InFlight,
) -> Result<(), Failure> {
    let changed = filters::transform::on_head(exchange, head, received.filled())?;
    let bytes = changed.as_deref().map_or(received.filled(), Vec::as_slice);
    let mut sample = Sample::begin(exchange, head, bytes);
    let form = downstream.begin(exchange, head, bytes, upstream.takes());
    if let Some(sample) = &mut sample {
        sample.copy.expect(form, head.framing);
    }
    exchange.outcome.status = head.status;
    received.start += head.head_bytes;
    upstream.begin_reading(head.framing, form, received);
    let mut download = transfer(head.framing);
    let moved = poll_fn(|cx| {
        rest.poll(cx, downstream, &mut upstream, exchange);
        let copy = sample.as_mut().map(|sample| &mut sample.copy);
        let moved = download.poll(cx, &mut Tee { source: &mut upstream, copy }, downstream);
        or_ended(moved, downstream, exchange, cx)
    })
    .await;
    if let Some(sample) = sample.filter(|_| moved.is_ok()) {
        sample.judge(exchange, head);
    }
    finish(upstream, rest, head, exchange, in_flight, moved.is_ok());
    moved
}

/// Whether an answer is taken in whole. One that may never end passes as it comes, whatever was wished.
pub(super) fn is_taken_whole(exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8]) -> bool {
    exchange.answer_bytes_max.is_some()
        && !exchange.is_grpc()
        && !head.view(bytes).known(Known::ContentType).is_some_and(is_event_stream)
}

fn is_event_stream(media_type: &[u8]) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    media_type.get(..EVENT_STREAM.len()).is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
}

/// Takes the answer in, shows it to the filters and sends what they made of it.
pub(super) async fn relay_whole(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    mut upstream: Upstream,
    mut rest: Rest,
    head: &mut ResponseHead,
    mut received: Buffer,
    in_flight: &InFlight,
) -> Result<(), Failure> {
    let mut text = Text::new();
    text.extend_from_slice(&received.filled()[..head.head_bytes]);
    received.start += head.head_bytes;
    let framing = head.framing;
    upstream.begin_reading(framing, Form::Content, received);
    let mut intake = Intake::bounded(exchange.answer_bytes_max.unwrap_or_default());
    let taken = poll_fn(|cx| {
        rest.poll(cx, downstream, &mut upstream, exchange);
        let taken = intake.poll(cx, &mut upstream).map_err(|untaken| match untaken {
            Untaken::TooLarge => Failure::AnswerTooLarge,
            Untaken::NoRoom => Failure::WholeBodiesFull,
            Untaken::Failed(failure) => failure,
        });
        or_ended(taken, downstream, exchange, cx)
    })
    .await;
    let mut body = intake.into_body();
    let taken = taken.and_then(|()| filters::on_whole_answer(exchange, head, &mut text, &mut body));
    let moved = match taken {
        Ok(()) => {
            exchange.answer_length = body.changed_length();
            if body.changed_length().is_some() {
                head.framing = framing_of(&body);
            }
            downstream.begin(exchange, head, &text, Form::Content);
            exchange.outcome.status = head.status;
            let mut download = transfer(head.framing);
            poll_fn(|cx| {
                rest.poll(cx, downstream, &mut upstream, exchange);
                let moved = download.poll(cx, &mut body, downstream);
                or_ended(moved, downstream, exchange, cx)
            })
            .await
        }
        Err(failure) => Err(failure),
    };
    head.framing = framing;
    finish(upstream, rest, head, exchange, in_flight, moved.is_ok());
    moved
}

fn transfer(framing: Framing) -> Transfer {
    match framing {
        Framing::None => Transfer::ended(),
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Transfer::default(),
    }
}

/// While an answer is waited for: whether somebody has ended the exchange meanwhile.
fn or_ended(
    moved: Poll<Result<(), Failure>>,
    downstream: &mut Downstream,
    exchange: &Exchange<'_>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    if moved.is_pending() {
        if downstream.poll_given_up(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientClosed));
        }
        if revocation::poll(exchange, cx).is_ready() {
            return Poll::Ready(Err(Failure::DeniedByPolicy));
        }
    }
    moved
}

/// Keeps the connection for the next request, if both messages have ended on it.
fn finish(
    upstream: Upstream,
    mut rest: Rest,
    head: &ResponseHead,
    exchange: &mut Exchange<'_>,
    in_flight: &InFlight,
    moved: bool,
) {
    rest.end(exchange);
    let reusable = head.persistent && rest.upload.is_done() && exchange.request.head.upgrade.is_none();
    upstream.finish(in_flight.endpoint(), moved && reusable && head.framing != Framing::UntilClose);
}
