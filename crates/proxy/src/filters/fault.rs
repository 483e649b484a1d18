//! Delays and failures made on purpose.

use std::time::Duration;

use engine::HeaderView;
use engine::config::{Abort, Fault};

use crate::exchange::Exchange;

/// What was drawn for one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn {
    /// How long it is held back.
    pub delay: Option<Duration>,
    /// With what it is answered, instead of asking the upstream.
    pub abort: Option<Abort>,
}

/// Draws what becomes of a request.
#[must_use]
pub fn draw(exchange: &Exchange<'_>, fault: &Fault) -> Drawn {
    let fields = exchange.view().headers;
    if !fault.when.iter().all(|condition| condition.is_met(fields.first(condition.header.as_bytes()))) {
        return Drawn::default();
    }
    let hit = |percent: u8| exchange.worker.random.below(100) < u32::from(percent);
    let metrics = &exchange.worker.metrics;
    let delay = fault.delay.filter(|(_, percent)| hit(*percent)).map(|(time, _)| time);
    let abort = fault.abort.filter(|(_, percent)| hit(*percent)).map(|(with, _)| with);
    metrics.faults_delayed.add(u64::from(delay.is_some()));
    metrics.faults_aborted.add(u64::from(abort.is_some()));
    Drawn { delay, abort }
}
