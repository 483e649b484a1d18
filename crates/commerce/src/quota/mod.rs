//! Quotas that are exact over many gateways, without asking anybody for a single request.
//!
//! One coordinator holds what is left of a quota and lends parts of it, *leases*, to gateways, which spend them by
//! themselves. Nothing is ever lent twice, so however many gateways there are, whichever of them crash and whatever is
//! lost between them and the coordinator, never one request more is admitted than the quota says:
//! used + outstanding + remaining + held = quota, always.
//!
//! The two sides tell each other totals that only grow (lent, spent, given back), never differences. A message that is
//! lost, repeated or late therefore changes nothing.

mod lease;
mod pool;

pub use lease::{Lease, Take};
pub use pool::{Book, Holder, Pool, Told, Unbalanced, Written};

/// What a gateway does when it has spent its lease and the coordinator cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum WhenUnknown {
    /// Refuses. The quota is never exceeded.
    #[default]
    Closed,
    /// Admits up to a tenth of the quota more, on each gateway, and then refuses.
    OpenCapped,
    /// Admits. What was admitted is counted when the coordinator is back.
    Open,
}

impl WhenUnknown {
    /// How much a gateway may admit beyond what it was lent, of a quota.
    #[must_use]
    pub fn beyond(self, quota: u64) -> u64 {
        match self {
            WhenUnknown::Closed => 0,
            WhenUnknown::OpenCapped => quota / 10,
            WhenUnknown::Open => u64::MAX,
        }
    }
}
