//! The stream of reports of one proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use discovery::Interest;
use discovery::limits::LEASE;
use discovery::reports::{Lease, Report};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use super::{Hub, Peer};
use crate::taps::Orders;

/// Messages that wait for the connection: the lease, and a few who want to watch.
const MESSAGES_WAITING_MAX: usize = 4;

/// The service.
pub(super) struct Reports {
    pub(super) hub: Arc<Hub>,
}

impl Service<Request<Streaming<Report>>> for Reports {
    type Response = Response<ReceiverStream<Result<Lease, Status>>>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Report>>) -> Self::Future {
        let hub = self.hub.clone();
        Box::pin(async move {
            let peer = super::caller(&request)?;
            let (outgoing, answers) = mpsc::channel(MESSAGES_WAITING_MAX);
            let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
            let lease = Lease { lease_ms, tap: None };
            // The channel has room for this first message.
            let _ = outgoing.try_send(Ok(lease));
            tokio::spawn(async move {
                if let Err(status) = listen(&hub, &peer, request.into_inner(), &outgoing).await {
                    // Nobody may be there any more to read it.
                    let _ = outgoing.send(Err(status)).await;
                }
            });
            Ok(Response::new(ReceiverStream::new(answers)))
        })
    }
}

/// Takes reports in until the proxy goes or is silent for longer than its lease. Meanwhile it can be watched.
async fn listen(
    hub: &Hub,
    peer: &Peer,
    incoming: Streaming<Report>,
    outgoing: &Orders,
) -> Result<(), Status> {
    let mut proxy = None;
    let ended = take_in(hub, peer, incoming, outgoing, &mut proxy).await;
    if let Some(proxy) = proxy {
        hub.taps.lost(&proxy, outgoing);
    }
    ended
}

/// `proxy` is who reports, as soon as that is known.
async fn take_in(
    hub: &Hub,
    peer: &Peer,
    mut incoming: Streaming<Report>,
    outgoing: &Orders,
    proxy: &mut Option<Arc<str>>,
) -> Result<(), Status> {
    loop {
        let silent = |_| Status::deadline_exceeded("no report came within the lease");
        let Some(report) = timeout(LEASE, incoming.message()).await.map_err(silent)?? else { return Ok(()) };
        let serves = Interest::of_names(&report.serves);
        // Who speaks for a workload decides whether it is called.
        if matches!(serves, Interest::Workload(_)) && !peer.may(&serves) {
            return Err(Status::permission_denied(format!("{} may not report for `{serves}`", peer.name)));
        }
        let name: Arc<str> = report.proxy.as_str().into();
        let taken = hub.proxies.report(&peer.name, report, Instant::now());
        taken.map_err(|refused| Status::failed_precondition(refused.to_string()))?;
        if proxy.is_none() {
            hub.taps.reaches(&name, outgoing);
            *proxy = Some(name);
        }
    }
}
