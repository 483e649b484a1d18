//! What gateways tell of rates that they give together.

use std::sync::Arc;

use discovery::shares::{SharesRequest, SharesResponse};
use tokio::time::Instant;
use tonic::{Request, Status};

use super::Hub;

/// Answers one call.
pub(super) async fn tell(hub: Arc<Hub>, request: Request<SharesRequest>) -> Result<SharesResponse, Status> {
    let (peer, serves) = super::admitted(&request, &request.get_ref().serves)?;
    let told = request.into_inner();
    let shares = hub.shares.answer(&peer.name, &told);
    let shares = shares.map_err(|malformed| Status::invalid_argument(malformed.to_string()))?;
    let proxies = hub.proxies.serving(&serves, Instant::now()).max(1);
    Ok(SharesResponse { shares, proxies: u32::try_from(proxies).unwrap_or(u32::MAX) })
}
