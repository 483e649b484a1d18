//! Proxies that follow a control plane and serve nothing: what three hundred of them cost a control plane.
//!
//! The stream is the real one, TLS and HTTP/2 included, and so is the proxy's end of it; only compiling and applying
//! are left out, which happen on as many machines as there are proxies.

use std::sync::Arc;
use std::time::Duration;

use discovery::client::{Held, Session};
use discovery::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, STREAM_PATH};
use discovery::{Interest, TypeName};
use proxy::{ControlAddress, Replica};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// What one simulated proxy can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The epoch it has.
    pub epoch: u64,
    /// Objects it has.
    pub objects: usize,
    /// Objects that were sent to it, over all its connections.
    pub received: usize,
    /// Times it was told to come again.
    pub sent_away: usize,
}

/// A simulated proxy. Dropping it ends it.
pub struct Simulated {
    seen: watch::Receiver<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Simulated {
    /// Starts one, which connects again whenever it is sent away.
    #[must_use]
    pub fn start(
        name: &str,
        control: ControlAddress,
        token: discovery::TokenFile,
        serve: Interest,
    ) -> Simulated {
        let (tell, seen) = watch::channel(Seen::default());
        let node = Node { id: name.to_owned(), ..Node::default() };
        let session = Session::new(node, serve, Replica::types(), Held::new(), 0);
        let tls = identity::pinned::client_config(token.authority);
        let task = tokio::spawn(Ends { session, control, token, tls, tell }.follow());
        Simulated { seen, task }
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Waits until it has this epoch, or a later one.
    ///
    /// # Panics
    /// When its task ended.
    pub async fn reaches(&mut self, epoch: u64) {
        self.seen.wait_for(|seen| seen.epoch >= epoch).await.expect("it follows for ever");
    }
}

struct Ends {
    session: Session,
    control: ControlAddress,
    token: discovery::TokenFile,
    tls: Arc<rustls::ClientConfig>,
    tell: watch::Sender<Seen>,
}

impl Ends {
    async fn follow(mut self) {
        loop {
            let after = match self.connection().await {
                Err(status) => {
                    let after = status.metadata().get("retry-after-ms");
                    let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
                    self.tell.send_modify(|seen| seen.sent_away += usize::from(after.is_some()));
                    after.unwrap_or(100)
                }
                Ok(()) => 100,
            };
            tokio::time::sleep(Duration::from_millis(after)).await;
        }
    }

    async fn connection(&mut self) -> Result<(), Status> {
        let (answers, mut responses) = self.open().await?;
        while let Some(response) = responses.message().await? {
            let is_marker = response.type_url.ends_with(TypeName::EPOCH);
            let received = if is_marker { 0 } else { response.resources.len() };
            self.tell.send_modify(|seen| seen.received += received);
            let update =
                self.session.receive(response).map_err(|broken| Status::internal(broken.to_string()))?;
            if update.is_none() {
                continue;
            }
            for answer in self.session.applied(&[]) {
                let sent = answers.send(answer).await;
                sent.map_err(|_| Status::unavailable("the stream has ended"))?;
            }
            let (epoch, objects) = (self.session.epoch(), self.session.held().len());
            self.tell.send_modify(|seen| (seen.epoch, seen.objects) = (epoch, objects));
        }
        Ok(())
    }

    async fn open(
        &mut self,
    ) -> Result<(mpsc::Sender<DeltaDiscoveryRequest>, Streaming<DeltaDiscoveryResponse>), Status> {
        let unavailable = |error: String| Status::unavailable(error);
        let wire = self.control.connect(&self.tls).await.map_err(|error| unavailable(error.to_string()))?;
        let first = self.session.open();
        let (answers, requests) = mpsc::channel(first.len());
        for request in first {
            answers.try_send(request).map_err(|_| unavailable("no room".to_owned()))?;
        }
        let mut request = Request::new(ReceiverStream::new(requests));
        let bearer = format!("Bearer {}", self.token.token).parse();
        request
            .metadata_mut()
            .insert("authorization", bearer.map_err(|_| unavailable("no token".to_owned()))?);
        let mut caller = self.control.caller(wire);
        caller.ready().await.map_err(|error| unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(STREAM_PATH);
        Ok((answers, caller.streaming(request, path, ProstCodec::default()).await?.into_inner()))
    }
}
