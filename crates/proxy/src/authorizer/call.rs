//! One question over the pools that there are: a request of its own, and its answer whole.
//!
//! A kept connection may have died unnoticed; the question is then asked once more on a fresh one, because asking twice
//! does nothing that asking once does not.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::buffer::Text;
use crate::exchange::{Exchange, Request};
use crate::failure::Failure;
use crate::limits::AUTHORIZER_ANSWER_BYTES_MAX;
use crate::message::names::classify;
use crate::message::{Field, Framing, Method, RequestHead, ResponseHead, Span, Version};
use crate::request_id::RequestId;
use crate::state::clusters::ClusterState;
use crate::stream::{Form, Intake, Transfer, Untaken, WholeBody};
use crate::upstream::{Upstream, Wish, acquire};

use super::verdict::Fault;

/// A question before it is a request.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) version: Version,
    pub(super) method: (Method, Vec<u8>),
    /// Path and query.
    pub(super) target: (Vec<u8>, Option<Vec<u8>>),
    pub(super) host: Vec<u8>,
    /// Names in lower case.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// `None` where not even a length is told of.
    pub(super) content: Option<Vec<u8>>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: ResponseHead,
    /// The text into which the head points.
    pub(super) text: Text,
    pub(super) body: WholeBody,
}

impl Question {
    fn request(&self, id: &[u8], exchange: &Exchange<'_>) -> (Request, RequestId) {
        let mut text = Text::new();
        let mut head = RequestHead {
            version: self.version,
            method: self.method.0,
            persistent: true,
            te_trailers: self.version == Version::Http2,
            ..RequestHead::default()
        };
        head.method_token = put(&mut text, &self.method.1);
        head.path = put(&mut text, &self.target.0);
        head.query = self.target.1.as_ref().map(|query| put(&mut text, query));
        head.host = put(&mut text, &self.host);
        for (name, value) in &self.fields {
            let (name, value) = (put(&mut text, name), put(&mut text, value));
            head.fields.push(Field { name, value, known: classify(name.of(&text)) });
        }
        head.framing = match self.content.as_ref().map_or(0, |content| content.len() as u64) {
            0 => Framing::None,
            length => Framing::Length(length),
        };
        let id = RequestId::Kept(put(&mut text, id));
        let started = exchange.request.started;
        (Request { head, text, started, head_bytes: 0 }, id)
    }
}

fn put(text: &mut Text, bytes: &[u8]) -> Span {
    let start = text.len();
    text.extend_from_slice(bytes);
    Span::new(start, text.len())
}

/// Asks.
pub(super) async fn call(
    exchange: &Exchange<'_>,
    cluster: &Rc<ClusterState>,
    question: Question,
) -> Result<Reply, Fault> {
    let credential = cluster.cluster.credential.as_ref();
    if cluster.cluster.refuse.is_some() || credential.is_some_and(|credential| credential.value.is_none()) {
        return Err(Fault::Unreachable);
    }
    let _place = match cluster.limits.requests {
        None => None,
        Some(limit) => Some(cluster.breakers.request(limit).ok_or(Fault::Busy)?),
    };
    let mut fresh = false;
    loop {
        match attempt(exchange, cluster, &question, fresh).await {
            Err(Lost { stale: true, .. }) if !fresh => fresh = true,
            Err(Lost { fault, .. }) => return Err(fault),
            Ok(reply) => return Ok(reply),
        }
    }
}

/// Why there is no answer, and whether a dead kept connection may have been the reason.
struct Lost {
    fault: Fault,
    stale: bool,
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Lost {
        Lost { fault, stale: false }
    }
}

async fn attempt(
    exchange: &Exchange<'_>,
    cluster: &Rc<ClusterState>,
    question: &Question,
    fresh: bool,
) -> Result<Reply, Lost> {
    let (request, id) = question.request(exchange.request_id(), exchange);
    let open = exchange.worker.open.request();
    let mut own =
        Exchange::new(exchange.worker, exchange.port, exchange.pinned, exchange.peer, &open, request);
    own.is_copy = true;
    own.request_id = id;
    own.trace = exchange.trace.of_copy();
    own.body_length = question.content.as_ref().map(|content| content.len() as u64);
    let (in_flight, mut upstream) = acquire(&mut own, cluster, Wish { fresh, ..Wish::default() })
        .await
        .map_err(|_| Fault::Unreachable)?;
    let said = converse(&own, cluster, &mut upstream, question).await;
    let good = said.as_ref().is_ok_and(|reply| reply.head.status < 500);
    let worker = exchange.worker;
    cluster.note(in_flight.endpoint(), good, worker.deadlines.now(), &worker.metrics);
    match said {
        Ok(reply) => {
            let clean = reply.head.persistent && reply.head.framing != Framing::UntilClose;
            upstream.finish(in_flight.endpoint(), clean);
            Ok(reply)
        }
        Err(fault) => Err(Lost { fault, stale: fault == Fault::Unreachable && upstream.may_be_stale() }),
    }
}

async fn converse(
    own: &Exchange<'_>,
    cluster: &Rc<ClusterState>,
    upstream: &mut Upstream,
    question: &Question,
) -> Result<Reply, Fault> {
    if question.version == Version::Http2 && matches!(upstream, Upstream::Http1(_)) {
        return Err(Fault::Malformed); // it does not speak gRPC
    }
    upstream.begin(own, cluster).map_err(|_| Fault::Unreachable)?;
    let mut content = question.content.as_deref().filter(|content| !content.is_empty()).map(given);
    let mut upload = if content.is_some() { Transfer::default() } else { Transfer::ended() };
    let mut head = ResponseHead::default();
    let mut received = poll_fn(|cx| {
        // Who answers before all of the question is there knows what to say.
        let sent = match &mut content {
            Some(content) => upload.poll(cx, content, upstream),
            None => upload.poll(cx, &mut given(&[]), upstream),
        };
        match upstream.poll_response(cx, &mut head, own.request.head.method) {
            Poll::Pending => match sent {
                Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
            ready => ready,
        }
    })
    .await
    .map_err(unanswered)?;
    let mut text = Text::new();
    text.extend_from_slice(&received.filled()[..head.head_bytes]);
    received.start += head.head_bytes;
    upstream.begin_reading(head.framing, Form::Content, received);
    let mut intake = Intake::bounded(AUTHORIZER_ANSWER_BYTES_MAX);
    if head.framing != Framing::None {
        poll_fn(|cx| intake.poll(cx, upstream)).await.map_err(|untaken| match untaken {
            Untaken::TooLarge => Fault::TooLarge,
            Untaken::NoRoom => Fault::Busy,
            Untaken::Failed(failure) => unanswered(failure),
        })?;
    }
    if !upload.is_done() {
        head.persistent = false;
    }
    Ok(Reply { head, text, body: intake.into_body() })
}

fn given(content: &[u8]) -> WholeBody {
    WholeBody::of(content.to_vec())
}

fn unanswered(failure: Failure) -> Fault {
    match failure {
        Failure::UpstreamProtocol => Fault::Malformed,
        Failure::UpstreamHeadTooLarge => Fault::TooLarge,
        Failure::UpstreamTimeout => Fault::Timeout,
        _ => Fault::Unreachable,
    }
}
