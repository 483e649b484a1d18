//! The harness: what a spec needs to put a real gateway between raw sockets and upstreams that remember.
//!
//! The upstreams and clients here are written for the tests and share no code with the product: a parser that
//! is wrong in the same way on both ends would find nothing. Every wait is bounded and waits for a state.

pub mod address;
pub mod answer;
pub mod binary;
pub mod broken;
pub mod bytes_upstream;
pub mod certificates;
pub mod client;
pub mod control;
pub mod control_plane;
pub mod frames;
pub mod frames_upstream;
pub mod gate;
pub mod gateway;
pub mod h2_client;
pub mod h2_upstream;
pub mod hpack;
pub mod issuer;
pub mod lines;
pub mod newer;
pub mod process;
pub mod reader;
pub mod recorded;
pub mod relay;
pub mod scene;
pub mod script;
pub mod servers;
pub mod simulated;
pub mod tls;
pub mod tools;
pub mod until;
pub mod upstream;
pub mod victim;
