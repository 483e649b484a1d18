//! The only file that knows the order.
//!
//! A request passes: route → from where → whether a page may → who asks → what others say of it → whether it may →
//! filters → upstream → response filters → client. Every way it can end goes through one place, and the log line and
//! the counters are written when the exchange is dropped, exactly once.

mod forward;
mod made;
mod relay;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use engine::config::{Action, Backends, Mock, Rule, Target, Timeouts};

use crate::authorizer;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::filters::{self, Flow, authentication, cors, redirect};
use crate::hop::{self, Hop};
use crate::message::Framing;
use crate::respond::Answer;
use crate::route;
use crate::state::clusters::ClusterState;
use crate::stream::Sink;
use crate::upstream::draw;

use forward::forward;

/// Carries one request from its head to the end of its answer.
pub async fn run(downstream: &mut Downstream, exchange: &mut Exchange<'_>) {
    let done = match admitted(downstream, exchange).await {
        Ok(Decision::Forward(cluster, rule)) => {
            let limit = open_hop(exchange);
            let work = pin!(changed(downstream, exchange, &cluster, rule));
            within(limit, work).await.unwrap_or(Err(Failure::RequestTimeout))
        }
        // Boxed, so that requests which nobody mocks have no room for it.
        Ok(Decision::Mock(mock)) => match Box::pin(made::mock(downstream, exchange, mock)).await {
            Ok(answer) => return reply(downstream, exchange, answer).await,
            Err(failure) => Err(failure),
        },
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

/// Forwards a request, changed where its rule says so. Boxed, so that requests that nobody changes have no room for
/// it.
async fn changed(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    rule: &Rule,
) -> Result<(), Failure> {
    if let Some(transforms) = &rule.transforms {
        Box::pin(filters::transform::on_request(downstream, exchange, transforms)).await?;
    }
    forward(downstream, exchange, cluster, rule).await
}

fn note_bytes(downstream: &Downstream, exchange: &mut Exchange<'_>) {
    exchange.outcome.request_bytes = exchange.request.head_bytes + downstream.received();
    exchange.outcome.response_bytes = downstream.written();
}

/// Answers with a failure.
pub async fn refuse(downstream: &mut Downstream, exchange: &mut Exchange<'_>, failure: Failure) {
    exchange.fail(failure);
    exchange.outcome.is_refused = true;
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
    Mock(&'c Mock),
    Forward(Rc<ClusterState>, &'c Rule),
    Answer(Answer),
}

/// Everything that is decided before an upstream is asked.
async fn admitted<'c>(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'c>,
) -> Result<Decision<'c>, Failure> {
    let rule = match find(exchange)? {
        Way::Rule(rule) => rule,
        Way::Answer(answer) => return Ok(Decision::Answer(answer)),
    };
    filters::addresses::on_request(exchange, rule)?;
    if let Flow::Respond(answer) = cors::first(exchange, rule) {
        return Ok(Decision::Answer(answer));
    }
    match authentication::on_request(exchange, rule) {
        Ok(()) => {}
        Err(authentication::Stop::Failure(failure)) => return Err(failure),
        // In a box: the future of requests that wait for nothing has no room for it.
        Err(authentication::Stop::Lacking(lacking)) => {
            Box::pin(authentication::later(exchange, rule, lacking)).await?;
        }
    }
    if let Some(authorizers) = rule.authorizers.as_deref() {
        let asked = Box::pin(authorizer::ask(downstream, exchange, authorizers));
        if let Flow::Respond(answer) = asked.await? {
            return Ok(Decision::Answer(answer));
        }
    }
    permit(exchange, rule)?;
    match filters::quotas::on_request(exchange, rule) {
        Ok(()) => {}
        Err(filters::quotas::Stop::Failure(failure)) => return Err(failure),
        Err(filters::quotas::Stop::Wait(wait)) => {
            Box::pin(filters::quotas::later(exchange, rule, wait)).await?;
        }
    }
    if let Some(validation) = rule.validation.as_deref() {
        Box::pin(filters::validation::on_request(downstream, exchange, validation)).await?;
    }
    decide(exchange, rule)
}

enum Way<'c> {
    Rule(&'c Rule),
    Answer(Answer),
}

/// The rule for a request.
fn find<'c>(exchange: &mut Exchange<'c>) -> Result<Way<'c>, Failure> {
    route::admit(exchange)?;
    let head = &exchange.request.head;
    if head.path_changed && exchange.settings().path_policy == engine::config::PathPolicy::Redirect {
        return Ok(Way::Answer(redirect::to_canonical(exchange)));
    }
    let limit = exchange.settings().limits.request_body_bytes_max;
    if let Framing::Length(length) = head.framing
        && limit > 0
        && length > limit
    {
        return Err(Failure::BodyTooLarge);
    }
    match cors::rule_asked_about(exchange) {
        Some(rule) => exchange.rule = Some(rule),
        None => route::choose(exchange)?,
    }
    exchange.rule.map(Way::Rule).ok_or(Failure::NoRoute)
}

/// Whether a request may go on whose caller is known.
fn permit<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    filters::authorization::on_request(exchange, rule)?;
    filters::access::on_request(exchange, rule)?;
    filters::rates::on_request(exchange, rule)
}

/// What becomes of a request that may go on.
fn decide<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<Decision<'c>, Failure> {
    if let Flow::Respond(answer) = filters::on_request(exchange, cors::left(&rule.filters)) {
        return Ok(Decision::Answer(answer));
    }
    match &rule.action {
        Action::Redirect(redirect) => Ok(Decision::Answer(redirect::answer(exchange, redirect))),
        Action::Answer(fixed) => Ok(Decision::Answer(made::fixed(fixed))),
        Action::Mock(mock) => Ok(Decision::Mock(mock)),
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
    if cluster.cluster.credential.as_ref().is_some_and(|credential| credential.value.is_none()) {
        return Err(Failure::BackendCredentialMissing);
    }
    exchange.timeouts = bounds(rule, &cluster);
    Ok(Decision::Forward(cluster, rule))
}

/// The rule's bounds of time, and where it has none those of the destination.
fn bounds(rule: &Rule, cluster: &ClusterState) -> Timeouts {
    match cluster.resilience() {
        Some(said) => rule.timeouts.or(&said.timeouts),
        None => rule.timeouts,
    }
}

/// Takes in what the caller has said of the hop, and returns how long all of it may take.
fn open_hop(exchange: &mut Exchange<'_>) -> Option<Duration> {
    let said = hop::said(exchange);
    let limit = match (exchange.timeouts.request, said.timeout) {
        (Some(own), Some(said)) => Some(own.min(said)),
        (own, said) => own.or(said),
    };
    let deadline = limit.and_then(|limit| exchange.worker.clock.now().checked_add(limit));
    exchange.hop = Hop { deadline, caller_retries: said.attempt > 0, attempt: said.attempt };
    limit
}

/// Bounds work by a timeout, if there is one; `None` when it was exceeded. The work is pinned by the caller,
/// because the future of this function would otherwise have room for it more than once.
async fn within<T>(limit: Option<Duration>, work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    }
}
