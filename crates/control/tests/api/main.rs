//! The API server as a client sees it: real TLS, real HTTP, a real store in a folder of its own.

mod catalogue;
mod client;
mod conflicts;
mod customers;
mod customers_in_time;
mod deletion;
mod events;
mod limits;
mod lists;
mod people;
mod permissions;
mod server;
mod shapes;
mod statuses;
mod tenants;
mod told;
mod usage_in_time;
mod watches;
mod workloads;
