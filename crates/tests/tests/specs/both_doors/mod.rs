//! The same routes and policies at a gateway and at a sidecar are the same verdicts (B2): what is answered, by which
//! backend, with which fields, and what the log says of it.
//!
//! Each case is one table of rules and some requests. Both proxies are compiled from the very same documents; only the
//! eyes with which they are seen differ. What is not compared is what the two doors mean to say differently: who
//! vouches for a client, and names of requests that nobody gave.

mod forged;
mod policies;
mod resilience;
mod routes;
pub mod stage;
mod validation;
