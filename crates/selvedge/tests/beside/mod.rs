//! Promises of what stands beside members of the mesh: gateways and what is sold at them, neighbours, and faults.

mod clock;
mod faults;
mod gateway;
mod nearby;
mod sold;
