//! What gateways ask of quotas.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use discovery::Interest;
use discovery::quotas::{QuotasRequest, QuotasResponse};
use tonic::{Request, Response, Status};
use tower_service::Service;

use super::Hub;
use crate::quotas::QuotaError;

/// The service.
pub(super) struct Quotas {
    pub(super) hub: Arc<Hub>,
}

impl Service<Request<QuotasRequest>> for Quotas {
    type Response = Response<QuotasResponse>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<QuotasRequest>) -> Self::Future {
        let hub = self.hub.clone();
        Box::pin(async move {
            let peer = hub.peer(request.metadata(), request.extensions()).await?;
            let asked = request.into_inner();
            let serves = Interest::of_names(&asked.serves);
            if !peer.may(&serves) {
                return Err(Status::permission_denied(format!("`{}` may not serve {serves}", peer.name)));
            }
            // In a task of its own, because it may be answering for others when this call is given up.
            let answered = tokio::spawn(async move { hub.quotas.answer(&peer.name, &asked).await }).await;
            match answered {
                Ok(Ok(response)) => Ok(Response::new(response)),
                Ok(Err(QuotaError::Malformed(why))) => Err(Status::invalid_argument(why)),
                // The words of a store may name files and hosts, so they are not passed on.
                Ok(Err(QuotaError::Store(_))) | Err(_) => {
                    Err(Status::unavailable("the quotas cannot be read or written now"))
                }
            }
        })
    }
}
