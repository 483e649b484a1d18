//! Who was lent how much of a quota: the coordinator.
//!
//! Gateways spend what they were lent without asking anybody; here is what makes sure that all of it together is never
//! more than the quota. The rules are those of [`commerce::quota`]; in here are rows, versions and time. An answer is
//! given when what it grants is durable, so a control plane that dies grants nothing twice. Every control plane of a
//! store may grant: the version of a row decides between two that do it at once.

mod books;
mod ledger;
mod terms;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use commerce::quota::Holder;
use discovery::limits::QUOTAS_ASKED_MAX;
use discovery::quotas::{QuotaAnswer, QuotasRequest, QuotasResponse};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::store::quotas::QuotaRows;
use crate::store::{Store, StoreError};
use crate::world::World;
use ledger::{Ask, Ledger};

pub use books::Standing;

/// Why nothing was granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// What was asked cannot be understood.
    #[error("{0}")]
    Malformed(&'static str),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lends parts of quotas to gateways.
#[derive(Debug)]
pub struct Coordinator {
    world: Arc<World>,
    clock: Clock,
    /// Calls that wait to be answered together: making one grant durable costs what making a hundred costs.
    waiting: Mutex<Vec<Waiting>>,
    ledger: tokio::sync::Mutex<Ledger>,
}

#[derive(Debug)]
struct Waiting {
    asks: Vec<Option<Ask>>,
    reply: oneshot::Sender<Result<Vec<QuotaAnswer>, QuotaError>>,
}

impl Coordinator {
    /// A coordinator of the quotas of all plans.
    #[must_use]
    pub fn new(world: Arc<World>, clock: Clock) -> Coordinator {
        Coordinator { world, clock, waiting: Mutex::default(), ledger: tokio::sync::Mutex::default() }
    }

    /// Hears what a gateway tells of its quotas, and lends it what it may have. `peer` is who it has proven to be.
    ///
    /// Whoever calls it from a task that may be ended has it run in another one: it may be answering for others.
    ///
    /// # Errors
    /// Nothing is known of what became of it when the store failed; the same call may be made again.
    pub async fn answer(&self, peer: &str, request: &QuotasRequest) -> Result<QuotasResponse, QuotaError> {
        let asks = self.read(peer, request)?;
        let (reply, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { asks, reply });
        let mut ledger = self.ledger.lock().await;
        let together = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if !together.is_empty() {
            self.answer_all(&mut ledger, together).await;
        }
        drop(ledger);
        let lost = |_| StoreError::Unavailable("whoever answered for it was ended".to_owned());
        Ok(QuotasResponse { answers: answered.await.map_err(lost)?? })
    }

    async fn answer_all(&self, ledger: &mut Ledger, together: Vec<Waiting>) {
        let asks: Vec<&Ask> = together.iter().flat_map(|waiting| waiting.asks.iter().flatten()).collect();
        let answered = match self.rows() {
            Ok(rows) => ledger.answer(rows, &asks, self.clock.seconds()).await.map_err(QuotaError::from),
            Err(error) => Err(error),
        };
        let mut answers = answered.as_ref().map(|answers| answers.iter().cloned()).map_err(Clone::clone);
        for Waiting { asks, reply } in together {
            let own = match &mut answers {
                Ok(answers) => Ok(asks.iter().map(|ask| told(ask.as_ref(), answers)).collect()),
                Err(error) => Err(error.clone()),
            };
            // Whoever asked may have gone; what was lent to it is told when it asks again.
            let _ = reply.send(own);
        }
    }

    /// What is asked, with the terms of the plans; `None` for quotas that there are not.
    fn read(&self, peer: &str, request: &QuotasRequest) -> Result<Vec<Option<Ask>>, QuotaError> {
        if request.asks.len() > QUOTAS_ASKED_MAX {
            return Err(QuotaError::Malformed("a call is about more quotas than one may be"));
        }
        let node: Arc<str> = format!("{peer}/{}", request.node).into();
        let boot = number(&request.boot).ok_or(QuotaError::Malformed("a start of a proxy has 16 bytes"))?;
        let holder = Holder { node, boot };
        let (moment, now) = (self.world.now(), self.clock.seconds());
        let read = |ask| terms::read(&moment.resources, &holder, ask, now);
        Ok(request.asks.iter().map(read).collect())
    }

    fn rows(&self) -> Result<&dyn QuotaRows, QuotaError> {
        Ok(rows(&**self.world.store())?)
    }
}

/// What is left of the quotas of a subscription, the newest periods first.
///
/// # Errors
/// The store's.
pub async fn standings(store: &dyn Store, subscription: [u8; 16]) -> Result<Vec<Standing>, StoreError> {
    rows(store)?.quotas_of(subscription).await?.iter().map(Standing::of).collect()
}

fn rows(store: &dyn Store) -> Result<&dyn QuotaRows, StoreError> {
    store.quotas().ok_or_else(|| StoreError::Broken("it keeps no quotas".to_owned()))
}

fn told(ask: Option<&Ask>, answers: &mut impl Iterator<Item = QuotaAnswer>) -> QuotaAnswer {
    ask.and_then(|_| answers.next()).unwrap_or_default()
}

/// The number of a start.
fn number(bytes: &[u8]) -> Option<u128> {
    Some(u128::from_be_bytes(bytes.try_into().ok()?))
}
