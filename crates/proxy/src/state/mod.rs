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
pub mod metrics;
pub mod open;
pub mod ports;
pub mod random;
pub mod sources;
pub mod verified;
