//! Who may call, as this proxy knows it: followed beside the configuration, kept on disk, handed to the workers.
//!
//! The stream of customers has nothing to wait for in the stream of configuration, so what takes a right away is in
//! force as soon as its message is here. Workers are given one pointer; a lookup on the path of a request
//! shares nothing.

mod cache;
mod follow;
mod table;

pub(crate) use follow::Following;
pub use table::Standing;
