//! Tells how often callers ask whose rates several gateways give together, over the connection that there is, and notes
//! which share of each is this one's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::shares::{SHARES_PATH, SharesRequest, SharesResponse};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Code;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};

use crate::call::call;
use crate::clock::Clock;
use crate::config::Wire;
pub use crate::state::parties::shares::Told;
pub use crate::state::parties::{Parties, Party};

/// Time between two calls, while there is something to tell.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Longest time to wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Tells. It outlives connections.
#[derive(Clone)]
pub(crate) struct Sharing {
    parties: Arc<Parties>,
    clock: Clock,
    node: String,
    serves: Vec<String>,
    boot: Bytes,
}

impl Sharing {
    /// For the callers of a proxy.
    pub fn new(parties: Arc<Parties>, clock: Clock, (node, serves): (String, Vec<String>)) -> Sharing {
        let boot = Bytes::copy_from_slice(&identity::random());
        Sharing { parties, clock, node, serves, boot }
    }

    /// Tells for as long as it is polled: as long as the connection lasts.
    pub async fn run(self, mut caller: Grpc<Wire>, bearer: Option<MetadataValue<Ascii>>) {
        let mut looks = interval(TELL_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first call is made in any case: it says how many gateways there are.
        let mut is_first = true;
        loop {
            looks.tick().await;
            let told = self.parties.demands(self.clock.nanoseconds());
            if told.is_empty() && !is_first {
                continue;
            }
            let request = SharesRequest {
                node: self.node.clone(),
                boot: self.boot.clone(),
                serves: self.serves.clone(),
                demands: told.iter().map(|told| told.demand).collect(),
            };
            let called = call::<_, SharesResponse>(&mut caller, bearer.as_ref(), SHARES_PATH, request);
            match timeout(ANSWER_WITHIN, called).await {
                Ok(Ok(response)) => {
                    self.parties.is_answered(&told, &response, self.clock.nanoseconds());
                    is_first = false;
                }
                // An older control plane that deals nothing out; the next one may.
                Ok(Err(status)) if status.code() == Code::Unimplemented => return,
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}
