//! From a chosen destination to the end of the answer: attempts, each with an endpoint of its own.
//!
//! An attempt that fails may be followed by another until the first byte of an answer has left for the client. A
//! kept connection that had died unnoticed is replaced at once; everything else is for a policy to say, and without
//! one there is one attempt.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use engine::HeaderView;
use engine::config::{Fault, Rule};

use super::relay::{Rest, body, is_taken_whole, relay, relay_whole};
use super::within;
use crate::buffer::Buffer;
use crate::copies;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::{Blame, Failure, Retry};
use crate::filters::fault;
use crate::limits::CONNECT_ATTEMPTS_MAX;
use crate::message::{Framing, ResponseHead};
use crate::revocation;
use crate::state::breakers::Place;
use crate::state::clusters::{ClusterState, EndpointState, InFlight};
use crate::state::metrics::Overflow;
use crate::stream::{Copy, Form, Next, Replay, Sink, Source, Transfer};
use crate::trace;
use crate::tunnel;
use crate::upstream::{Tries, Upstream, Why, Wish, acquire};

/// Asks the upstream and relays its answer.
pub(super) async fn forward(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    rule: &Rule,
) -> Result<(), Failure> {
    if exchange.timeouts.client_may_pause {
        downstream.set_body_wait(exchange);
    }
    let said = cluster.resilience();
    if let Some(fault) = rule.fault.as_deref().or_else(|| said?.fault.as_deref()) {
        inject(downstream, exchange, fault).await?;
    }
    let _place = enter(exchange, cluster)?;
    let _sharing = cluster.limits.connections.map(|_| cluster.breakers.share());
    downstream.invite_body(exchange);
    let mut copy = copies::prepare(exchange);
    let policy = rule.retry.as_deref().or_else(|| said?.retry.as_deref());
    let mut tries = Tries::begin(policy, exchange, cluster);
    if let Some(body) = exchange.body.take() {
        tries.replay = Some(Box::new(Replay::holding(*body)));
    }
    exchange.keeps_body = tries.replay.is_some();
    let mut fresh = false;
    loop {
        let limit = exchange.timeouts.backend_request;
        let done = {
            let work = pin!(attempt(downstream, exchange, cluster, &mut tries, &mut copy, fresh));
            let late = Err(Stopped::at(Failure::UpstreamTimeout));
            within(limit, work).await.unwrap_or(late)
        };
        if let Err(stopped) = &done {
            trace::end_attempt(exchange, stopped.failure);
        }
        match done {
            Ok(()) => return Ok(()),
            Err(stopped) if stopped.stale && !fresh && may_repeat(exchange, &stopped) => {
                exchange.worker.metrics.upstream_repeats.add(1);
                fresh = true;
            }
            Err(stopped) => {
                let pause = stopped.again(exchange, cluster, &mut tries).ok_or(stopped.failure)?;
                hold(downstream, pause).await?;
                fresh = false;
            }
        }
    }
}

/// A place among the requests that the destination may be given.
fn enter(exchange: &Exchange<'_>, cluster: &ClusterState) -> Result<Option<Place>, Failure> {
    let Some(limit) = cluster.limits.requests else { return Ok(None) };
    let place = cluster.breakers.request(limit);
    place.map(Some).ok_or_else(|| cluster.overflow(Overflow::Requests, &exchange.worker.metrics))
}

/// Delays or fails a request on purpose.
async fn inject(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    fault: &Fault,
) -> Result<(), Failure> {
    let drawn = fault::draw(exchange, fault);
    if let Some(delay) = drawn.delay {
        hold(downstream, delay).await?;
    }
    exchange.abort = drawn.abort;
    if drawn.abort.is_some() { Err(Failure::FaultInjected) } else { Ok(()) }
}

/// Waits, unless the client gives up. Boxed, because few requests ever wait.
async fn hold(downstream: &mut Downstream, time: Duration) -> Result<(), Failure> {
    let mut sleep = Box::pin(tokio::time::sleep(time));
    poll_fn(|cx| {
        if downstream.poll_given_up(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientClosed));
        }
        sleep.as_mut().poll(cx).map(Ok)
    })
    .await
}

/// Why an attempt ended, and whether a dead kept connection may have been the reason.
struct Stopped {
    failure: Failure,
    stale: bool,
    /// The upstream said that it has not processed the request.
    unseen: bool,
    /// Another attempt was granted already, after a pause.
    granted: Option<Duration>,
}

impl Stopped {
    fn at(failure: Failure) -> Stopped {
        Stopped { failure, stale: false, unseen: false, granted: None }
    }

    /// Whether and when there is another attempt; notes what the failure says of the endpoint.
    fn again(
        &self,
        exchange: &Exchange<'_>,
        cluster: &Rc<ClusterState>,
        tries: &mut Tries<'_>,
    ) -> Option<Duration> {
        if self.granted.is_some() || exchange.outcome.status != 0 {
            return self.granted;
        }
        let why = Why::of(self.failure, self.unseen)?;
        if let (Why::Reset | Why::Status(_), Some(endpoint)) = (why, &tries.avoid) {
            note(exchange, cluster, endpoint, false);
        }
        tries.again(why, exchange, cluster)
    }
}

/// Remembers how an endpoint has answered.
fn note(exchange: &Exchange<'_>, cluster: &ClusterState, endpoint: &Rc<EndpointState>, good: bool) {
    cluster.note(endpoint, good, exchange.worker.deadlines.now(), &exchange.worker.metrics);
}

fn may_repeat(exchange: &Exchange<'_>, stopped: &Stopped) -> bool {
    let head = exchange.onward();
    stopped.failure.facts().retry != Retry::Never
        && exchange.request.head.framing == Framing::None
        && (stopped.unseen || head.method.is_idempotent())
}

async fn attempt(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    tries: &mut Tries<'_>,
    copy: &mut Option<Box<Copy>>,
    fresh: bool,
) -> Result<(), Stopped> {
    trace::begin_attempt(exchange, cluster.tls.is_some());
    let (in_flight, mut upstream) = reach(exchange, cluster, tries, fresh).await.map_err(Stopped::at)?;
    upstream.begin(exchange, cluster).map_err(Stopped::at)?;
    let wanted = if exchange.keeps_body { Form::Content } else { upstream.takes() };
    let form = downstream.set_form(wanted);
    if let Some(copy) = copy {
        copy.expect(form, exchange.request.head.framing);
    }
    let mut upload = match exchange.request.head.framing {
        Framing::None => Transfer::ended(),
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Transfer::default(),
    };
    let mut head = ResponseHead::default();
    let kept = (&mut tries.replay, &mut *copy);
    let received = match await_head(downstream, &mut upstream, &mut upload, &mut head, kept, exchange).await {
        Ok(received) => received,
        Err(failure) => {
            let (stale, unseen) = (upstream.may_be_stale(), upstream.was_never_seen());
            return Err(Stopped { stale, unseen, ..Stopped::at(failure) });
        }
    };
    exchange.trace.answered(head.status);
    if cluster.resilience().is_some() {
        note(exchange, cluster, in_flight.endpoint(), head.status < 500);
    }
    if let Some(pause) = unwelcome(exchange, cluster, tries, &head, &received) {
        leave(upstream, &upload, &head, received, &in_flight).await;
        return Err(Stopped { granted: Some(pause), ..Stopped::at(Failure::UpstreamReset) });
    }
    if head.status == 101 {
        return tunnel::run(downstream, exchange, upstream, &head, received).await.map_err(Stopped::at);
    }
    let mut replay = tries.replay.take();
    if let Some(replay) = &mut replay {
        replay.settle();
    }
    let rest = Rest { upload, copy: copy.take(), replay };
    let relayed = if is_taken_whole(exchange, &head, received.filled()) {
        // Boxed, so that answers which pass as they come have no room for it.
        Box::pin(relay_whole(downstream, exchange, upstream, rest, &mut head, received, &in_flight)).await
    } else {
        relay(downstream, exchange, upstream, rest, &mut head, received, &in_flight).await
    };
    relayed.map_err(Stopped::at)
}

/// A connection for the next attempt.
async fn reach(
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    tries: &mut Tries<'_>,
    fresh: bool,
) -> Result<(InFlight, Upstream), Failure> {
    if tries.has_policy() {
        exchange.hop.attempt = tries.number();
    }
    // A policy says itself whether a failed connect is followed by another.
    let endpoints = if tries.has_policy() { 1 } else { CONNECT_ATTEMPTS_MAX };
    let wish = Wish { endpoints, avoid: tries.avoid.as_ref(), fresh };
    match acquire(exchange, cluster, wish).await {
        Ok(reached) => {
            if cluster.resilience().is_some() || tries.has_policy() {
                tries.avoid = Some(reached.0.endpoint().clone());
            }
            Ok(reached)
        }
        Err(unreached) => {
            tries.avoid = unreached.endpoint;
            Err(unreached.failure)
        }
    }
}

/// Whether an answer is one upon which a policy tries again, and after what pause.
fn unwelcome(
    exchange: &Exchange<'_>,
    cluster: &ClusterState,
    tries: &mut Tries<'_>,
    head: &ResponseHead,
    received: &Buffer,
) -> Option<Duration> {
    if !tries.has_policy() {
        return None;
    }
    if head.status >= 400 {
        return tries.again(Why::Status(head.status), exchange, cluster);
    }
    if !tries.asks_for_grpc() || !exchange.is_grpc() {
        return None;
    }
    // Only an answer without messages has its status among the first fields.
    let fields = head.view(received.filled());
    let status = fields.first(b"grpc-status")?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    tries.again(Why::Grpc(status), exchange, cluster)
}

/// Lets go of an answer that nobody gets. Its connection is kept if all of it is here.
async fn leave(
    mut upstream: Upstream,
    upload: &Transfer,
    head: &ResponseHead,
    mut received: Buffer,
    in_flight: &InFlight,
) {
    received.start += head.head_bytes;
    let form = upstream.takes();
    upstream.begin_reading(head.framing, form, received);
    let is_here =
        head.framing == Framing::None || poll_fn(|cx| Poll::Ready(is_at_end(&mut upstream, cx))).await;
    upstream.finish(
        in_flight.endpoint(),
        is_here && head.persistent && upload.is_done() && head.framing != Framing::UntilClose,
    );
}

fn is_at_end(upstream: &mut Upstream, cx: &mut Context<'_>) -> bool {
    loop {
        match upstream.poll_piece(cx) {
            Poll::Ready(Ok(Next::Piece(_))) => {}
            Poll::Ready(Ok(Next::Last(_) | Next::End(_))) => return true,
            Poll::Ready(Err(_)) | Poll::Pending => return false,
        }
    }
}

/// Sends the request until the head of the answer has come, which may be before all of the body was sent.
async fn await_head(
    downstream: &mut Downstream,
    upstream: &mut Upstream,
    upload: &mut Transfer,
    head: &mut ResponseHead,
    (replay, copy): (&mut Option<Box<Replay>>, &mut Option<Box<Copy>>),
    exchange: &Exchange<'_>,
) -> Result<Buffer, Failure> {
    let method = exchange.onward().method;
    let mut broken = None;
    poll_fn(|cx| {
        if broken.is_none()
            && !upload.is_done()
            && let Poll::Ready(Err(failure)) =
                upload.poll(cx, &mut body(downstream, copy.as_deref_mut(), replay.as_deref_mut()), upstream)
        {
            // An upstream that stops reading may have answered already: its answer is worth more than the error.
            if failure.facts().blame == Blame::Client {
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
