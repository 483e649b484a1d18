//! One file a command: its arguments, and what it does with them.

pub mod api;
pub mod app;
pub mod apply;
pub mod authz;
pub mod bind;
pub mod completion;
pub mod control;
pub mod delete;
pub mod describe;
pub mod diff;
pub mod echo;
pub mod edit;
pub mod explain;
pub mod gateway;
pub mod get;
pub mod key;
pub mod mesh;
pub mod plan;
pub mod product;
pub mod sidecar;
mod signals;
pub mod status;
pub mod subscribe;
pub mod subscription;
pub mod tap;
pub mod token;
pub mod top;
pub mod up;
pub mod usage;
pub mod validate;
pub mod version;

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}
