//! Promises of what stands beside members of the mesh: gateways, neighbours, and faults.

mod clock;
mod faults;
mod gateway;
mod nearby;
