//! `selvedge up`
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

mod description;
mod refused;
mod told;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use proxy::LogSink;

use super::signals::Signals;
use crate::clock::Stopwatch;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::up::announce::{self, Started};
use crate::up::kept::{Kept, KeptOptions};
use crate::up::private::Private;
use crate::up::{Running, Source, UpOptions, event, example};
use refused::{failure, is_nothing_bound, kept_failure, nothing_bound, nothing_to_keep_for};
use told::{Hush, note_example, note_problems, tell};

/// Run a gateway: control plane and proxy in one process
///
/// Reads Gateway API resources from files and directories and applies every edit live: no connection is cut, and
/// an edit with mistakes changes nothing. Without -f it runs the hello example with sample services of its own.
/// The same process serves the Kubernetes API to kubectl, the console and other gateways; without --data, what is
/// changed there is forgotten at the end, and files are as before. The access log goes to standard output,
/// everything else to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge up                              the hello example: two sample services behind a gateway
  selvedge up petstore.yaml                a description of an API: routes and a mock, ready to call
  selvedge up -f gateway.yaml              one file
  selvedge up -f gateways/ -f routes/      directories: *.yaml, *.yml and *.json, recursively
  selvedge up -f gateway.yaml --bind 0.0.0.0 --workers 4
  selvedge up -f gateway.yaml --data ./state   the same, and what kubectl changes is kept
  selvedge up -f gateway.yaml --listen off     the files alone: smallest, and without an API
SIGTERM or Ctrl-C lets running requests end; a second one does not wait.")]
pub struct Arguments {
    /// A description of an API (OpenAPI 3.0 or 3.1): it is published and answered by a mock
    #[arg(value_name = "DESCRIPTION", conflicts_with = "files")]
    description: Option<PathBuf>,
    /// A file, or a directory of *.yaml, *.yml and *.json files; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Keep what is wanted in this folder, also what kubectl and others change
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the API and the console are served; `off` for nowhere [default: 127.0.0.1:19443]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    listen: Option<Listen>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Where Gateways listen that name no address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Where to show /ready, /metrics and /config; `off` for nowhere
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:19000", value_parser = admin_address)]
    admin: Admin,
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

#[derive(Clone, Copy, Debug)]
pub(super) enum Admin {
    At(SocketAddr),
    Off,
}

impl Admin {
    fn address(self) -> Option<SocketAddr> {
        match self {
            Admin::At(address) => Some(address),
            Admin::Off => None,
        }
    }
}

pub(super) fn admin_address(text: &str) -> Result<Admin, String> {
    match text {
        "off" => Ok(Admin::Off),
        text => {
            text.parse().map(Admin::At).map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:19000".to_owned())
        }
    }
}

/// Where the API is served.
#[derive(Clone, Copy, Debug)]
enum Listen {
    At(SocketAddr),
    Off,
}

fn listen_address(text: &str) -> Result<Listen, String> {
    match text {
        "off" => Ok(Listen::Off),
        text => {
            text.parse().map(Listen::At).map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:19443".to_owned())
        }
    }
}

/// Where the API is served when nobody says anything.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 19_443);

/// Runs until a signal asks it to stop.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let began = Stopwatch::start();
    let signals = Signals::catch()?;
    if let Some(description) = &arguments.description {
        return description::run(&arguments, description, signals, began);
    }
    let example = match arguments.files.is_empty() {
        true => Some(example::start().map_err(|error| {
            Failure::machine(format!("cannot start the example's services: {error}"), "name a file with -f")
        })?),
        false => None,
    };
    check_access_log(&arguments.access_log)?;
    let options = options(&arguments, example.as_ref().map(|example| example.text.clone()));
    match (&arguments.data, arguments.listen) {
        (None, Some(Listen::Off)) => run_files(options, &arguments, signals, began, example.as_ref()),
        (Some(_), Some(Listen::Off)) => Err(nothing_to_keep_for()),
        (Some(data), listen) => {
            let listen = listen.map_or(LISTEN, Listen::address);
            let kept = KeptOptions { data: data.clone(), listen, may_move: false };
            run_kept(options, kept, None, &arguments, signals, began, example.as_ref())
        }
        (None, listen) => {
            let folder = Private::make().map_err(|error| {
                Failure::machine(format!("cannot make a folder: {error}"), "name one with --data DIR")
            })?;
            // Who named no address wants one that works.
            let may_move = listen.is_none();
            let listen = listen.map_or(LISTEN, Listen::address);
            let kept = KeptOptions { data: folder.path().to_path_buf(), listen, may_move };
            run_kept(options, kept, Some(&folder), &arguments, signals, began, example.as_ref())
        }
    }
}

impl Listen {
    fn address(self) -> SocketAddr {
        match self {
            Listen::At(address) => address,
            Listen::Off => LISTEN,
        }
    }
}

/// Files alone, straight into the proxy.
fn run_files(
    options: UpOptions,
    arguments: &Arguments,
    signals: Signals,
    began: Stopwatch,
    example: Option<&example::Example>,
) -> Result<Exit, Failure> {
    let workers = options.workers;
    let running = Running::start_with(options, Box::new(tell)).map_err(|error| failure(error, arguments))?;
    let (snapshot, bound) = (running.snapshot(), running.bound());
    if is_nothing_bound(&bound) {
        return Err(nothing_bound(&bound));
    }
    let started = Started {
        snapshot: &snapshot,
        bound: &bound,
        admin: running.admin(),
        took: began.elapsed(),
        workers,
    };
    output::error(announce::lines(&started));
    note_example(example);
    note_problems(&event::problems(&running.conditions(), &snapshot.resources), &running.warnings());
    Ok(signals.then_drain(move || running.stop()))
}

/// The same with a control plane, in a folder that stays or in one of this process alone.
fn run_kept(
    options: UpOptions,
    kept: KeptOptions,
    private: Option<&Private>,
    arguments: &Arguments,
    signals: Signals,
    began: Stopwatch,
    example: Option<&example::Example>,
) -> Result<Exit, Failure> {
    let (workers, data) = (options.workers, kept.data.clone());
    let hush = Hush::default();
    let running =
        Kept::start(options, kept, hush.listener()).map_err(|error| kept_failure(error, arguments))?;
    let (server, bound) = (running.server(), running.bound());
    if private.is_some() && is_nothing_bound(&bound) {
        return Err(nothing_bound(&bound));
    }
    let judged = Arc::clone(&server.judged().borrow());
    let (snapshot, admin, took) = (&judged.snapshot, running.admin(), began.elapsed());
    output::error(announce::lines(&Started { snapshot, bound: &bound, admin, took, workers }));
    output::note(format_args!("  console  https://{}/console", server.reachable()));
    output::note(format_args!("  get      selvedge get gateways -A --data {}", data.display()));
    output::note(format_args!(
        "  kubectl  kubectl --kubeconfig {} get gateways -A",
        server.kubeconfig().display()
    ));
    match private {
        Some(_) => output::note(
            "  note     what is changed through the API ends with this process; --data DIR keeps it",
        ),
        None => output::note(format_args!("  data     {}", data.display())),
    }
    [server.unreadable().as_deref(), server.set_aside()]
        .into_iter()
        .flatten()
        .for_each(|said| output::note(format_args!("warning: {said}")));
    note_example(example);
    let problems = event::problems(&snapshot.conditions, &running.files());
    note_problems(&problems, &judged.warnings);
    hush.end(&problems);
    Ok(signals.then_drain(move || running.stop()))
}

fn options(arguments: &Arguments, example: Option<String>) -> UpOptions {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    UpOptions {
        source: match example {
            Some(text) => Source::Text(text),
            None => Source::Files(arguments.files.clone()),
        },
        workers: arguments.workers.map_or(cores, NonZeroUsize::get),
        bind: arguments.bind,
        admin: arguments.admin.address(),
        access_log: access_log(&arguments.access_log),
        drain: Duration::from_secs(arguments.drain),
        locality: arguments.locality.clone(),
    }
}

/// Finds out now, and by name, what the proxy could only report as a failed start.
pub(super) fn check_access_log(log: &str) -> Result<(), Failure> {
    if let LogSink::File(path) = access_log(log) {
        std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(|error| {
            let message = format!("cannot write the access log `{}`: {error}", path.display());
            Failure::machine(message, "choose another file with --access-log, or `off`")
        })?;
    }
    Ok(())
}

pub(super) fn access_log(log: &str) -> LogSink {
    match log {
        "stdout" | "-" => LogSink::Stdout,
        "off" => LogSink::Off,
        file => LogSink::File(PathBuf::from(file)),
    }
}
