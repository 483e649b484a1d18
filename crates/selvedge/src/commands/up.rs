//! `selvedge up`
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use proxy::LogSink;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Stopwatch;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::up::announce::{self, Started};
use crate::up::described::Described;
use crate::up::kept::{Kept, KeptError, KeptEvent, KeptOptions};
use crate::up::{Event, Running, Source, StartError, UpOptions, event, example};

/// Run a gateway: control plane and proxy in one process
///
/// Reads Gateway API resources from files and directories and applies every edit live: no connection is cut, and
/// an edit with mistakes changes nothing. Without -f it runs the hello example with sample services of its own.
/// The access log goes to standard output, everything else to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge up                              the hello example: two sample services behind a gateway
  selvedge up petstore.yaml                a description of an API: routes and a mock, ready to call
  selvedge up -f gateway.yaml              one file
  selvedge up -f gateways/ -f routes/      directories: *.yaml, *.yml and *.json, recursively
  selvedge up -f gateway.yaml --bind 0.0.0.0 --workers 4
  selvedge up -f gateway.yaml --data ./state   the same, and a control plane for kubectl that keeps what it is told
SIGTERM or Ctrl-C lets running requests end; a second one does not wait.")]
pub struct Arguments {
    /// A description of an API (OpenAPI 3.0 or 3.1): it is published and answered by a mock
    #[arg(value_name = "DESCRIPTION", conflicts_with = "files")]
    description: Option<PathBuf>,
    /// A file, or a directory of *.yaml, *.yml and *.json files; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Keep what is wanted in this folder, and open it to kubectl, the console and other gateways
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the API and the console are served, with --data or a description
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:19443")]
    listen: SocketAddr,
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

pub(super) fn admin_address(text: &str) -> Result<Admin, String> {
    match text {
        "off" => Ok(Admin::Off),
        text => {
            text.parse().map(Admin::At).map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:19000".to_owned())
        }
    }
}

/// Runs until a signal asks it to stop.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let began = Stopwatch::start();
    let signals = Signals::catch()?;
    if let Some(description) = &arguments.description {
        return run_described(&arguments, &Described::read(description)?, signals, began);
    }
    let example = match arguments.files.is_empty() {
        true => Some(example::start().map_err(|error| {
            Failure::machine(format!("cannot start the example's services: {error}"), "name a file with -f")
        })?),
        false => None,
    };
    check_access_log(&arguments.access_log)?;
    let options = options(&arguments, example.as_ref().map(|example| example.text.clone()));
    let workers = options.workers;
    if let Some(data) = &arguments.data {
        let kept = KeptOptions { data: data.clone(), listen: arguments.listen };
        return run_kept(options, kept, signals, began, example.as_ref());
    }
    let running = Running::start_with(options, Box::new(tell)).map_err(|error| failure(error, &arguments))?;
    let (snapshot, bound) = (running.snapshot(), running.bound());
    if !bound.is_empty() && bound.iter().all(|result| result.error.is_some()) {
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
    if let Some(example) = &example {
        output::note("  example  no -f given: running examples/hello with sample services in this process");
        example.moved.iter().for_each(|moved| output::note(format_args!("  note     {moved}")));
    }
    for problem in event::problems(&running.conditions()) {
        output::note(format_args!("  {}", problem.replace('\n', "\n  ")));
    }
    running.warnings().iter().for_each(|warning| output::note(format_args!("warning: {warning}")));
    Ok(signals.then_drain(move || running.stop()))
}

/// The same with a control plane that keeps what it is told.
fn run_kept(
    options: UpOptions,
    kept: KeptOptions,
    signals: Signals,
    began: Stopwatch,
    example: Option<&example::Example>,
) -> Result<Exit, Failure> {
    let (workers, data) = (options.workers, kept.data.clone());
    let running = Kept::start(options, kept, Arc::new(tell_kept)).map_err(|error| kept_failure(&error))?;
    let (judged, bound) = (running.server().judged(), running.bound());
    let snapshot = Arc::clone(&judged.borrow().snapshot);
    let (admin, took) = (running.admin(), began.elapsed());
    output::error(announce::lines(&Started { snapshot: &snapshot, bound: &bound, admin, took, workers }));
    let server = running.server();
    output::note(format_args!("  console  https://{}/console", server.reachable()));
    output::note(format_args!(
        "  kubectl  kubectl --kubeconfig {} get gateways -A",
        server.kubeconfig().display()
    ));
    output::note(format_args!("  data     {}", data.display()));
    if let Some(said) = server.unreadable() {
        output::note(format_args!("warning: {said}"));
    }
    if let Some(said) = server.set_aside() {
        output::note(format_args!("warning: {said}"));
    }
    if let Some(example) = example {
        output::note("  example  no -f given: running examples/hello with sample services in this process");
        example.moved.iter().for_each(|moved| output::note(format_args!("  note     {moved}")));
    }
    for problem in event::problems(&snapshot.conditions) {
        output::note(format_args!("  {}", problem.replace('\n', "\n  ")));
    }
    Ok(signals.then_drain(move || running.stop()))
}

/// An API out of its description, with a control plane that keeps it.
fn run_described(
    arguments: &Arguments,
    described: &Described,
    signals: Signals,
    began: Stopwatch,
) -> Result<Exit, Failure> {
    check_access_log(&arguments.access_log)?;
    let options = options(arguments, Some(described.gateway()));
    let own = || client::kubeconfig::Environment::of_process().data_directory();
    let data = arguments.data.clone().or_else(own).ok_or_else(|| {
        Failure::machine("there is no folder for data: HOME is not set", "name one with --data DIR")
    })?;
    let kept = KeptOptions { data: data.clone(), listen: arguments.listen };
    let running = Kept::start(options, kept, Arc::new(tell_kept)).map_err(|error| kept_failure(&error))?;
    described.publish(&running)?;
    let key = described.key(&running)?;
    let watch = described.follow(&running, Arc::new(tell_kept))?;
    let took = began.elapsed().as_millis();
    let version = env!("CARGO_PKG_VERSION");
    output::error(format_args!("selvedge {version} {} in {took} ms", output::styled(output::GREEN, "ready")));
    let line = |label: &str, text: String| {
        output::note(format_args!("  {}  {text}", output::styled(output::BOLD, format!("{label:<7}"))));
    };
    line("api", format!("{}  {} operations, answered by a mock", described.url(), described.operations));
    line("console", format!("https://{}/console", running.server().reachable()));
    if let Some(sample) = described.sample(key.as_deref()) {
        line("try", output::styled(output::CYAN, sample));
    }
    let known = if arguments.data.is_some() { format!(" --data {}", data.display()) } else { String::new() };
    if key.is_some() {
        let api = described.name();
        line("plan", format!("{api}-free, for application `try`; the key is shown this once"));
    }
    line("then", format!("selvedge bind {} --upstream http://127.0.0.1:9000{known}", described.name()));
    line("data", data.display().to_string());
    Ok(signals.then_drain(move || {
        drop(watch);
        running.stop();
    }))
}

fn tell_kept(event: KeptEvent) {
    match event {
        KeptEvent::Published(said) => output::note(said),
        KeptEvent::Gateway(event) => {
            if let Some(sentence) = crate::gateway::event::sentence(&event) {
                output::error(sentence);
            }
        }
        KeptEvent::Refused(why) => {
            output::error(why);
            output::note("the last good configuration stays in use");
        }
        KeptEvent::Delayed(why) => {
            output::error(why);
            output::note(
                "the last good configuration stays in use; the edit is tried again until it can be applied",
            );
        }
        KeptEvent::Landed => output::note("the edit that had to wait is applied"),
    }
}

fn kept_failure(error: &KeptError) -> Failure {
    match error {
        KeptError::Refused(violations) => Failure::refused(violations.clone()),
        KeptError::Control(error) => Failure::machine(
            format!("cannot start the control plane: {error}"),
            "is another selvedge using this folder or address? choose others with --data and --listen",
        ),
        KeptError::Declare(_) | KeptError::Machine(_) => {
            Failure::machine(error.to_string(), "see what the system said above")
        }
    }
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
        admin: match arguments.admin {
            Admin::At(address) => Some(address),
            Admin::Off => None,
        },
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

fn tell(event: &Event) {
    match event {
        Event::Applied { .. } => output::error(event),
        Event::Refused(_) => {
            output::error(event);
            output::note("the last good configuration stays in use");
        }
    }
}

fn failure(error: StartError, arguments: &Arguments) -> Failure {
    match error {
        StartError::Refused(violations) => Failure::refused(violations),
        StartError::Machine { what, error } => {
            let in_use = error.kind() == io::ErrorKind::AddrInUse;
            let hint = match (in_use, arguments.admin) {
                (true, Admin::At(_)) => {
                    "is another selvedge running? choose another address with --admin, such as 127.0.0.1:0 for a free port"
                }
                _ => "see what the system said above; --admin and --workers can be changed",
            };
            Failure::machine(format!("{what}: {error}"), hint)
        }
    }
}

/// Every problem but the last is part of the message; the last one's hint ends it.
fn nothing_bound(bound: &[control::status::BindResult]) -> Failure {
    let problems: Vec<String> = bound.iter().filter_map(event::cannot_listen).collect();
    let text = problems.join("\n");
    match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => Failure::machine(message, hint),
        None => Failure::machine(text, "change the ports of the Gateway"),
    }
}

/// The signals that end us. They are caught before anything runs: one that comes the moment we say that we are
/// ready must drain like any other.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> Result<Signals, Failure> {
        Signals::try_catch().map_err(|error| {
            let message = format!("cannot wait for signals: {error}");
            Failure::machine(message, "check the limits of this user (ulimit -a)")
        })
    }

    fn try_catch() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (terminate, interrupt) = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok(Signals { runtime, terminate, interrupt })
    }

    /// The first signal drains, the second ends at once.
    pub(super) fn then_drain(self, stop: impl FnOnce() + Send + 'static) -> Exit {
        let Signals { runtime, mut terminate, mut interrupt } = self;
        runtime.block_on(async {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            output::note(format_args!("{name}: draining; a second signal ends at once"));
            let drained = tokio::task::spawn_blocking(stop);
            tokio::select! {
                _ = drained => output::note("drained"),
                _ = terminate.recv() => output::note("ended without draining"),
                _ = interrupt.recv() => output::note("ended without draining"),
            }
        });
        // Dropping it would wait for the drain that a second signal said not to wait for.
        runtime.shutdown_background();
        Exit::Success
    }
}
