//! The control plane from afar: what every command shares that speaks to one.
//!
//! There is no back door. Commands use the public API with the credentials of a kubeconfig, like everybody else, and
//! the engine that judges here is the one that judges there.

pub mod files;
pub mod kinds;
pub mod proxies;
pub mod state;
pub mod target;

use std::future::Future;
use std::path::PathBuf;

use clap::Args;
use client::kubeconfig::{Environment, Wanted};
use client::{Client, Error};

use crate::exit::{Exit, Failure};

/// Which control plane.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Control plane")]
pub struct Connection {
    /// Kubeconfig [default: $KUBECONFIG, then ~/.local/share/selvedge/admin.kubeconfig]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Use the kubeconfig of the control plane with this data folder
    #[arg(long, value_name = "DIR", conflicts_with = "kubeconfig")]
    data: Option<PathBuf>,
}

impl Connection {
    /// A client for it. Nothing is connected yet.
    pub fn open(&self) -> Result<Client, Failure> {
        let Connection { kubeconfig, context, data } = self;
        let wanted = Wanted { kubeconfig: kubeconfig.clone(), context: context.clone(), data: data.clone() };
        let endpoint = client::kubeconfig::load(&wanted, &Environment::of_process()).map_err(failure)?;
        Client::new(endpoint).map_err(failure)
    }

    /// Whether one was named.
    pub fn is_named(&self) -> bool {
        let Connection { kubeconfig, context, data } = self;
        kubeconfig.is_some() || context.is_some() || data.is_some()
    }
}

/// Runs a conversation to its end.
pub fn block_on<T>(conversation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::machine(
            format!("cannot start the network: {error}"),
            "check the limits of this user (ulimit -a)",
        )
    })?;
    runtime.block_on(conversation)
}

/// What an error of the API means for the end of a command. Everything that is wrong is told, not only the first.
pub fn failure(error: Error) -> Failure {
    Failure::new(exit_of(&error), told(&error), error.hint())
}

/// The whole of what is wrong, causes included.
pub fn told(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.status().iter().flat_map(|status| &status.details.causes) {
        let field = if cause.field.is_empty() { String::new() } else { format!("{}: ", cause.field) };
        text.push_str(&format!("\n  {field}{}", cause.message));
    }
    text
}

/// The exit code for an error.
pub fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Config(_) | Error::Connect(_) | Error::Answer(_) => Exit::Unreachable,
        Error::Status(status) if status.is_not_found() => Exit::Missing,
        Error::Status(status) if status.is_invalid() || status.is_conflict() => Exit::Refused,
        Error::Status(_) => Exit::Unreachable,
    }
}
