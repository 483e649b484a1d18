//! The typed client of the public API.
//!
//! The command line, the portal and the console are clients like any other: there is no back door, so whatever
//! they can do, `curl` with the same credentials can do as well. The API has the shape of Kubernetes'; where to
//! find it stands in a [`kubeconfig`]. A [`Client`] speaks to one server; [`Collection`] names what it speaks about,
//! [`Watch`] follows changes over lost connections, and an [`Error`] always says what to do next.

mod address;
mod answer;
mod client;
mod connect;
mod error;
pub mod kubeconfig;
mod lines;
mod object;
mod options;
mod status;
mod tls;
mod watch;

pub use address::{ApiKind, Collection};
pub use client::Client;
pub use error::{Error, Problem};
pub use kubeconfig::Endpoint;
pub use lines::Lines;
pub use object::Object;
pub use options::{ApplyOptions, DeleteOptions, FIELD_MANAGER, ListOptions, Listed, Patch, WriteOptions};
pub use status::{Cause, Status};
pub use watch::{Event, Watch};
