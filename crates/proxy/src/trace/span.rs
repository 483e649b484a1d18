//! One span in the words of OpenTelemetry: `opentelemetry/proto/trace/v1/trace.proto`, with the semantic conventions
//! for HTTP.
//!
//! What a client chose is told as it is told in the log; what may be a secret is not told at all: no query, no header
//! field but the user agent.

use std::net::SocketAddr;
use std::time::Duration;

use super::proto::{attribute, bytes, fixed32, fixed64, message, number, numeric};
use super::{Attempt, SpanId, TraceId, states};
use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::forwarded::client_address;
use crate::message::{Known, Method, Version};

/// `ScopeSpans.spans`.
const SPAN: u32 = 2;
pub(super) const ATTRIBUTE: u32 = 9;
const STATUS: u32 = 15;
const STATUS_ERROR: u64 = 2;
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`.
const KNOWS_REMOTE: u32 = 0x100;
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const REMOTE: u32 = 0x200;
const SAMPLED: u32 = 1;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Server = 2,
    Client = 3,
}

/// What is told of every span.
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) span: SpanId,
    pub(super) parent: SpanId,
    /// Whether the parent is somebody else's.
    pub(super) is_remote: bool,
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

/// The trace that it is part of, and what it is called.
pub(super) struct Named<'n> {
    pub(super) trace: TraceId,
    /// The `tracestate`; empty for none.
    pub(super) state: &'n [u8],
    pub(super) name: &'n [u8],
}

/// The request as it came in.
pub fn server(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let (worker, trace) = (exchange.worker, &exchange.trace);
    let frame = Frame {
        kind: Kind::Server,
        span: trace.span,
        parent: trace.parent,
        is_remote: true,
        began: worker.clock.unix(exchange.request.started),
        ended: worker.clock.unix(worker.clock.now()),
    };
    tell(out, &frame, exchange, |out| {
        let outcome = &exchange.outcome;
        asked(out, exchange);
        addresses(out, exchange);
        decided(out, exchange);
        if let Some(agent) = exchange.view().headers.known(Known::UserAgent) {
            attribute(out, ATTRIBUTE, "user_agent.original", agent);
        }
        attribute(out, ATTRIBUTE, "selvedge.request_id", exchange.request_id());
        answer(out, outcome.status, outcome.failure, outcome.status >= 500 || outcome.status == 0);
    });
}

/// One attempt to have it answered.
pub fn client(out: &mut Vec<u8>, exchange: &Exchange<'_>, attempt: &Attempt, failure: Option<Failure>) {
    let (worker, outcome) = (exchange.worker, &exchange.outcome);
    let frame = Frame {
        kind: Kind::Client,
        span: attempt.span,
        parent: exchange.trace.span,
        is_remote: false,
        began: worker.clock.unix(attempt.started),
        ended: worker.clock.unix(worker.clock.now()),
    };
    tell(out, &frame, exchange, |out| {
        method(out, exchange);
        if attempt.resent > 0 {
            numeric(out, ATTRIBUTE, "http.request.resend_count", u64::from(attempt.resent));
        }
        if let Some(upstream) = outcome.upstream {
            address(out, ["server.address", "server.port"], upstream);
            attribute(out, ATTRIBUTE, "url.full", &url(exchange, attempt.secure, upstream));
        }
        if let Some(member) = outcome.member.as_ref().and_then(|member| member.mesh.as_ref()) {
            let identity = member.identity.as_str().as_bytes();
            attribute(out, ATTRIBUTE, "selvedge.destination.identity", identity);
            attribute(out, ATTRIBUTE, "selvedge.destination.workload", member.replica.as_bytes());
        }
        answer(out, attempt.status, failure, failure.is_some() || attempt.status >= 400);
    });
}

/// A span of a request, with what else is told of it.
fn tell(out: &mut Vec<u8>, frame: &Frame, exchange: &Exchange<'_>, more: impl FnOnce(&mut Vec<u8>)) {
    let mut state = Text::new();
    for value in states(exchange) {
        if !state.is_empty() {
            state.push(b',');
        }
        state.extend_from_slice(value);
    }
    let name = name(exchange);
    frame.tell(out, &Named { trace: exchange.trace.trace, state: &state, name: &name }, more);
}

impl Frame {
    /// The whole span; `more` appends its attributes and its status.
    pub(super) fn tell(&self, out: &mut Vec<u8>, named: &Named<'_>, more: impl FnOnce(&mut Vec<u8>)) {
        message(out, SPAN, |out| {
            self.write(out, named);
            more(out);
        });
    }

    fn write(&self, out: &mut Vec<u8>, named: &Named<'_>) {
        bytes(out, 1, &named.trace);
        bytes(out, 2, &self.span);
        if named.state.is_ascii() && !named.state.is_empty() {
            bytes(out, 3, named.state);
        }
        let remote = self.parent != [0; 8] && self.is_remote;
        if self.parent != [0; 8] {
            bytes(out, 4, &self.parent);
        }
        bytes(out, 5, named.name);
        number(out, 6, self.kind as u64);
        fixed64(out, 7, nanos(self.began));
        fixed64(out, 8, nanos(self.ended.max(self.began)));
        fixed32(out, 16, SAMPLED | KNOWS_REMOTE | if remote { REMOTE } else { 0 });
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Few different ones, as the conventions ask for: the method, and the route that answered.
fn name(exchange: &Exchange<'_>) -> Text {
    let mut name = Text::new();
    name.extend_from_slice(match exchange.request.head.method {
        Method::Other => b"HTTP",
        _ => exchange.request.head.method_token.of(&exchange.request.text),
    });
    if name.is_empty() {
        name.extend_from_slice(b"HTTP"); // Nothing of the request was understood.
    }
    if let Some(rule) = exchange.rule {
        name.push(b' ');
        name.extend_from_slice(rule.origin.route.as_bytes());
    }
    name
}

fn method(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let token = exchange.request.head.method_token.of(&exchange.request.text);
    match exchange.request.head.method {
        Method::Other => {
            attribute(out, ATTRIBUTE, "http.request.method", b"_OTHER");
            attribute(out, ATTRIBUTE, "http.request.method_original", token);
        }
        _ => attribute(out, ATTRIBUTE, "http.request.method", token),
    }
}

fn asked(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let view = exchange.view();
    method(out, exchange);
    attribute(out, ATTRIBUTE, "url.path", view.path);
    attribute(out, ATTRIBUTE, "url.scheme", if exchange.is_secure() { b"https" } else { b"http" });
    attribute(out, ATTRIBUTE, "server.address", view.host);
    if let Some(port) = exchange.request.head.host_port {
        numeric(out, ATTRIBUTE, "server.port", u64::from(port));
    }
    let version: &[u8] = match exchange.request.head.version {
        Version::Http10 => b"1.0",
        Version::Http11 => b"1.1",
        Version::Http2 => b"2",
    };
    attribute(out, ATTRIBUTE, "network.protocol.version", version);
}

fn addresses(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let client = text(client_address(exchange));
    attribute(out, ATTRIBUTE, "client.address", &client);
    address(out, ["network.peer.address", "network.peer.port"], exchange.peer.address);
    if let Some(caller) = &exchange.peer.counterpart {
        let identity = caller.verified.identity.as_str().as_bytes();
        attribute(out, ATTRIBUTE, "selvedge.source.identity", identity);
        if let Some(replica) = &caller.verified.replica {
            attribute(out, ATTRIBUTE, "selvedge.source.workload", replica.as_bytes());
        }
    }
}

fn decided(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    if let Some(rule) = exchange.rule {
        attribute(out, ATTRIBUTE, "selvedge.route", rule.origin.route.as_bytes());
        numeric(out, ATTRIBUTE, "selvedge.rule", u64::from(rule.origin.rule));
    }
    let denied = exchange.denied_by.as_ref().map(|denied| &*denied.policy.name).or(exchange.kept_out_by);
    if let Some(policy) = denied {
        attribute(out, ATTRIBUTE, "selvedge.policy", policy.as_bytes());
    }
}

pub(super) fn address(out: &mut Vec<u8>, [ip, port]: [&str; 2], address: SocketAddr) {
    attribute(out, ATTRIBUTE, ip, &text(address.ip()));
    numeric(out, ATTRIBUTE, port, u64::from(address.port()));
}

/// Where the attempt went, without the query.
fn url(exchange: &Exchange<'_>, secure: bool, upstream: SocketAddr) -> Text {
    let secure = secure || exchange.outcome.member.is_some();
    let mut url = text(format_args!("{}://{upstream}", if secure { "https" } else { "http" }));
    let path = exchange.onward().path.of(&exchange.request.text);
    match exchange.rewrite.and_then(|rewrite| rewrite.path.as_ref()) {
        Some(edit) => edit.write(path, &mut url),
        None => url.extend_from_slice(path),
    }
    url
}

pub(super) fn text(value: impl std::fmt::Display) -> Text {
    use std::io::Write;
    let mut text = Text::new();
    let _ = write!(*text, "{value}"); // Writing to a vector cannot fail.
    text
}

/// What became of it. A client's mistake is no error of the server's span.
fn answer(out: &mut Vec<u8>, status: u16, failure: Option<Failure>, is_error: bool) {
    if status > 0 {
        numeric(out, ATTRIBUTE, "http.response.status_code", u64::from(status));
    }
    if let Some(failure) = failure {
        attribute(out, ATTRIBUTE, "selvedge.failure", failure.facts().code.as_bytes());
    }
    if !is_error {
        return;
    }
    error(out, status, failure);
}

/// A connection that did not end in order.
pub(super) fn failed(out: &mut Vec<u8>, failure: Failure) {
    attribute(out, ATTRIBUTE, "selvedge.failure", failure.facts().code.as_bytes());
    error(out, 0, Some(failure));
}

fn error(out: &mut Vec<u8>, status: u16, failure: Option<Failure>) {
    match failure {
        Some(failure) => attribute(out, ATTRIBUTE, "error.type", failure.facts().code.as_bytes()),
        None => attribute(out, ATTRIBUTE, "error.type", &text(status)),
    }
    message(out, STATUS, |out| {
        if let Some(failure) = failure {
            bytes(out, 2, failure.facts().sentence.as_bytes());
        }
        number(out, 3, STATUS_ERROR);
    });
}
