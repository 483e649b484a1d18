//! From a control plane's objects, or a compiled config, to what workers run on.

mod cache;
mod connect;
mod denied;
mod following;
mod prepare;
mod progress;
mod replica;
mod report;
mod subscribe;
mod tapped;
mod turns;

pub use connect::{ControlAddress, Wire};
pub use prepare::{Prepared, Preparer};
pub use progress::{Progress, State as ProgressState};
pub use replica::{Replica, Taken};
pub use report::{CallerCount, RouteCount};
pub use subscribe::{Event, OnStream, SubscribeOptions, Subscription, Tell};
