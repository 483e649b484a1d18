//! What stands around the proxy of one workload: its application, its names, its health, its identity.

pub mod dns;
pub mod environment;
pub mod files;
pub mod health;
pub mod names;
pub mod workload_api;
