//! What gateways ask of quotas.

use std::sync::Arc;

use discovery::quotas::{QuotasRequest, QuotasResponse};
use tonic::{Request, Status};

use super::Hub;
use crate::quotas::QuotaError;

/// Answers one call.
pub(super) async fn ask(hub: Arc<Hub>, request: Request<QuotasRequest>) -> Result<QuotasResponse, Status> {
    let (peer, _) = super::admitted(&request, &request.get_ref().serves)?;
    let asked = request.into_inner();
    // In a task of its own, because it may be answering for others when this call is given up.
    let answered = tokio::spawn(async move { hub.quotas.answer(&peer.name, &asked).await }).await;
    match answered {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(QuotaError::Malformed(why))) => Err(Status::invalid_argument(why)),
        // The words of a store may name files and hosts, so they are not passed on.
        Ok(Err(QuotaError::Store(_))) | Err(_) => {
            Err(Status::unavailable("the quotas cannot be read or written now"))
        }
    }
}
