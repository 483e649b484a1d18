//! The one view of path and host on which routing, policy, logs and the upstream agree.
//!
//! Most ways around an access rule are two spellings of one path: the rule looks at one, the server serves the
//! other. So a path is brought into one spelling before anyone looks at it, and that spelling is what travels
//! on. What cannot be brought into one spelling safely is refused.
//!
//! [`path`] and [`host`] are used for every version of HTTP; there is no second place where a path is cleaned.

mod host;
mod path;

pub use host::{Authority, host};
pub use path::{Canonical, path};
