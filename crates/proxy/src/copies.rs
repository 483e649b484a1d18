//! Sends the copies that mirror filters asked for; nobody waits for what comes back.
//!
//! The body is copied while it passes, and the copies leave when the upstream has begun to answer and all of the
//! body is here: a mirror gets the whole request or nothing of it. It can therefore never slow, change or fail
//! the request it copies. What is too large to be kept is not copied, and counted.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use engine::config::Target;

use crate::exchange::{Concealed, Exchange, Request};
use crate::failure::Failure;
use crate::limits::{MIRROR_BODY_BYTES_MAX, MIRROR_SECONDS, MIRRORS_IN_FLIGHT_MAX};
use crate::message::{Framing, ResponseHead};
use crate::state::clusters::ClusterState;
use crate::stream::{Copy, Next, Source, Transfer, Whole};
use crate::upstream::{Upstream, Wish, acquire};

thread_local! {
    static IN_FLIGHT: Cell<usize> = const { Cell::new(0) };
}

/// Room for a copy of the body, if the request is to be copied.
#[must_use]
pub fn prepare(exchange: &Exchange<'_>) -> Option<Box<Copy>> {
    if exchange.mirrors.is_empty() {
        return None;
    }
    if let Some(body) = &exchange.body {
        return Some(Box::new(body.copy(MIRROR_BODY_BYTES_MAX)));
    }
    let bodiless = exchange.request.head.framing == Framing::None;
    Some(Box::new(Copy::bounded(MIRROR_BODY_BYTES_MAX, bodiless)))
}

/// Sends the copies that were noted.
pub fn send(exchange: &mut Exchange<'_>, copy: Copy) {
    let whole = copy.into_whole();
    for rules in std::mem::take(&mut exchange.mirrors) {
        let Target::Cluster(slot) = rules.target else { continue };
        let Some(cluster) = exchange.worker.clusters.get(slot) else { continue };
        match &whole {
            Some(whole) if IN_FLIGHT.get() < MIRRORS_IN_FLIGHT_MAX => {
                exchange.worker.metrics.mirrored.add(1);
                spawn(exchange, cluster, whole.clone());
            }
            Some(_) | None => exchange.worker.metrics.mirrors_skipped.add(1),
        }
    }
}

struct InFlight;

impl InFlight {
    fn begin() -> InFlight {
        IN_FLIGHT.set(IN_FLIGHT.get() + 1);
        InFlight
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.set(IN_FLIGHT.get() - 1);
    }
}

/// The copy is a request of its own with the same rule and the same edits; it is not counted as traffic.
fn spawn(exchange: &Exchange<'_>, cluster: Rc<ClusterState>, body: Whole) {
    let (worker, port, pinned) = (exchange.worker.clone(), exchange.port.clone(), exchange.pinned.clone());
    let peer = exchange.peer.clone();
    let request = exchange.request.clone();
    let edits = exchange.request_edits.map(|edits| edits.cloned());
    let rewrite = exchange.rewrite.cloned();
    let authentication = exchange.rule.and_then(|rule| rule.authentication.clone());
    let place = exchange.concealed.place.cloned();
    let keep = exchange.concealed.keep;
    let (body_length, onward) = (exchange.body_length, exchange.onward.clone());
    let (id, trace) = (exchange.request_id, exchange.trace.of_copy());
    tokio::task::spawn_local(async move {
        let _counted = InFlight::begin();
        let open = worker.open.request();
        let mut copy = Exchange::new(&worker, &port, &pinned, &peer, &open, request);
        copy.is_copy = true;
        copy.request_id = id;
        copy.trace = trace;
        copy.request_edits = [edits[0].as_ref(), edits[1].as_ref()];
        copy.rewrite = rewrite.as_ref();
        copy.body_length = body_length;
        copy.onward = onward;
        // Nobody is told by a copy what the backend is not. Claims are told to backends only.
        let reserved = authentication.as_deref().map_or(&[][..], |asked| &asked.reserved);
        copy.concealed = Concealed { reserved, place: place.as_ref(), keep, told: &[] };
        let limit = Duration::from_secs(u64::from(MIRROR_SECONDS));
        // Whatever becomes of a copy concerns nobody.
        let _ = tokio::time::timeout(limit, carry(&mut copy, &cluster, body)).await;
    });
}

async fn carry(copy: &mut Exchange<'_>, cluster: &Rc<ClusterState>, body: Whole) -> Result<(), Failure> {
    let (in_flight, mut upstream) =
        acquire(copy, cluster, Wish::default()).await.map_err(|unreached| unreached.failure)?;
    upstream.begin(copy, cluster)?;
    let mut upload = match copy.request.head.framing {
        Framing::None => Transfer::ended(),
        Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Transfer::default(),
    };
    let mut source = Some(body);
    let mut head = ResponseHead::default();
    let method = copy.onward().method;
    let mut received = poll_fn(|cx| {
        if let Poll::Ready(Err(failure)) = upload.poll(cx, &mut source, &mut upstream) {
            return Poll::Ready(Err(failure));
        }
        upstream.poll_response(cx, &mut head, method)
    })
    .await?;
    received.start += head.head_bytes;
    let form = upstream.takes();
    upstream.begin_reading(head.framing, form, received);
    let discarded = discard(&mut upstream).await;
    let clean =
        discarded.is_ok() && head.persistent && upload.is_done() && head.framing != Framing::UntilClose;
    upstream.finish(in_flight.endpoint(), clean);
    discarded
}

async fn discard(upstream: &mut Upstream) -> Result<(), Failure> {
    loop {
        match poll_fn(|cx| upstream.poll_piece(cx)).await? {
            Next::Piece(_) => {}
            Next::Last(_) | Next::End(_) => return Ok(()),
        }
    }
}

/// What a copy needs of the request it copies.
impl Clone for Request {
    fn clone(&self) -> Request {
        let mut text = crate::buffer::Text::new();
        text.extend_from_slice(&self.text);
        Request { head: self.head.clone(), text, started: self.started, head_bytes: self.head_bytes }
    }
}
