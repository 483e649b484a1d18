//! What happens when, from the first configuration to the last byte.
//!
//! The application begins when its proxy can carry what it sends, and ends before its proxy does: when the end is asked
//! for, nobody comes in any more, what came in is finished, then the application is asked to end, and what it still
//! sends on its way out is carried to the last. How the application ends is how the sidecar ends.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use os::{Application, Ended, InPlaceOf};
use tokio::time::{sleep, timeout};

use super::RunningSidecar;
use super::signals::{self, CHILD, INTERRUPT, KILL, OF_THE_TERMINAL, Signals, TERMINATE};
use crate::output;

/// How long each part may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For configuration and identity. After it the application is started without, with a warning.
    pub start: Duration,
    /// For the application to end once it was asked to. After it, it is killed.
    pub grace: Duration,
}

/// What to start.
#[derive(Debug)]
pub struct Planned {
    /// The program.
    pub command: Command,
    /// Its own resolver settings.
    pub resolver: Option<InPlaceOf>,
}

/// Plans what to start, once it is known what can be reached.
pub type Plan = dyn Fn(&RunningSidecar) -> Planned;

/// Why the application was not started.
#[derive(Debug)]
pub struct NotStarted(pub io::Error);

/// Something that an application that is attended does, or is sent.
enum Happened {
    Ended(Ended),
    Signal(i32),
}

/// The application with what comes for it.
struct Attended {
    application: Application,
    signals: Signals,
}

/// Runs to the end. The code is the application's, or 0 without one. Must be polled by the thread that lives longest:
/// the application is killed when it ends.
///
/// # Errors
/// The application cannot be started; everything else has ended then.
pub async fn run(
    running: RunningSidecar,
    plan: Option<Box<Plan>>,
    bounds: Bounds,
    mut signals: Signals,
) -> Result<u8, NotStarted> {
    let running = Arc::new(running);
    let Some(plan) = plan else {
        alone(running, &mut signals).await;
        return Ok(0);
    };
    if let Some(number) = asked_to_end_before(&running, bounds.start, &mut signals).await {
        output::note(format_args!("{}: the application was not started", signals::name(number)));
        stop(running).await;
        return Ok(0);
    }
    let application = match start(&running, &plan) {
        Ok(application) => application,
        Err(error) => {
            stop(running).await;
            return Err(NotStarted(error));
        }
    };
    output::note(format_args!("  started  process {}", application.id()));
    let mut attended = Attended { application, signals };
    let ended = loop {
        match attended.next().await {
            Happened::Ended(ended) => break ended,
            Happened::Signal(number) if number == TERMINATE || number == INTERRUPT => {
                break end(&running, &mut attended, number, bounds.grace).await;
            }
            Happened::Signal(number) => attended.pass_on(number),
        }
    };
    output::note(match ended {
        Ended::Exited(code) => format!("the application has ended with code {code}"),
        Ended::Signalled(number) => format!("the application was ended by signal {number}"),
    });
    stop(running).await;
    Ok(ended.code())
}

/// Serves a process that somebody else runs: the first signal drains, the second ends at once.
async fn alone(running: Arc<RunningSidecar>, signals: &mut Signals) {
    let number = next_end(signals).await;
    output::note(format_args!("{}: draining; a second signal ends at once", signals::name(number)));
    let ending = running.clone();
    let drained = tokio::task::spawn_blocking(move || ending.drain_inbound());
    tokio::select! {
        _ = drained => {
            stop(running).await;
            output::note("drained");
        }
        _ = next_end(signals) => output::note("ended without draining"),
    }
}

/// Waits until the application may start; the signal that says that it shall not, if one comes first.
async fn asked_to_end_before(
    running: &RunningSidecar,
    limit: Duration,
    signals: &mut Signals,
) -> Option<i32> {
    tokio::select! {
        number = next_end(signals) => Some(number),
        set = timeout(limit, running.is_set()) => {
            if set.is_err() {
                let missing = match (running.has_config(), running.has_identity()) {
                    (false, _) => "a configuration",
                    (true, _) => "an identity",
                };
                output::error(format_args!(
                    "warning: the application is started without {missing}, after {} s\n\
                     hint: until it is there, nothing of the mesh can be called; see what is said of the control plane above",
                    limit.as_secs()
                ));
            }
            None
        }
    }
}

async fn next_end(signals: &mut Signals) -> i32 {
    loop {
        let number = signals.next().await;
        if number == TERMINATE || number == INTERRUPT {
            return number;
        }
    }
}

/// Starts what is planned. Where a file may not be shown in place of another, it is started without, and that is said.
fn start(running: &RunningSidecar, plan: &Plan) -> io::Result<Application> {
    let Planned { command, resolver } = plan(running);
    if resolver.is_none() {
        return Application::start(command, None);
    }
    match Application::start(command, resolver) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let application = Application::start(plan(running).command, None)?;
            output::error(
                "warning: the application resolves names as the machine does: it may not have a resolver of its own\n\
                 hint: that takes CAP_SYS_ADMIN; its environment names every Service all the same",
            );
            Ok(application)
        }
        started => started,
    }
}

/// Nobody comes in any more; then the application ends, however it likes, within its time.
async fn end(running: &Arc<RunningSidecar>, attended: &mut Attended, number: i32, grace: Duration) -> Ended {
    let name = signals::name(number);
    output::note(format_args!("{name}: draining; a second signal goes to the application at once"));
    let draining = running.clone();
    let drained = tokio::task::spawn_blocking(move || draining.drain_inbound());
    let hurried = attended.until(drained, true).await;
    if let Err(ended) = hurried {
        return ended;
    }
    output::note("what came in is finished; the application is asked to end");
    // A terminal has told it already when it told us, and it is still there.
    attended.send(if number == INTERRUPT && os::shares_terminal() { TERMINATE } else { number });
    if let Err(ended) = attended.until(sleep(grace), false).await {
        return ended;
    }
    output::error(format_args!(
        "warning: the application has not ended within {} s and is killed\nhint: --grace gives it more time",
        grace.as_secs()
    ));
    attended.send(KILL);
    match attended.until(std::future::pending::<()>(), false).await {
        Err(ended) => ended,
        Ok(()) => Ended::Signalled(KILL as u8),
    }
}

/// Ends the proxy. A drain that a second signal did not wait for is left behind.
async fn stop(running: Arc<RunningSidecar>) {
    if let Some(running) = Arc::into_inner(running) {
        let _ = tokio::task::spawn_blocking(move || running.stop()).await; // One that panicked has said so already.
    }
}

impl Attended {
    async fn next(&mut self) -> Happened {
        loop {
            match self.signals.next().await {
                CHILD => {
                    // Nobody else waits for it, so there is no error but one of ours.
                    if let Ok(Some(ended)) = self.application.collect() {
                        return Happened::Ended(ended);
                    }
                }
                number => return Happened::Signal(number),
            }
        }
    }

    /// Waits for something; signals go on meanwhile. With `hurries` one that asks for the end ends the waiting. The
    /// application's end ends it in any case.
    async fn until<T>(&mut self, something: impl Future<Output = T>, hurries: bool) -> Result<(), Ended> {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                _ = &mut something => return Ok(()),
                happened = self.next() => match happened {
                    Happened::Ended(ended) => return Err(ended),
                    Happened::Signal(TERMINATE | INTERRUPT) if hurries => return Ok(()),
                    Happened::Signal(number) => self.pass_on(number),
                },
            }
        }
    }

    /// Passes a signal on, unless the terminal has sent it to the application as well.
    fn pass_on(&mut self, number: i32) {
        if !(OF_THE_TERMINAL.contains(&number) && os::shares_terminal()) {
            self.send(number);
        }
    }

    fn send(&mut self, number: i32) {
        if let Err(error) = self.application.signal(number) {
            output::error(format_args!(
                "warning: the application cannot be sent signal {number}: {error}\n\
                 hint: does it run as another user?"
            ));
        }
    }
}
