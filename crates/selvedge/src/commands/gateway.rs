//! `selvedge gateway`
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use discovery::{Interest, TokenFile};
use proxy::ControlAddress;

use super::signals::Signals;
use super::up::{Admin, access_log, admin_address, check_access_log};
use crate::exit::{Exit, Failure};
use crate::gateway::{GatewayOptions, RunningGateway, StartError, event};
use crate::output;

/// Run a gateway whose configuration comes from a control plane in another process
///
/// Every change is applied live, as a whole, and kept on disk: the gateway starts and goes on without its control
/// plane. The access log goes to standard output, everything else to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge gateway --control https://control.example:19443 --token-file gateway.token --cache /var/lib/selvedge
  selvedge gateway --control https://control.example:19443 --token-file gateway.token --serve shop/edge
The token file has two lines, `token: …` and `ca-sha256: …` (the digest of the authority that the control plane's
certificate comes from). SIGTERM or Ctrl-C lets running requests end; a second one does not wait.")]
pub struct Arguments {
    /// Where the control plane is; several that share one database may be given, each with a --control of its own, and
    /// when one fails the next is asked
    #[arg(long = "control", value_name = "URL", required = true)]
    controls: Vec<ControlAddress>,
    /// What to show the control plane, and how to know it
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// A Gateway to serve, by namespace and name; may be given more than once [default: all of our class]
    #[arg(long = "serve", value_name = "NAMESPACE/NAME", value_parser = gateway_name)]
    serve: Vec<String>,
    /// Where to keep the last good configuration; without it, a start needs the control plane
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// How the control plane calls this gateway [default: the machine's name and the process's number]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Where Gateways listen that name no address
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
    /// Where to show /ready, /metrics and /config; `off` for nowhere
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:19000", value_parser = admin_address)]
    admin: Admin,
    /// A socket at which our own user and root may watch, with `selvedge tap`
    #[arg(long, value_name = "PATH")]
    tap: Option<PathBuf>,
    /// Where the access log goes: a file, `stdout` or `off`
    #[arg(long, value_name = "FILE", default_value = "stdout")]
    access_log: String,
    /// Longest time for requests to end after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Where this proxy runs, so that endpoints nearby can come first: a zone, or region/zone
    #[arg(long, value_name = "ZONE")]
    locality: Option<proxy::Locality>,
}

fn gateway_name(text: &str) -> Result<String, String> {
    let wrong = || "write NAMESPACE/NAME, such as shop/edge".to_owned();
    let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
    namespace.parse::<model::Namespace>().map_err(|problem| problem.problem)?;
    name.parse::<model::Name>().map_err(|problem| problem.problem)?;
    Ok(text.to_owned())
}

/// Runs until a signal asks it to stop.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let signals = Signals::catch()?;
    check_access_log(&arguments.access_log)?;
    let token = token(&arguments.token_file)?;
    let options = options(&arguments, token);
    let announced = format!(
        "selvedge gateway `{}`: serving {} of {}",
        options.name,
        served(&options.serve),
        listed(&options.controls)
    );
    let started = RunningGateway::start(options, Arc::new(tell));
    let running = started.map_err(|error| failure(error, &arguments))?;
    output::note(announced);
    if let Some(admin) = running.admin() {
        output::note(format_args!("  admin    http://{admin}/ready, /metrics and /config"));
    }
    if let Some(path) = &arguments.tap {
        running.tap_at(path).map_err(|error| no_tap(path, &error))?;
        output::note(format_args!("  tap      selvedge tap {}", path.display()));
    }
    if arguments.cache.is_none() {
        output::note("  note     no --cache given: the next start needs the control plane");
    }
    Ok(signals.then_drain(move || running.stop()))
}

/// Control planes as people read them.
pub(super) fn listed(controls: &[ControlAddress]) -> String {
    let all: Vec<String> = controls.iter().map(ToString::to_string).collect();
    all.join(" or ")
}

/// Nobody can watch.
pub(super) fn no_tap(path: &Path, error: &io::Error) -> Failure {
    let problem = format!("cannot open `{}`: {error}", path.display());
    Failure::machine(problem, "choose another path with --tap, at most 107 bytes long")
}

fn served(interest: &Interest) -> String {
    match interest {
        Interest::All => "every Gateway".to_owned(),
        Interest::Workload(place) => format!("Workload {place}"),
        Interest::Gateways(names) => {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        }
    }
}

fn options(arguments: &Arguments, token: TokenFile) -> GatewayOptions {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let names: BTreeSet<Arc<str>> = arguments.serve.iter().map(|name| name.as_str().into()).collect();
    GatewayOptions {
        name: arguments.name.clone().unwrap_or_else(own_name),
        controls: arguments.controls.clone(),
        token,
        serve: if names.is_empty() { Interest::All } else { Interest::Gateways(names) },
        cache: arguments.cache.clone(),
        usage: None,
        workers: arguments.workers.map_or(cores, NonZeroUsize::get),
        bind: arguments.bind,
        admin: match arguments.admin {
            Admin::At(address) => Some(address),
            Admin::Off => None,
        },
        access_log: access_log(&arguments.access_log),
        drain: Duration::from_secs(arguments.drain),
        locality: arguments.locality.clone(),
        tell_identity: Arc::new(tell_identity),
    }
}

/// Two gateways of one machine must differ, and so must those of two containers, whose processes have one number.
fn own_name() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = if machine.trim().is_empty() { "gateway" } else { machine.trim() };
    format!("{machine}-{}", std::process::id())
}

/// Reads a token file.
pub(super) fn token(path: &Path) -> Result<TokenFile, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::machine(
            format!("cannot read the token file `{shown}`: {error}"),
            "name the file that was made for this proxy with --token-file",
        )
    })?;
    text.parse().map_err(|problem| {
        Failure::new(
            Exit::Refused,
            format!("the token file `{shown}`: {problem}"),
            "it has two lines: `token: …`, and `ca-sha256: …` with the SHA-256 of the control plane's authority",
        )
    })
}

fn failure(error: StartError, arguments: &Arguments) -> Failure {
    match error {
        StartError::Proxy(error) => {
            let hint = match (error.kind() == io::ErrorKind::AddrInUse, arguments.admin) {
                (true, Admin::At(_)) => "is another selvedge running? choose another address with --admin",
                (true | false, Admin::At(_) | Admin::Off) => "see what the system said above",
            };
            Failure::machine(format!("cannot start: {error}"), hint)
        }
        StartError::Subscription(error) => Failure::machine(
            format!("cannot follow the control plane: {error}"),
            "the directory of --cache must be writable and belong to this gateway alone",
        ),
    }
}

fn tell_identity(event: proxy::IdentityEvent) {
    output::error(event::identity(&event));
}

fn tell(event: proxy::Event) {
    if let Some(sentence) = event::sentence(&event) {
        output::error(sentence);
    }
}
