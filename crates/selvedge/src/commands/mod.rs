//! One file a command: its arguments, and what it does with them.

pub mod control;
pub mod echo;
pub mod explain;
pub mod gateway;
mod spelling;
pub mod up;
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
