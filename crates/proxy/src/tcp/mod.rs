//! The path of a connection that carries bytes: a backend by weight, an endpoint, then a tunnel until both sides have
//! ended.
//!
//! Nothing is read before the upstream is connected, so it may speak first. Whoever cannot be served is reset: an
//! orderly end could be taken for an empty answer.

mod permit;
pub mod postgres;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use engine::config::{Target, TcpAction, TcpRule};

use crate::exchange::Peer;
use crate::failure::Failure;
use crate::io::Io;
use crate::relay::{self, Bounds, End, Relay};
use crate::session::Session;
use crate::state::clusters::ClusterState;
use crate::state::ports::PortState;
use crate::upstream::{Held, draw, reach};
use crate::worker::Worker;

/// Serves one connection until it is over.
pub async fn serve(mut client: Io, peer: Peer, rule: Arc<TcpRule>, worker: Rc<Worker>, port: Rc<PortState>) {
    let mut session = Session::new(worker, port.pin().port(), rule, peer);
    let outcome = carry(&mut session, &mut client, &port).await;
    session.outcome = Some(outcome);
    if outcome.is_err() {
        relay::reset(&client);
    }
}

async fn carry(session: &mut Session, client: &mut Io, port: &PortState) -> Result<(), Failure> {
    let cluster = choose(session)?;
    permit::permit(session, port)?;
    let (_held, mut upstream) = connect(session, &cluster).await?;
    drop(cluster); // A tunnel may last for days; it must not keep what a change has retired.
    let tcp = session.settings.tcp;
    let bounds = Bounds {
        idle: tcp.idle_timeout,
        stall: std::time::Duration::ZERO,
        lifetime: tcp.lifetime,
        drain: session.worker.drain,
    };
    let mut relay = Relay::new(&session.worker.deadlines, bounds, None, None);
    let worker = session.worker.clone();
    let open = worker.open.request();
    let session = std::cell::RefCell::new(session);
    let progress = |relay: &Relay| session.borrow_mut().moved(relay.to_upstream(), relay.to_client());
    let revoked = |cx: &Context<'_>| match open.is_told(cx) && permit::is_revoked(&session.borrow(), port) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    };
    match relay.run(client, &mut upstream, port, progress, revoked).await {
        End::Closed => Ok(()),
        End::ClientBroke => Err(Failure::ClientClosed),
        End::UpstreamBroke => Err(Failure::UpstreamReset),
        End::Idle => Err(Failure::ConnectionIdle),
        End::Stalled => Err(Failure::ConnectionStalled),
        End::Lifetime => Err(Failure::ConnectionExpired),
        End::Drained => Err(Failure::Drained),
        End::Revoked => Err(Failure::DeniedByPolicy),
    }
}

/// The destination of a connection.
fn choose(session: &Session) -> Result<Rc<ClusterState>, Failure> {
    let backends = match &session.rule.action {
        TcpAction::Forward(backends) => backends,
        TcpAction::Refuse { reason: "no_route" } => return Err(Failure::NoRoute),
        TcpAction::Refuse { .. } => return Err(Failure::RouteRefused),
    };
    let backend = draw(backends, &session.worker.random).ok_or(Failure::BackendInvalid)?;
    let slot = match &backend.target {
        Target::Cluster(slot) => *slot,
        Target::Redirect(_) | Target::Invalid { .. } => return Err(Failure::BackendInvalid),
    };
    let cluster = session.worker.clusters.get(slot).ok_or(Failure::BackendInvalid)?;
    if cluster.cluster.refuse.is_some() {
        return Err(Failure::BackendTlsInvalid);
    }
    Ok(cluster)
}

/// Connects to an endpoint, within the time that all attempts have together.
async fn connect(session: &mut Session, cluster: &ClusterState) -> Result<(Held, Io), Failure> {
    let worker = session.worker.clone();
    let limit = session.settings.tcp.connect_timeout;
    let reaching = reach(&worker, cluster, |endpoint| {
        session.attempts += 1;
        session.upstream = Some(endpoint.address);
        session.calls(endpoint);
    });
    if limit.is_zero() {
        return reaching.await; // Each attempt has a bound of its own all the same.
    }
    tokio::time::timeout(limit, reaching).await.unwrap_or(Err(Failure::ConnectTimeout))
}
