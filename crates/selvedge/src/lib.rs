//! An API gateway, API management and a service mesh in one binary, described with the Gateway API of Kubernetes.
//!
//! This library is the binary's: [`cli`] reads the command line, one file under [`commands`] does what each
//! command says, [`remote`] is what those share that speak to a control plane, [`show`] how results look, [`up`] is
//! control plane and proxy in one process, [`gateway`] is a proxy by itself, and [`echo`] is the small upstream that
//! examples and specs talk to.

pub mod cli;
mod clock;
pub mod commands;
pub mod console;
mod customers;
pub mod echo;
pub mod exit;
pub mod gateway;
pub mod output;
pub mod product;
pub mod remote;
pub mod shell;
pub mod show;
pub mod sidecar;
pub mod up;
