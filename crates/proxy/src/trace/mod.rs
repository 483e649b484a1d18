//! Where in a trace each request is, and what is told of those that are traced.
//!
//! A proxy is a member of a trace like any other: it takes the trace up from `traceparent`, answers for a span of its
//! own (SERVER), and hands it on with the span of each attempt (CLIENT) as the parent. Whether a request is recorded is
//! decided once, by the first who is believed; whoever is not believed about the client's address is not believed about
//! this either, or strangers could fill the collector. Spans are handed to [`exporter`] in pieces, and nobody waits.

mod buffer;
mod collector;
mod context;
mod exporter;
mod otlp;
mod proto;
pub mod session;
mod span;

use std::time::Instant;

use engine::config::Settings;

pub use buffer::Spans;
pub use context::write_hex;
use context::{Context, SpanId, TraceId};
pub use exporter::{Exported, Exporter};

use crate::emit::is_replaced;
use crate::exchange::{Exchange, Peer, Request};
use crate::failure::Failure;
use crate::message::Known;
use crate::state::random::Random;

/// Where in a trace a request is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    state: State,
    trace: TraceId,
    /// The span of whoever sent the request; zeros when the trace begins here.
    parent: SpanId,
    /// Our own.
    span: SpanId,
    attempt: Option<Attempt>,
    /// How many attempts there have been.
    attempts: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nobody asked for traces: what came goes on as it came.
    #[default]
    Off,
    /// The trace is handed on, and nothing is told of it.
    Unrecorded,
    /// Spans are told.
    Recorded,
}

/// One try to have the request answered.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    span: SpanId,
    started: Instant,
    /// How many there were before.
    resent: u32,
    /// Whether its connection is encrypted, but for the mesh, where each is.
    secure: bool,
    /// Status of its answer; 0 while there is none.
    status: u16,
}

impl Trace {
    /// Takes up the trace of a request, or begins one.
    #[must_use]
    pub fn begin(settings: &Settings, request: &Request, peer: &Peer, random: &Random) -> Trace {
        let Some(tracing) = &settings.tracing else { return Trace::default() };
        let came = Context::of(&request.head, &request.text);
        let is_believed = settings.trusted_hops > 0 || peer.counterpart.is_some();
        let recorded = match &came {
            Some(context) if is_believed => context.sampled,
            Some(_) | None => random.below(tracing.denominator.max(1)) < tracing.numerator,
        };
        Trace {
            state: if recorded { State::Recorded } else { State::Unrecorded },
            trace: came.map_or_else(|| new_trace(random), |context| context.trace),
            parent: came.map_or([0; 8], |context| context.parent),
            span: new_span(random),
            attempt: None,
            attempts: 0,
        }
    }

    /// Whether somebody is told.
    #[inline]
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.state == State::Recorded
    }

    /// The trace, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&TraceId> {
        (self.state != State::Off).then_some(&self.trace)
    }

    /// The same place in the trace for a copy of the request, of which nothing is told.
    #[must_use]
    pub fn of_copy(&self) -> Trace {
        Trace { attempt: None, ..*self }
    }

    /// Whether a field of the client's that speaks of a trace goes on as it is.
    #[inline]
    #[must_use]
    pub fn passes(&self, name: &[u8]) -> bool {
        match self.state {
            State::Off => true,
            // The state of a trace that was not understood ends here.
            State::Unrecorded | State::Recorded => self.parent != [0; 8] && !context::is_parent(name),
        }
    }

    /// The status of the attempt's answer has come.
    #[inline]
    pub fn answered(&mut self, status: u16) {
        if let Some(attempt) = &mut self.attempt {
            attempt.status = status;
        }
    }

    /// What the next one on the way is told.
    fn context(&self) -> Option<Context> {
        let parent = self.attempt.map_or(self.span, |attempt| attempt.span);
        let sampled = self.is_recorded();
        (self.state != State::Off).then_some(Context { trace: self.trace, parent, sampled })
    }
}

fn new_trace(random: &Random) -> TraceId {
    let mut trace = [0; 16];
    trace[..8].copy_from_slice(&random.next().to_be_bytes());
    trace[8..].copy_from_slice(&random.next().to_be_bytes());
    trace
}

/// The generator never makes zero of what is not zero, so no id is all zeros.
fn new_span(random: &Random) -> SpanId {
    random.next().to_be_bytes()
}

/// Tells the next one on the way where in the trace it is, unless the rule says something else.
#[inline]
pub fn emit(exchange: &Exchange<'_>, emit: &mut impl FnMut(&[u8], &[u8])) {
    let Some(context) = exchange.trace.context() else { return };
    if !is_replaced(&exchange.request_edits, b"traceparent") {
        emit(b"traceparent", &context.text());
    }
}

/// An attempt begins.
#[inline]
pub fn begin_attempt(exchange: &mut Exchange<'_>, secure: bool) {
    if !exchange.trace.is_recorded() {
        return;
    }
    let (worker, trace) = (exchange.worker, &mut exchange.trace);
    let (span, started) = (new_span(&worker.random), worker.clock.now());
    trace.attempt = Some(Attempt { span, started, resent: trace.attempts, secure, status: 0 });
    trace.attempts += 1;
}

/// An attempt is over, and another one may follow.
#[inline]
pub fn end_attempt(exchange: &mut Exchange<'_>, failure: Failure) {
    if let Some(attempt) = exchange.trace.attempt.take() {
        let failure = (attempt.status == 0).then_some(failure);
        tell(exchange, |out| span::client(out, exchange, &attempt, failure));
    }
}

/// The request is over.
#[inline]
pub fn finish(exchange: &mut Exchange<'_>) {
    if !exchange.trace.is_recorded() {
        return;
    }
    if let Some(attempt) = exchange.trace.attempt.take() {
        let failure = exchange.outcome.failure;
        tell(exchange, |out| span::client(out, exchange, &attempt, failure));
    }
    tell(exchange, |out| span::server(out, exchange));
}

fn tell(exchange: &Exchange<'_>, write: impl FnOnce(&mut Vec<u8>)) {
    if let Some(tracing) = &exchange.settings().tracing {
        exchange.worker.spans.write(tracing, write);
    }
}

/// Every value of the `tracestate` that goes on.
fn states<'e>(exchange: &'e Exchange<'_>) -> impl Iterator<Item = &'e [u8]> {
    let (head, text, trace) = (&exchange.request.head, &exchange.request.text, &exchange.trace);
    let fields = head.fields.iter().filter(|field| field.known == Known::Trace);
    fields.filter(|field| trace.passes(field.name.of(text))).map(|field| field.value.of(text))
}
