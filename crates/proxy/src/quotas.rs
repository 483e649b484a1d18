//! Borrows of quotas from the coordinator, over the connection that there is.
//!
//! One call at a time: whatever is wanted while it is under way travels in the next one, so that a coordinator that is
//! slow is asked less often and not more.

use std::sync::Arc;
use std::time::Duration;

use discovery::quotas::QUOTAS_PATH;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tonic::Status;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};

use crate::call::call;
use crate::clock::Clock;
use crate::config::Wire;
pub use crate::state::quotas::near::Near;
pub use crate::state::quotas::{Account, Charge, Quotas};

/// Time between two looks for what is to be told although nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a call that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest time for a coordinator to answer. Past it nobody can be asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Asks. It outlives connections.
#[derive(Clone)]
pub(crate) struct Borrowing {
    quotas: Arc<Quotas>,
    clock: Clock,
    node: String,
    serves: Vec<String>,
}

/// Nobody can be asked any more, however a connection ends.
struct Connected<'q>(&'q Quotas);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.cannot_ask();
    }
}

/// A connection, and what is shown on it.
struct Line {
    caller: Grpc<Wire>,
    bearer: Option<MetadataValue<Ascii>>,
}

impl Borrowing {
    /// For the accounts of a proxy.
    pub fn new(quotas: Arc<Quotas>, clock: Clock, (node, serves): (String, Vec<String>)) -> Borrowing {
        // Whoever comes before the first connection may wait for it.
        quotas.can_ask();
        Borrowing { quotas, clock, node, serves }
    }

    /// The accounts.
    pub fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// Asks for as long as it is polled: as long as the connection lasts.
    pub async fn run(self, caller: Grpc<Wire>, bearer: Option<MetadataValue<Ascii>>) {
        let mut queue = self.quotas.queue().await;
        let _connected = Connected(&self.quotas);
        self.quotas.can_ask();
        let mut line = Line { caller, bearer };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accounts = tokio::select! {
                biased;
                () = self.quotas.leaving() => break,
                _ = looks.tick() => {
                    let mut due = self.quotas.due(self.now());
                    due.extend(queue.now());
                    due
                }
                accounts = queue.next() => accounts,
            };
            self.ask(&mut line, &accounts).await;
        }
        let accounts = self.quotas.give_back();
        self.ask(&mut line, &accounts).await;
        self.quotas.has_left();
    }

    async fn ask(&self, line: &mut Line, accounts: &[Arc<Account>]) {
        for some in accounts.chunks(discovery::limits::QUOTAS_ASKED_MAX) {
            let question = self.quotas.question(some, &self.node, &self.serves);
            let called = call(&mut line.caller, line.bearer.as_ref(), QUOTAS_PATH, question.clone());
            let called = timeout(ANSWER_WITHIN, called).await;
            match called.unwrap_or_else(|_| Err(Status::deadline_exceeded("it did not answer in time"))) {
                Ok(response) => self.quotas.answered(some, &question, &response, self.now()),
                // An older control plane that lends nothing is like one that is away.
                Err(_) => {
                    self.quotas.cannot_ask();
                    return sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    fn now(&self) -> i64 {
        self.clock.wall_seconds()
    }
}
