//! Spans that wait in their worker until there are enough of them, or a second has passed.
//!
//! Nothing here is shared: a span is appended to the worker's own bytes. Full batches change hands over a queue with a
//! bound; when the exporter cannot keep up, spans are dropped and counted, and no request waits.

use std::cell::RefCell;
use std::sync::Arc;

use engine::config::Tracing;
use tokio::sync::mpsc::{Sender, error::TrySendError};

use crate::limits::{SPAN_BUFFER_BYTES, SPAN_TARGETS_MAX};
use crate::state::metrics::Metrics;

/// Spans of one teller for one collector.
#[derive(Debug)]
pub struct Batch {
    /// Who tells, and whom.
    pub tracing: Arc<Tracing>,
    /// The spans, as fields of a `ScopeSpans`.
    pub spans: Vec<u8>,
    /// How many.
    pub count: u64,
}

/// A worker's spans.
#[derive(Debug)]
pub struct Spans {
    sender: Sender<Batch>,
    waiting: RefCell<Vec<Batch>>,
    metrics: Arc<Metrics>,
}

impl Spans {
    /// None yet; full batches go to `sender`.
    #[must_use]
    pub fn new(sender: Sender<Batch>, metrics: Arc<Metrics>) -> Spans {
        Spans { sender, waiting: RefCell::default(), metrics }
    }

    /// Takes in one more span, which `write` appends.
    pub fn write(&self, tracing: &Arc<Tracing>, write: impl FnOnce(&mut Vec<u8>)) {
        let waiting = &mut *self.waiting.borrow_mut();
        let known = waiting.iter().position(|batch| Arc::ptr_eq(&batch.tracing, tracing));
        let at = known.unwrap_or_else(|| {
            if waiting.len() >= SPAN_TARGETS_MAX {
                // A config that is no longer in force has left them behind.
                waiting.drain(..).for_each(|batch| drop(self.hand_over(batch)));
            }
            waiting.push(Batch { tracing: tracing.clone(), spans: Vec::new(), count: 0 });
            waiting.len() - 1
        });
        let batch = &mut waiting[at];
        write(&mut batch.spans);
        batch.count += 1;
        self.metrics.spans.add(1);
        if batch.spans.len() >= SPAN_BUFFER_BYTES {
            self.turn_over(batch);
        }
    }

    /// Hands over what waits.
    pub fn flush(&self) {
        let waiting = &mut *self.waiting.borrow_mut();
        waiting.retain(|batch| batch.count > 0); // Nothing for a whole second: the room is not kept.
        waiting.iter_mut().for_each(|batch| self.turn_over(batch));
    }

    /// Hands a batch over and begins the next one.
    fn turn_over(&self, batch: &mut Batch) {
        let next = Batch { tracing: batch.tracing.clone(), spans: Vec::new(), count: 0 };
        let full = std::mem::replace(batch, next);
        if let Some(mut returned) = self.hand_over(full) {
            returned.spans.clear();
            batch.spans = returned.spans;
        }
    }

    /// Returns a batch that nobody took.
    fn hand_over(&self, batch: Batch) -> Option<Batch> {
        match self.sender.try_send(batch) {
            Ok(()) => None,
            Err(TrySendError::Full(batch) | TrySendError::Closed(batch)) => {
                self.metrics.spans_dropped.add(batch.count);
                Some(batch)
            }
        }
    }
}

impl Drop for Spans {
    /// What ends with its worker is told, too.
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use engine::config::Collector;

    use super::*;
    use tokio::sync::mpsc;

    fn tracing() -> Arc<Tracing> {
        let (collector, resource) = (Arc::new(Collector::plain("http://a/v1/traces")), Arc::new([]));
        Arc::new(Tracing { collector, numerator: 1, denominator: 1, resource })
    }

    #[test]
    fn a_full_queue_costs_spans_that_are_counted_and_nothing_else() {
        let (sender, mut received) = mpsc::channel(1);
        let metrics = Arc::<Metrics>::default();
        let spans = Spans::new(sender, metrics.clone());
        let tracing = tracing();

        for _ in 0..3 {
            spans.write(&tracing, |out| out.extend_from_slice(b"span"));
            spans.flush();
        }

        assert_eq!((metrics.spans.get(), metrics.spans_dropped.get()), (3, 2));
        let batch = received.try_recv().unwrap();
        assert_eq!((batch.count, &*batch.spans), (1, &b"span"[..]));
        assert!(received.try_recv().is_err());
    }

    #[test]
    fn spans_travel_together_until_there_are_enough() {
        let (sender, mut received) = mpsc::channel(8);
        let spans = Spans::new(sender, Arc::default());
        let tracing = tracing();

        while received.is_empty() {
            spans.write(&tracing, |out| out.extend_from_slice(&[0; 1024]));
        }

        let batch = received.try_recv().unwrap();
        assert_eq!(batch.spans.len(), SPAN_BUFFER_BYTES);
        assert_eq!(batch.count as usize, SPAN_BUFFER_BYTES / 1024);
    }

    #[test]
    fn the_spans_of_a_worker_that_ends_are_not_lost() {
        let (sender, mut received) = mpsc::channel(8);
        let spans = Spans::new(sender, Arc::default());
        spans.write(&tracing(), |out| out.extend_from_slice(b"last"));

        drop(spans);

        assert_eq!(received.try_recv().unwrap().count, 1);
    }
}
