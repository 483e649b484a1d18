//! The only file that knows the order.
//!
//! A request passes: route → filters → upstream → response filters → client. Every way it can end goes through
//! one place, and the log line and the counters are written when the exchange is dropped, exactly once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use engine::config::{Action, Backends, Rule, Target};

use crate::buffer::Buffer;
use crate::copies;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::{Failure, Retry};
use crate::filters::{self, Flow, redirect};
use crate::message::{Framing, ResponseHead};
use crate::respond::Answer;
use crate::revocation;
use crate::route;
use crate::state::clusters::{ClusterState, InFlight};
use crate::stream::{Copy, Sink, Tee, Transfer};
use crate::tunnel;
use crate::upstream::{Upstream, acquire, draw};

/// Carries one request from its head to the end of its answer.
pub async fn run(downstream: &mut Downstream, exchange: &mut Exchange<'_>) {
    let done = match decide(exchange) {
        Ok(Decision::Forward(cluster, rule)) => {
            let work = pin!(forward(downstream, exchange, &cluster, rule));
            within(rule.timeouts.request, work).await.unwrap_or(Err(Failure::RequestTimeout))
        }
        Ok(Decision::Answer(answer)) => return reply(downstream, exchange, answer).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => {}
        Err(failure) if exchange.outcome.status == 0 => return refuse(downstream, exchange, failure).await,
        Err(failure) => {
            exchange.fail(failure);
            downstream.abort();
        }
    }
    note_bytes(downstream, exchange);
}

fn note_bytes(downstream: &Downstream, exchange: &mut Exchange<'_>) {
    exchange.outcome.request_bytes = exchange.request.head_bytes + downstream.received();
    exchange.outcome.response_bytes = downstream.written();
}

/// Answers with a failure.
pub async fn refuse(downstream: &mut Downstream, exchange: &mut Exchange<'_>, failure: Failure) {
    exchange.fail(failure);
    let answer = Answer::to_failure(exchange, failure);
    reply(downstream, exchange, answer).await;
}

/// Answers without an upstream.
async fn reply(downstream: &mut Downstream, exchange: &mut Exchange<'_>, answer: Answer) {
    exchange.outcome.status = answer.status;
    downstream.answer(exchange, answer);
    if let Err(failure) = poll_fn(|cx| downstream.poll_flush(cx)).await {
        exchange.fail(failure);
        downstream.abort();
    }
    note_bytes(downstream, exchange);
}

enum Decision<'c> {
    Forward(Rc<ClusterState>, &'c Rule),
    Answer(Answer),
}

/// Everything that is decided before an upstream is asked.
fn decide<'c>(exchange: &mut Exchange<'c>) -> Result<Decision<'c>, Failure> {
    route::admit(exchange)?;
    let head = &exchange.request.head;
    if head.path_changed && exchange.settings().path_policy == engine::config::PathPolicy::Redirect {
        return Ok(Decision::Answer(redirect::to_canonical(exchange)));
    }
    let limit = exchange.settings().limits.request_body_bytes_max;
    if let Framing::Length(length) = head.framing
        && limit > 0
        && length > limit
    {
        return Err(Failure::BodyTooLarge);
    }
    route::choose(exchange)?;
    let Some(rule) = exchange.rule else { return Err(Failure::NoRoute) };
    filters::authorization::on_request(exchange, rule)?;
    if let Flow::Respond(answer) = filters::on_request(exchange, &rule.filters) {
        return Ok(Decision::Answer(answer));
    }
    match &rule.action {
        Action::Redirect(redirect) => Ok(Decision::Answer(redirect::answer(exchange, redirect))),
        Action::Refuse { .. } => Err(Failure::RouteRefused),
        Action::Forward(backends) => choose_backend(exchange, backends, rule),
    }
}

fn choose_backend<'c>(
    exchange: &mut Exchange<'c>,
    backends: &'c Backends,
    rule: &'c Rule,
) -> Result<Decision<'c>, Failure> {
    let backend = draw(backends, &exchange.worker.random).ok_or(Failure::BackendInvalid)?;
    if let Flow::Respond(answer) = filters::on_request(exchange, &backend.filters) {
        return Ok(Decision::Answer(answer));
    }
    let slot = match &backend.target {
        Target::Cluster(slot) => *slot,
        Target::Redirect(redirect) => return Ok(Decision::Answer(redirect::answer(exchange, redirect))),
        Target::Invalid { .. } => return Err(Failure::BackendInvalid),
    };
    let cluster = exchange.worker.clusters.get(slot).ok_or(Failure::BackendInvalid)?;
    if cluster.cluster.refuse.is_some() {
        return Err(Failure::BackendTlsInvalid);
    }
    Ok(Decision::Forward(cluster, rule))
}

/// Bounds work by a timeout, if there is one; `None` when it was exceeded. The work is pinned by the caller,
/// because the future of this function would otherwise have room for it more than once.
async fn within<T>(limit: Option<Duration>, work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    }
}

/// Asks the upstream and relays its answer.
async fn forward(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    rule: &Rule,
) -> Result<(), Failure> {
    if rule.timeouts.client_may_pause {
        downstream.set_body_wait(exchange);
    }
    downstream.invite_body(exchange);
    let mut copy = copies::prepare(exchange);
    let mut fresh = false;
    loop {
        let done = {
            let work = pin!(attempt(downstream, exchange, cluster, &mut copy, fresh));
            let late = Err(Stopped::at(Failure::UpstreamTimeout));
            within(rule.timeouts.backend_request, work).await.unwrap_or(late)
        };
        match done {
            Ok(()) => return Ok(()),
            Err(stopped) if stopped.stale && !fresh && may_repeat(exchange, &stopped) => {
                exchange.worker.metrics.upstream_repeats.add(1);
                fresh = true;
            }
            Err(stopped) => return Err(stopped.failure),
        }
    }
}

/// Why an attempt ended, and whether a dead kept connection may have been the reason.
struct Stopped {
    failure: Failure,
    stale: bool,
    /// The upstream said that it has not processed the request.
    unseen: bool,
}

impl Stopped {
    fn at(failure: Failure) -> Stopped {
        Stopped { failure, stale: false, unseen: false }
    }
}

fn may_repeat(exchange: &Exchange<'_>, stopped: &Stopped) -> bool {
    let head = &exchange.request.head;
    stopped.failure.facts().retry != Retry::Never
        && head.framing == Framing::None
        && (stopped.unseen || head.method.is_idempotent())
}

async fn attempt(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    copy: &mut Option<Box<Copy>>,
    fresh: bool,
) -> Result<(), Stopped> {
    let (in_flight, mut upstream) = acquire(exchange, cluster, fresh).await.map_err(Stopped::at)?;
    upstream.begin(exchange, cluster).map_err(Stopped::at)?;
    let form = downstream.set_form(upstream.takes());
    if let Some(copy) = copy {
        copy.expect(form, exchange.request.head.framing);
    }
    let mut upload = match exchange.request.head.framing {
        Framing::None => Transfer::ended(),
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Transfer::default(),
    };
    let mut head = ResponseHead::default();
    let received = match await_head(downstream, &mut upstream, &mut upload, &mut head, copy, exchange).await {
        Ok(received) => received,
        Err(failure) => {
            let (stale, unseen) = (upstream.may_be_stale(), upstream.was_never_seen());
            return Err(Stopped { failure, stale, unseen });
        }
    };
    if head.status == 101 {
        return tunnel::run(downstream, exchange, upstream, &head, received).await.map_err(Stopped::at);
    }
    let request = (upload, copy.take());
    relay(downstream, exchange, upstream, request, &head, received, &in_flight).await.map_err(Stopped::at)
}

/// Sends the request until the head of the answer has come, which may be before all of the body was sent.
async fn await_head(
    downstream: &mut Downstream,
    upstream: &mut Upstream,
    upload: &mut Transfer,
    head: &mut ResponseHead,
    copy: &mut Option<Box<Copy>>,
    exchange: &Exchange<'_>,
) -> Result<Buffer, Failure> {
    let method = exchange.request.head.method;
    let mut broken = None;
    poll_fn(|cx| {
        if broken.is_none()
            && !upload.is_done()
            && let Poll::Ready(Err(failure)) =
                upload.poll(cx, &mut Tee { source: downstream, copy: copy.as_deref_mut() }, upstream)
        {
            // An upstream that stops reading may have answered already: its answer is worth more than the error.
            if failure.facts().blame == crate::failure::Blame::Client {
                return Poll::Ready(Err(failure));
            }
            broken = Some(failure);
        }
        if exchange.request.head.expects_continue
            && let Poll::Ready(Err(failure)) = downstream.poll_flush(cx)
        {
            return Poll::Ready(Err(failure));
        }
        let response = upstream.poll_response(cx, head, method);
        if response.is_pending() {
            if downstream.poll_given_up(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientClosed));
            }
            if revocation::poll(exchange, cx).is_ready() {
                return Poll::Ready(Err(Failure::DeniedByPolicy));
            }
        }
        response
    })
    .await
}

/// Relays the answer while what is left of the request still moves.
async fn relay(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    mut upstream: Upstream,
    (mut upload, mut copy): (Transfer, Option<Box<Copy>>),
    head: &ResponseHead,
    mut received: Buffer,
    in_flight: &InFlight,
) -> Result<(), Failure> {
    let form = downstream.begin(exchange, head, received.filled(), upstream.takes());
    exchange.outcome.status = head.status;
    received.start += head.head_bytes;
    upstream.begin_reading(head.framing, form, received);
    let mut download = match head.framing {
        Framing::None => Transfer::ended(),
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Transfer::default(),
    };
    let moved = poll_fn(|cx| {
        if !upload.is_done() {
            // Whatever becomes of the rest of the request, the answer decides.
            let _ =
                upload.poll(cx, &mut Tee { source: downstream, copy: copy.as_deref_mut() }, &mut upstream);
        }
        if upload.is_done()
            && let Some(copy) = copy.take()
        {
            copies::send(exchange, *copy);
        }
        let moved = download.poll(cx, &mut upstream, downstream);
        if moved.is_pending() {
            if downstream.poll_given_up(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientClosed));
            }
            if revocation::poll(exchange, cx).is_ready() {
                return Poll::Ready(Err(Failure::DeniedByPolicy));
            }
        }
        moved
    })
    .await;
    if let Some(copy) = copy {
        copies::send(exchange, *copy);
    }
    let reusable = head.persistent && upload.is_done() && exchange.request.head.upgrade.is_none();
    upstream.finish(in_flight.endpoint(), moved.is_ok() && reusable && head.framing != Framing::UntilClose);
    moved
}
