//! The data plane: carries requests and connections.
//!
//! The top level of this crate is the path of a request, in the order of `pipeline.rs`. It learns of changes
//! only as finished [`engine::Config`]s and knows nothing of where they come from: a gateway listener, a
//! sidecar's inbound and its outbound feed the same pipeline.

mod admin;
mod authorizer;
pub mod buffer;
mod call;
mod caller;
mod checks;
mod clock;
pub mod codec;
mod config;
mod copies;
mod counterpart;
mod customers;
mod downstream;
mod emit;
mod exchange;
mod exchanges;
pub mod failure;
mod fetch;
mod filters;
mod findings;
mod forwarded;
mod heard;
mod hop;
mod introspection;
mod io;
mod keeper;
mod keys;
pub mod limits;
mod listener;
mod log;
mod mesh;
pub mod message;
mod pipeline;
mod principal;
mod proxy;
pub mod quotas;
mod relay;
mod request_id;
mod resolver;
mod respond;
mod revocation;
mod route;
mod session;
mod settled;
pub mod shares;
mod state;
mod stream;
mod tap;
mod tcp;
mod tls;
mod told;
mod trace;
mod tunnel;
mod upstream;
mod usage;
mod vouched;
mod waits;
mod whole;
mod wire;
mod worker;

pub use checks::grpc::ask as ask_health_of_grpc;
pub use config::{
    ControlAddress, Event, OnStream, Progress, ProgressState, Replica, SubscribeOptions, Subscription, Taken,
    Tell, Wire,
};
pub use engine::config::Locality;
pub use engine::mesh::addresses::ServiceBlock;
pub use keeper::{IdentityEvent, Keeper, KeeperOptions, TellIdentity};
pub use log::LogSink;
pub use proxy::{Applied, Bound, DeletedPorts, Options, Proxy};
