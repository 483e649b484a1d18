//! The control plane: accepts changes and shows each proxy its view.

pub mod files;
pub mod watch;
