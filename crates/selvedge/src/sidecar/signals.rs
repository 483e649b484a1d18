//! Signals that come to the sidecar and are meant for its application.

use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Asks for the end.
pub const TERMINATE: i32 = SignalKind::terminate().as_raw_value();
/// Asks for the end from a keyboard.
pub const INTERRUPT: i32 = SignalKind::interrupt().as_raw_value();
/// A child has changed.
pub const CHILD: i32 = SignalKind::child().as_raw_value();
/// Ends whatever it is sent to.
pub const KILL: i32 = 9;

/// What is passed on at once.
const PASSED_ON: [SignalKind; 5] = [
    SignalKind::hangup(),
    SignalKind::quit(),
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
    SignalKind::window_change(),
];

/// What a keyboard or terminal sends to everybody in its foreground, the application among them.
pub const OF_THE_TERMINAL: [i32; 3] =
    [INTERRUPT, SignalKind::quit().as_raw_value(), SignalKind::window_change().as_raw_value()];

/// Everything that is caught. What comes while nobody looks is kept, once for each number.
#[derive(Debug)]
pub struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Catches what ends us, and with an application also what is passed on to it. Needs a runtime.
    ///
    /// # Errors
    /// The system lets nobody catch them.
    pub fn catch(with_application: bool) -> io::Result<Signals> {
        let passed_on: &[SignalKind] = if with_application { &PASSED_ON } else { &[] };
        let ours = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::child()];
        let caught = ours.iter().chain(passed_on).map(|kind| Ok((kind.as_raw_value(), signal(*kind)?)));
        Ok(Signals(caught.collect::<io::Result<_>>()?))
    }

    /// The next one.
    pub async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// How people call it.
pub fn name(number: i32) -> &'static str {
    match number {
        TERMINATE => "SIGTERM",
        INTERRUPT => "SIGINT",
        _ => "a signal",
    }
}
