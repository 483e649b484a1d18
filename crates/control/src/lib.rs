//! The control plane: accepts changes and shows each proxy its view.
//!
//! The top level of this crate is the path of a change: files are [`watch`]ed, [`sources`] tell whether there is
//! news, [`apply`] makes resources of it or refuses all of it, [`plane`] compiles and keeps the last good
//! [`snapshot`], and [`status`] folds in what proxies report. It knows no proxy: whoever owns both hands
//! configurations over.
//!
//! With a store, files are one writer among others ([`declare`]) beside the [`api`]; the [`world`] is what the store
//! holds, [`view`] and [`stream`] show each proxy its part, and [`server`] joins and starts everything.

pub mod access;
pub mod api;
pub mod apply;
pub mod ca;
pub mod catalogue;
pub mod clock;
pub mod customers;
pub mod declare;
pub mod files;
pub mod leader;
pub mod objects;
mod pieces;
pub mod plane;
pub mod proxies;
pub mod quotas;
pub mod reconcile;
pub mod revocations;
pub mod server;
pub mod shares;
pub mod snapshot;
pub mod sources;
mod stamp;
pub mod status;
pub mod store;
pub mod stream;
pub mod taps;
pub mod told;
pub mod usage;
pub mod view;
pub mod watch;
pub mod world;

pub use plane::{ControlPlane, Options};
pub use snapshot::Snapshot;
