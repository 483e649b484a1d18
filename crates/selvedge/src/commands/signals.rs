//! The signals that end a process which serves.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::output;

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
