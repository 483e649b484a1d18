//! The data plane: carries requests and connections.
//!
//! The top level of this crate is the path of a request, in the order of `pipeline.rs`. It learns of changes
//! only as finished [`engine::Config`]s and knows nothing of where they come from: a gateway listener, a
//! sidecar's inbound and its outbound feed the same pipeline.

pub mod codec;
pub mod failure;
pub mod limits;
pub mod message;
