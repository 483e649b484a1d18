//! What measurements with many proxies share: what a process reads of itself, and proxies in a process of their own.
#![allow(dead_code, reason = "each measurement uses a part of it")]

pub mod herd;
pub mod own;
