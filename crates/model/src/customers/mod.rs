//! Who calls, and whether they may: the words of customers and their life cycles.
//!
//! Each life cycle is one table of states and events, so that the API, the command line and every test ask the same
//! place. Nothing in here is kept or sent; rows and buckets are made of these words elsewhere.

pub mod api_key;
pub mod fingerprint;
pub mod holds;
pub mod lives;
pub mod time;

pub use fingerprint::{Fingerprint, Pepper};
pub use holds::{Hold, Holds};
