//! One decision engine for every door.
//!
//! The proxy runs on it, the control plane dry-runs it before it accepts a change, and `selvedge explain`
//! explains with it: what was accepted is what will run. Everything here is pure: resources in, an immutable
//! [`Config`] and the conditions of every resource out. No sockets, no clocks, no tasks.

mod addresses;
pub mod authentication;
pub mod authorization;
pub mod compile;
pub mod config;
pub mod customers;
pub mod dump;
pub mod explain;
pub mod matching;
pub mod mesh;
pub mod request;
pub mod status;

pub use compile::{Certificates, CompileOptions, Compiled, Compiler, PairState, Perspective};
pub use config::Config;
pub use matching::Verdict;
pub use request::{HeaderView, RequestView};
pub use status::Conditions;
