//! Whether a Workload asks for calls, from what the proxy beside it says; and its end when nobody vouches for it.
//!
//! Two loops, because with a shared database the stream of a sidecar ends at one control plane and leadership may be at
//! another. [`Witness`] runs at each: it writes what the sidecars say that report here. [`Expiry`] runs at the leader:
//! it speaks about those of whom nobody has heard, which is what `lastSeen` is written for.
//!
//! Workloads that were written by hand are never deleted, and are left alone where nobody ever vouched for them.

mod expiry;
mod said;
#[cfg(test)]
mod tests;
mod witness;

use std::time::Duration;

pub use expiry::Expiry;
pub use witness::Witness;

/// How long a Workload counts as vouched for after its sidecar was last heard. Past it the Workload is not ready.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long a Workload that its sidecar registered is kept without being vouched for. Past it, it is deleted.
pub const EXPIRY: Duration = Duration::from_secs(600);
/// How often `lastSeen` is written anew where other control planes go by it: thrice in a lease, so that one write may
/// fail. More seldom, and the leader takes the living for silent.
pub const RENEW_SHARED: Duration = Duration::from_secs(LEASE.as_secs() / 3);
/// The same where the leader itself hears every sidecar. It is for people then, and for the time after a restart.
pub const RENEW_ALONE: Duration = Duration::from_secs(EXPIRY.as_secs() / 4);
/// How often the leader looks for leases that have run out; how late one may be found.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

const _: () = assert!(RENEW_SHARED.as_secs() * 2 < LEASE.as_secs());
const _: () = assert!(RENEW_ALONE.as_secs() * 2 < EXPIRY.as_secs());
