//! The stream of customers of one proxy. It begins to tell when the proxy asks callers for credentials that customers
//! have; until then it is silent, so that nobody holds what it has no use for.

use std::sync::Arc;

use discovery::Interest;
use discovery::customers::{CustomersRequest, CustomersResponse};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::{Hub, PATIENCE};
use crate::customers::{Follower, Piece};
use crate::store::{Store, StoreError};

/// Messages that wait for the connection. One: what is not read yet can still be made of something newer.
const RESPONSES_WAITING_MAX: usize = 1;

/// Customers, for as long as somebody reads them.
pub(super) async fn follow(
    hub: Arc<Hub>,
    request: Request<CustomersRequest>,
) -> Result<ReceiverStream<Result<CustomersResponse, Status>>, Status> {
    let (_, serves) = super::admitted(&request, &request.get_ref().serves)?;
    let asked = request.into_inner();
    let (outgoing, responses) = mpsc::channel(RESPONSES_WAITING_MAX);
    tokio::spawn(async move {
        tokio::select! {
            told = tell(&hub, &serves, asked, &outgoing) => if let Err(status) = told {
                // Nobody may be there any more to read it.
                let _ = outgoing.send(Err(status)).await;
            },
            () = outgoing.closed() => {}
        }
    });
    Ok(ReceiverStream::new(responses))
}

async fn tell(
    hub: &Hub,
    serves: &Interest,
    asked: CustomersRequest,
    outgoing: &mpsc::Sender<Result<CustomersResponse, Status>>,
) -> Result<(), Status> {
    let mut view = hub.views.join(serves);
    loop {
        let current = view.view().borrow_and_update().clone();
        if hub.views.asks_callers(serves, &current) {
            break;
        }
        if view.view().changed().await.is_err() {
            return Ok(());
        }
    }
    let store: Arc<dyn Store> = hub.views.store();
    let mut follower = Follower::new(store, asked.epoch, &asked.store).await.map_err(unavailable)?;
    loop {
        match follower.next().await.map_err(unavailable)? {
            Piece::Message(message) => match timeout(PATIENCE, outgoing.send(Ok(message))).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return Ok(()),
                Err(_) => return Err(Status::deadline_exceeded("the proxy takes nothing")),
            },
            Piece::Nothing => follower.wait().await.map_err(unavailable)?,
        }
    }
}

/// The words of a store may name files and hosts, so they are not passed on.
fn unavailable(_: StoreError) -> Status {
    Status::unavailable("the customers cannot be read now")
}
