//! `selvedge control`
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use control::clock::Clock;
use control::server::{self, OpenError, Server, ServerOptions, StartError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::signals::Signals;
use crate::console;
use crate::exit::{Exit, Failure};
use crate::output;

/// Run a control plane: the Kubernetes API without Kubernetes, and the stream that configures gateways
///
/// Keeps every object in one file of the data folder, or in PostgreSQL when several control planes share it. kubectl,
/// client libraries and `selvedge gateway` talk to it over TLS; nobody is let in without a token or a certificate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge control --data /var/lib/selvedge
  kubectl --kubeconfig /var/lib/selvedge/admin.kubeconfig apply -f gateway.yaml
  selvedge gateway --control https://127.0.0.1:19443 --token-file /var/lib/selvedge/gateway.token
  selvedge control --data /var/lib/selvedge --database postgres://selvedge@db.example/selvedge
The data folder holds the store, the keys that seal its secrets (keep a copy of them elsewhere), the certificate
authority, the digests of tokens, `admin.kubeconfig` for the administrator and `gateway.token` for gateways.")]
pub struct Arguments {
    /// The folder that holds everything that must outlive the process
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Keep the objects in PostgreSQL instead of a file of the data folder
    #[arg(long, value_name = "URL", env = "SELVEDGE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where the API, the stream for gateways and the console are served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:19443")]
    listen: SocketAddr,
    /// A name or address by which clients reach it, for its certificate; may be given more than once
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Where gateways listen for Gateways that name no address
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
}

/// Runs until a signal asks it to stop.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let signals = Signals::catch()?;
    let runtime = runtime()?;
    let options = ServerOptions {
        data: arguments.data.clone(),
        database: arguments.database.clone(),
        listen: arguments.listen,
        may_move: false,
        names: arguments.names.clone(),
        bind: arguments.bind,
        keeps_config: false,
        clock: Clock::system(),
        beside: vec![console::pages(Clock::system())],
    };
    let server = runtime.block_on(server::start(options)).map_err(|error| failure(&error, &arguments))?;
    announce(&server, &arguments.data);
    runtime.spawn(let_go_of_code(server.world().subscribe(), server.proxies().joined()));
    Ok(signals.then_drain(move || runtime.block_on(server.stop())))
}

/// Two threads: lists of thousands are written out on one while the other carries small things on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build();
    built.map_err(|error| {
        Failure::machine(
            format!("cannot start threads: {error}"),
            "check the limits of this user (ulimit -a)",
        )
    })
}

/// How long nothing may have been written, and no proxy have come, before the code that only this needs is let go of.
/// Shorter, and the statuses that follow a write would still be under way.
const QUIET: Duration = Duration::from_millis(500);

/// Lets go of the program's code whenever what is wanted has settled and whoever came has what it came for; what is still
/// needed comes back by itself.
async fn let_go_of_code(mut revision: watch::Receiver<u64>, mut joined: watch::Receiver<u64>) {
    loop {
        let mut news = async || {
            tokio::select! {
                written = revision.changed() => written.is_ok(),
                joined = joined.changed() => joined.is_ok(),
            }
        };
        while timeout(QUIET, news()).await == Ok(true) {}
        os::let_go_of_code();
        if !news().await {
            return;
        }
    }
}

fn announce(server: &Server, data: &Path) {
    let now = server.world().now();
    output::error(format_args!(
        "selvedge control: ready with {} objects at revision {}",
        now.resources.len(),
        now.revision
    ));
    output::note(format_args!("  api      https://{}", server.address()));
    output::note(format_args!("  console  https://{}/console", server.reachable()));
    output::note(format_args!("  data     {}", data.display()));
    output::note(format_args!(
        "  kubectl  kubectl --kubeconfig {} get gateways -A",
        server.kubeconfig().display()
    ));
    output::note(format_args!(
        "  gateway  selvedge gateway --control https://{} --token-file {}",
        server.address(),
        server.gateway_token().display()
    ));
    if let Some(said) = server.unreadable() {
        output::note(format_args!("warning: {said}"));
    }
    if let Some(said) = server.set_aside() {
        output::note(format_args!("warning: {said}"));
    }
}

fn failure(error: &StartError, arguments: &Arguments) -> Failure {
    let hint = match error {
        StartError::Api(_) => "choose another address with --listen, such as 127.0.0.1:0 for a free port",
        StartError::Home(_) => "the folder of --data must be writable and belong to this user alone",
        StartError::Store(OpenError::Folder { .. } | OpenError::Keys(_)) => {
            "the folder of --data must be writable and belong to this user alone"
        }
        StartError::Store(OpenError::Store(_)) if arguments.database.is_some() => {
            "see that --database names a database which this machine reaches, and that `store.keys` is the same \
             on every control plane"
        }
        StartError::Store(OpenError::Store(_)) => {
            "is another control plane using this folder? name another with --data"
        }
    };
    Failure::machine(format!("cannot start the control plane: {error}"), hint)
}
