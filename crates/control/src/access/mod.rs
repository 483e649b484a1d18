//! Who somebody is, and what they may do: pure, so that every answer can be shown and tested without a server.
//!
//! [`user`] is who asks, from a client certificate or a [`tokens`] lookup; [`request`] is what they ask for. [`Rules`]
//! holds the roles and bindings of one moment and answers with a verdict and its reason. Rules only ever allow: what no
//! rule allows is denied. [`escalation`] keeps people from giving away what they do not have, and [`builtin`] is the
//! table of roles that are always there; [`members`] is what a certificate of the mesh gives without any. [`Current`]
//! keeps what was arranged for as long as it holds.

pub mod builtin;
mod current;
pub mod escalation;
pub mod members;
pub mod request;
pub mod rule;
mod rules;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod user;

pub use current::Current;
pub use request::Request;
pub use rules::{Rules, Verdict};
pub use tokens::{Token, Tokens};
pub use user::User;
