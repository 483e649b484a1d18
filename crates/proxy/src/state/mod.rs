//! What outlives a change of configuration: connections, pools, counters, deadlines.
//!
//! All of it belongs to one worker, is indexed by the stable slots of the config, and is touched by its own
//! thread only; the metrics are the one thing another thread may read.

pub mod alarms;
pub mod breakers;
pub mod budget;
pub mod clusters;
pub mod counterparts;
pub mod deadlines;
pub mod health;
pub mod keys;
pub mod meters;
pub mod metrics;
pub mod open;
pub mod pairs;
pub mod parties;
pub mod ports;
pub mod quotas;
pub mod random;
pub mod verified;

/// What all workers share, counted by each for itself: pinning it for a request touches no memory that another worker
/// writes.
#[allow(clippy::redundant_allocation, reason = "the outer count is the worker's own")]
pub type Shared<T> = std::rc::Rc<std::sync::Arc<T>>;
