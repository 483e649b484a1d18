//! What was used, from the counters to the ledger: what to tell, when it may be forgotten, and the calls that do it.
//!
//! Nothing waits for it, and nothing is lost while the ledger is away: counters stay where they are until it has
//! acknowledged them.

mod behind;
mod outbox;
mod ship;

pub(crate) use ship::Shipping;

#[cfg(test)]
mod tests;
