//! The console and what it tells from, with a real control plane, a real gateway and real traffic.

mod browser;
mod sold;
mod stage;
mod traffic;
