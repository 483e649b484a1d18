//! The call in which a proxy shows one watcher what passes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use discovery::taps::{Seen, Shown};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use super::{Hub, PATIENCE};

/// The service.
pub(super) struct Taps {
    pub(super) hub: Arc<Hub>,
}

impl Service<Request<Streaming<Shown>>> for Taps {
    type Response = Response<Seen>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Shown>>) -> Self::Future {
        let hub = self.hub.clone();
        Box::pin(async move {
            let peer = super::caller(&request)?;
            let mut incoming = request.into_inner();
            let silent = |_| Status::deadline_exceeded("nothing was shown");
            let first = timeout(PATIENCE, incoming.message()).await.map_err(silent)??;
            let nobody = || Status::not_found("nobody watches");
            let first = first.ok_or_else(nobody)?;
            let (proxy, watcher) = hub.taps.take(&first.id, &peer.name).ok_or_else(nobody)?;
            let mut next = Some(first);
            while let Some(shown) = next {
                if watcher.send((proxy.clone(), shown)).await.is_err() {
                    break;
                }
                next = tokio::select! {
                    message = incoming.message() => message?,
                    () = watcher.closed() => None,
                };
            }
            Ok(Response::new(Seen {}))
        })
    }
}
