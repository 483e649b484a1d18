//! The delta stream between control plane and proxy: messages and both ends as state machines without I/O.
//!
//! What travels are objects as users wrote them, one small message for one edited object; what a proxy makes of
//! them is its own affair. A push ends with an epoch marker, and only then what came since the last one is handed
//! out, so no proxy ever runs on half of it. The messages are those of Envoy's incremental aggregated discovery, so
//! that its tools can look at a stream. No sockets, no clocks and no kinds in here: a type is a word, an object is
//! bytes with a version.

pub mod client;
pub mod customers;
pub mod held;
pub mod limits;
pub mod messages;
pub mod object;
pub mod quotas;
pub mod rejection;
pub mod reports;
pub mod server;
pub mod shares;
pub mod taps;
pub mod token;
pub mod usage;
pub mod view;

pub use object::{Interest, Object, ObjectName, TypeName, Version};
pub use rejection::Rejection;
pub use token::TokenFile;
pub use view::{Change, View};
