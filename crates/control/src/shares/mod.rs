//! Which share of a rate each gateway gives: who deals them out.
//!
//! Gateways tell every second how often they were asked, and are told what they may give; the rules are those of
//! [`commerce::shares`]. All of it is in memory: a control plane that begins anew knows within seconds, and gateways
//! go on with what they were told meanwhile.

mod exchange;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::shares::Board;
use discovery::limits::RATES_TOLD_MAX;
use discovery::shares::SharesRequest;
use tokio::time::Instant;

pub use exchange::Exchange;

/// Deals out shares of rates.
#[derive(Debug)]
pub struct Dealer {
    board: Mutex<Board>,
    begun: Instant,
}

/// What was told cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call is about at most {RATES_TOLD_MAX} rates, and a start of a proxy has 16 bytes")]
pub struct Malformed;

impl Default for Dealer {
    fn default() -> Dealer {
        Dealer { board: Mutex::default(), begun: Instant::now() }
    }
}

impl Dealer {
    /// Hears how often a gateway was asked, and says which shares it has, in the order of its demands. `peer` is who it
    /// has proven to be.
    ///
    /// # Errors
    /// The call cannot be understood.
    pub fn answer(&self, peer: &str, told: &SharesRequest) -> Result<Vec<u32>, Malformed> {
        let boot: [u8; 16] = told.boot.as_ref().try_into().map_err(|_| Malformed)?;
        if told.demands.len() > RATES_TOLD_MAX {
            return Err(Malformed);
        }
        let gateway: Arc<str> = format!("{peer}/{}/{:032x}", told.node, u128::from_be_bytes(boot)).into();
        let now = self.now();
        let mut board = self.board();
        Ok(told.demands.iter().map(|demand| board.hear(&gateway, demand.rate, demand.asked, now)).collect())
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing that runs under the lock panics half-way through a change.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
