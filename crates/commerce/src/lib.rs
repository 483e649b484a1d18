//! What is sold and counted, as pure functions and state machines.
//!
//! Nothing in here has a socket, a file or a clock: moments are handed in, and what two machines tell each other is
//! the answer of a function. So every promise about limits can be shown by a test that invents the schedule.

pub mod period;
pub mod quota;
pub mod rate;
pub mod shares;
pub mod usage;
