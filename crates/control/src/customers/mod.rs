//! How customers reach proxies: rows become buckets, buckets become messages, revocations first.
//!
//! Nothing is held in memory for it. What changed says which buckets it touched; a bucket is read from the
//! store when it
//! is about to be sent, so it is never older than what made us send it. A proxy that says how far it is gets the
//! difference; one that is too far behind gets everything anew.

mod buckets;
mod follower;

pub use buckets::id as subscription_number;
pub use follower::{Follower, Piece};

#[cfg(test)]
mod tests;
