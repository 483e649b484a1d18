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
        may_report(peer, &report)?;
        let name: Arc<str> = report.proxy.as_str().into();
        let taken = hub.proxies.report(&peer.name, report, Instant::now());
        taken.map_err(|refused| Status::failed_precondition(refused.to_string()))?;
        if proxy.is_none() {
            hub.taps.reaches(&name, outgoing);
            *proxy = Some(name);
        }
    }
}

/// Who speaks for a workload decides whether it is called, and who has a proxy's name is sent the orders to show what
/// passes it. So a sidecar has the name of its workload, and nobody else has one with a slash.
fn may_report(peer: &Peer, report: &Report) -> Result<(), Status> {
    let serves = Interest::of_names(&report.serves);
    if !peer.may(&serves) {
        return Err(Status::permission_denied(format!("{} may not report for `{serves}`", peer.name)));
    }
    let is_its_own = match &peer.may_serve {
        Interest::Workload(own) => **own == *report.proxy,
        Interest::All | Interest::Gateways(_) => match &serves {
            Interest::Workload(workload) => **workload == *report.proxy,
            Interest::All | Interest::Gateways(_) => !report.proxy.contains('/'),
        },
    };
    match is_its_own {
        true => Ok(()),
        false => Err(Status::permission_denied(format!(
            "{} may not report as `{}`: a sidecar is called like its workload, `namespace/name`, and a gateway has no \
             slash in its name",
            peer.name, report.proxy
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(may_serve: Interest) -> Peer {
        Peer { name: "somebody".into(), may_serve }
    }

    fn reports(peer: &Peer, proxy: &str, serves: &Interest) -> bool {
        let report = Report { proxy: proxy.to_owned(), serves: serves.names(), ..Report::default() };
        may_report(peer, &report).is_ok()
    }

    #[test]
    fn nobody_reports_under_the_name_of_a_sidecar_but_that_sidecar() {
        let workload = |name: &str| Interest::Workload(name.into());
        let gateways = Interest::Gateways(["shop/edge".into()].into());
        let (cart, edge, all) = (peer(workload("shop/cart-1")), peer(gateways.clone()), peer(Interest::All));

        assert!(reports(&cart, "shop/cart-1", &workload("shop/cart-1")));
        for (proxy, serves) in [
            ("shop/vault-1", workload("shop/cart-1")),
            ("shop/cart-1", workload("shop/vault-1")),
            ("shop/vault-1", workload("shop/vault-1")),
            ("edge-1", gateways.clone()),
            ("edge-1", Interest::All),
        ] {
            assert!(!reports(&cart, proxy, &serves), "{proxy} for {serves}");
        }
        assert!(reports(&edge, "edge-1", &gateways) && reports(&all, "edge-1", &gateways));
        assert!(!reports(&edge, "shop/cart-1", &gateways) && !reports(&all, "shop/cart-1", &Interest::All));
        assert!(!reports(&edge, "edge-1", &Interest::All));
    }
}
