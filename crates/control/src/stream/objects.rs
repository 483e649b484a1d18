//! The stream of objects of one proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use discovery::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use discovery::server::{Event, Session};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use super::admission::{Full, Turn};
use super::authenticate::{Peer, Refused};
use super::{Hub, PATIENCE, RETRY_AFTER};

/// Messages that wait for the connection. One: what is not sent yet can still be replaced by something newer.
const RESPONSES_WAITING_MAX: usize = 1;

type Outgoing = mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>;

/// The service.
pub(super) struct Objects {
    pub(super) hub: Arc<Hub>,
}

impl Service<Request<Streaming<DeltaDiscoveryRequest>>> for Objects {
    type Response = Response<ReceiverStream<Result<DeltaDiscoveryResponse, Status>>>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        let hub = self.hub.clone();
        Box::pin(async move {
            let peer = super::caller(&request)?;
            let turn = hub.admission.enter().await.map_err(come_again)?;
            let (outgoing, responses) = mpsc::channel(RESPONSES_WAITING_MAX);
            let stream =
                Stream { hub, peer, session: Session::new(), incoming: request.into_inner(), outgoing };
            tokio::spawn(stream.carry(turn));
            Ok(Response::new(ReceiverStream::new(responses)))
        })
    }
}

fn come_again(full: Full) -> Status {
    let mut status = Status::unavailable("many proxies are connecting; come again");
    if let Ok(after) = full.after.as_millis().to_string().parse() {
        status.metadata_mut().insert(RETRY_AFTER, after);
    }
    status
}

struct Stream {
    hub: Arc<Hub>,
    peer: Peer,
    session: Session,
    incoming: Streaming<DeltaDiscoveryRequest>,
    outgoing: Outgoing,
}

impl Stream {
    async fn carry(mut self, turn: Turn) {
        if let Err(status) = self.run(turn).await {
            // Nobody may be there any more to read it.
            let _ = self.outgoing.send(Err(status)).await;
        }
    }

    /// Returns when the proxy has gone.
    async fn run(&mut self, turn: Turn) -> Result<(), Status> {
        let joined_by = Instant::now() + PATIENCE;
        let Some(interest) = timeout_at(joined_by, self.joined()).await.map_err(|_| late())?? else {
            return Ok(());
        };
        if !self.peer.may(&interest) {
            return Err(Status::permission_denied(format!("`{}` may not serve {interest}", self.peer.name)));
        }
        let hub = self.hub.clone();
        let mut follower = hub.views.join(&interest);
        let mut turn = Some(turn);
        loop {
            let newest = follower.view().borrow_and_update().clone();
            // The name may have become that of somebody else's workload since the stream began.
            if !hub.authenticate.is_still(&self.peer) {
                return Err(Status::permission_denied(
                    Refused::Account(interest.to_string().into()).to_string(),
                ));
            }
            self.session.offer(newest);
            self.send().await?;
            tokio::select! {
                message = self.incoming.message() => match message? {
                    None => return Ok(()),
                    Some(request) => {
                        if self.session.receive(request).map_err(broken)?.is_some() {
                            // It has what it joined for: the next one's turn.
                            turn = None;
                        }
                    }
                },
                changed = follower.view().changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep_until(joined_by), if turn.is_some() => return Err(late()),
            }
        }
    }

    /// Reads what a proxy says at the beginning; `None` when it went away.
    async fn joined(&mut self) -> Result<Option<discovery::Interest>, Status> {
        while let Some(request) = self.incoming.message().await? {
            match self.session.receive(request).map_err(broken)? {
                Some(Event::Joined { node: _, interest, epoch: _ }) => return Ok(Some(interest)),
                Some(Event::Applied { .. }) | None => {}
            }
        }
        Ok(None)
    }

    async fn send(&mut self) -> Result<(), Status> {
        while let Some(response) = self.session.send() {
            match timeout(PATIENCE, self.outgoing.send(Ok(response))).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return Err(Status::cancelled("the proxy has gone")),
                Err(_) => return Err(late()),
            }
        }
        Ok(())
    }
}

fn late() -> Status {
    Status::deadline_exceeded("the proxy takes nothing")
}

fn broken(problem: discovery::server::Broken) -> Status {
    Status::invalid_argument(problem.to_string())
}
