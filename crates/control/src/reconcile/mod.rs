//! Work that goes on behind the API: comparing what is with what should be, and mending the difference.
//!
//! One file a loop. A loop takes no input and running it again is free; a signal wakes it for speed and a timer for
//! certainty, and neither tells it what to do. Only the leader runs them, and each write carries the proof.

pub mod customer_times;
pub mod driver;
pub mod ended_products;
pub mod garbage;
pub mod gateway_status;
pub mod namespaces;
mod running;
mod transitions;
pub mod usage_ages;
pub mod workloads;
mod write;

pub use driver::{Driver, Reconcile, Summary};
pub use running::{Loops, start};
pub use write::{Writer, deletion_waits_for};
