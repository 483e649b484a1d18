//! TLS of the control plane: an authority of its own, what it shows clients, and whom their certificates name.
//!
//! There is no plain port: what travels here are tokens and keys.

pub mod authority;
mod clients;
pub mod peer;
pub mod serving;

pub use authority::{Authority, AuthorityError, ClientName};
pub use peer::{Member, Members};
