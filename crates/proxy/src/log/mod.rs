//! What is told about a request, or about a connection that carried bytes, exactly once, however it ended: when its
//! exchange or session is dropped.
//!
//! Lines are formatted into the worker's own buffer and handed to a writer thread in large pieces. A writer
//! that cannot keep up costs lines, which are counted, and never a request.

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::exchange::{Exchange, Outcome};
use crate::failure::Failure;
use crate::limits::{LOG_BUFFER_BYTES, LOG_BUFFERS_WAITING_MAX};
use crate::session::Session;
use crate::state::metrics::Metrics;
use crate::tap::Filter;
use crate::trace;

mod fields;
mod line;
mod session;
mod usage;

use line::{END, Query};
pub use line::{write_decisions, write_policy};

/// Where access log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSink {
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File(PathBuf),
    /// Nowhere; metrics are kept all the same.
    Off,
}

/// The thread that writes log lines.
#[derive(Debug)]
pub struct Writer {
    sender: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts a writer.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn start(sink: &LogSink) -> std::io::Result<Writer> {
        let out: Box<dyn Write + Send> = match sink {
            LogSink::Off => return Ok(Writer { sender: None, thread: None }),
            LogSink::Stdout => Box::new(std::io::stdout()),
            LogSink::File(path) => Box::new(std::fs::File::options().create(true).append(true).open(path)?),
        };
        let (sender, receiver) = sync_channel(LOG_BUFFERS_WAITING_MAX);
        let thread =
            std::thread::Builder::new().name("log".into()).spawn(move || write_all(out, &receiver))?;
        Ok(Writer { sender: Some(sender), thread: Some(thread) })
    }

    /// A worker's end.
    #[must_use]
    pub fn log(&self, metrics: Arc<Metrics>) -> Log {
        Log { sender: self.sender.clone(), buffer: RefCell::default(), metrics }
    }

    /// Waits until everything handed over is written. Workers must have let go of their ends.
    pub fn finish(mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // A writer that panicked has nothing more to write.
        }
    }
}

fn write_all(mut out: Box<dyn Write + Send>, receiver: &Receiver<Vec<u8>>) {
    while let Ok(lines) = receiver.recv() {
        // A log that cannot be written must not stop traffic; the reader of the log sees the gap.
        let _ = out.write_all(&lines).and_then(|()| out.flush());
    }
}

/// A worker's access log.
#[derive(Debug)]
pub struct Log {
    sender: Option<SyncSender<Vec<u8>>>,
    buffer: RefCell<Lines>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    count: u64,
    moment: line::Moment,
}

impl Log {
    fn write(&self, line: impl FnOnce(&mut Vec<u8>, &mut line::Moment)) {
        if self.sender.is_none() {
            return;
        }
        let lines = &mut *self.buffer.borrow_mut();
        line(&mut lines.text, &mut lines.moment);
        lines.count += 1;
        if lines.text.len() >= LOG_BUFFER_BYTES {
            self.hand_over(lines);
        }
    }

    /// Hands what was written to the writer.
    pub fn flush(&self) {
        let lines = &mut *self.buffer.borrow_mut();
        if !lines.text.is_empty() {
            self.hand_over(lines);
        }
    }

    fn hand_over(&self, lines: &mut Lines) {
        let Some(sender) = &self.sender else { return };
        let text = std::mem::replace(&mut lines.text, Vec::with_capacity(LOG_BUFFER_BYTES + 1024));
        let count = std::mem::take(&mut lines.count);
        match sender.try_send(text) {
            Ok(()) => {}
            Err(TrySendError::Full(mut text) | TrySendError::Disconnected(mut text)) => {
                self.metrics.log_lines_dropped.add(count);
                text.clear();
                lines.text = text;
            }
        }
    }
}

impl Drop for Log {
    /// What ends with its worker is written, too.
    fn drop(&mut self) {
        self.flush();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let duration = self.worker.clock.now().saturating_duration_since(self.started);
        // Nobody said how it ended: its worker did, with everything that was still open.
        let ended = if std::thread::panicking() { Failure::Panicked } else { Failure::Drained };
        self.outcome = Some(self.outcome.unwrap_or(Err(ended)));
        let failure = self.failure();
        if let Some(failure) = failure {
            self.worker.metrics.failures[failure as usize].add(1);
        }
        let micros = duration.as_micros() as u64;
        self.cells().observe(micros, failure.is_some());
        self.counted.iter().flatten().for_each(|cells| cells.connections.observe(micros, failure.is_some()));
        let began = self.worker.clock.unix(self.started);
        if self.worker.taps.is_any() {
            let write = |_: &Filter, out: &mut Vec<u8>| {
                session::write(out, &mut line::Moment::default(), began, duration, self);
            };
            let wants = |filter: &Filter| filter.wants_connection(self);
            self.worker.taps.tell(self.worker.deadlines.now(), wants, write);
        }
        trace::session::finish(self);
        if self.settings.access_log {
            self.worker.log.write(|out, moment| session::write(out, moment, began, duration, self));
        }
    }
}

/// Shows a request to those who watch.
#[cold]
fn show(exchange: &Exchange<'_>, lasted: Duration) {
    let worker = exchange.worker;
    let times = (worker.clock.unix(exchange.request.started), lasted);
    let write = |filter: &Filter, out: &mut Vec<u8>| {
        line::write(out, &mut line::Moment::default(), times, exchange, Query::Hidden);
        if filter.headers {
            out.truncate(out.len() - END.len());
            fields::write(out, exchange);
            out.extend_from_slice(END);
        }
    };
    worker.taps.tell(worker.deadlines.now(), |filter| filter.wants_request(exchange), write);
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.is_copy {
            return;
        }
        let worker = self.worker;
        let now = worker.clock.now();
        let duration = now.saturating_duration_since(self.request.started);
        let cells = match self.rule {
            Some(rule) => worker.metrics.rule(rule.slot),
            None => &worker.metrics.unrouted,
        };
        if self.outcome.status == 0 && std::thread::panicking() {
            self.fail(Failure::Panicked);
        }
        if let Some(failure) = self.outcome.failure {
            worker.metrics.failures[failure as usize].add(1);
            if self.outcome.status == 0 {
                self.outcome.is_refused = true;
                self.outcome.status = failure.facts().status;
            }
        }
        let micros = duration.as_secs() * 1_000_000 + u64::from(duration.subsec_micros());
        cells.observe(self.outcome.status, micros, self.outcome.request_bytes, self.outcome.response_bytes);
        if let Some(counted) = self.peer.counterpart.as_ref().and_then(|caller| caller.counted.as_ref()) {
            let Outcome { status, request_bytes, response_bytes, .. } = self.outcome;
            counted.requests.observe(status, micros, request_bytes, response_bytes);
        }
        if let Some(member) = &self.outcome.member
            && let Some(counted) = member.counted(&worker.metrics, &worker.member)
        {
            let Outcome { status, request_bytes, response_bytes, .. } = self.outcome;
            counted.requests.observe(status, micros, request_bytes, response_bytes);
        }
        usage::count(self, now);
        trace::finish(self);
        if worker.taps.is_any() {
            show(self, duration);
        }
        if self.settings().access_log {
            let began = worker.clock.unix(self.request.started);
            worker.log.write(|out, moment| line::write(out, moment, (began, duration), self, Query::Shown));
        }
    }
}
