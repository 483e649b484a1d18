//! One collector, and the patience that is had with it.
//!
//! A batch that the collector cannot take now is sent again, with pauses that grow, as the specification asks: not
//! before the moment that it named. Any other answer is final. What is said on the wire stands in [`super::otlp`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use engine::config::{self, Tracing};
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::buffer::Batch;
use super::exporter::Exported;
use super::otlp::{Line, Refusal};
use super::proto::{attribute, bytes, message};
use crate::limits::{
    COLLECTOR_IDLE_SECONDS, COLLECTOR_SECONDS, SPAN_POST_BYTES, SPAN_RETRIES_MAX, SPAN_RETRY_SECONDS,
};
use crate::state::random::Random;

/// The first pause before another try.
const PAUSE: Duration = Duration::from_secs(1);

/// One collector and the connection to it.
pub struct Collector {
    /// `None` for one whose settings cannot be used: it is told nothing.
    line: Option<Line>,
    exported: Arc<Exported>,
    random: Random,
}

impl Collector {
    /// A collector that has not been asked yet.
    pub fn new(to: &Arc<config::Collector>, exported: Arc<Exported>) -> Collector {
        Collector { line: Line::new(to), exported, random: Random::new() }
    }

    /// Tells whatever comes, until nothing has come for `COLLECTOR_IDLE_SECONDS` or nothing can come any more.
    pub async fn serve(mut self, mut received: Receiver<Batch>) {
        let idle = Duration::from_secs(u64::from(COLLECTOR_IDLE_SECONDS));
        while let Ok(Some(first)) = timeout(idle, received.recv()).await {
            let mut batches = vec![first];
            let mut size = batches[0].spans.len();
            while size < SPAN_POST_BYTES
                && let Ok(next) = received.try_recv()
            {
                size += next.spans.len();
                batches.push(next);
            }
            self.tell(&batches, &received).await;
        }
    }

    /// Sends one message until it is taken, refused or given up.
    async fn tell(&mut self, batches: &[Batch], received: &Receiver<Batch>) {
        let count = batches.iter().map(|batch| batch.count).sum::<u64>();
        let message = Bytes::from(request(batches));
        let mut pause = PAUSE;
        for _ in 0..=SPAN_RETRIES_MAX {
            let within = Duration::from_secs(u64::from(COLLECTOR_SECONDS));
            let posted = timeout(within, self.post(message.clone())).await;
            let asked = match posted.unwrap_or(Err(Refusal::ForNow(None))) {
                Ok(rejected) => {
                    self.exported.refused.fetch_add(rejected.min(count), Relaxed);
                    self.exported.taken.fetch_add(count.saturating_sub(rejected), Relaxed);
                    return;
                }
                Err(Refusal::Final) => {
                    self.exported.refused.fetch_add(count, Relaxed);
                    return;
                }
                Err(Refusal::ForNow(asked)) => asked,
            };
            self.line.iter_mut().for_each(Line::hang_up);
            // Half of it by chance: many proxies lose the same collector at the same moment.
            let half = u32::try_from(pause.as_millis() / 2).unwrap_or(u32::MAX).max(1);
            let longest = Duration::from_secs(u64::from(SPAN_RETRY_SECONDS));
            let chosen = pause / 2 + Duration::from_millis(u64::from(self.random.below(half)));
            let chosen = asked.map_or(chosen, |asked| asked.max(chosen)).min(longest);
            if received.is_closed() {
                break; // The proxy ends: nobody waits that long.
            }
            sleep(chosen).await;
            pause = (pause * 2).min(longest);
        }
        self.exported.unreachable.fetch_add(count, Relaxed);
    }

    /// Returns how many of the spans the collector did not want.
    async fn post(&mut self, message: Bytes) -> Result<u64, Refusal> {
        match &mut self.line {
            Some(line) => line.post(message).await,
            None => Err(Refusal::Final),
        }
    }
}

/// `ExportTraceServiceRequest`: for each teller its resource and its spans.
fn request(batches: &[Batch]) -> Vec<u8> {
    let size = batches.iter().map(|batch| batch.spans.len() + 512).sum();
    let mut out = Vec::with_capacity(size);
    for batch in batches {
        message(&mut out, 1, |out| {
            message(out, 1, |out| resource(out, &batch.tracing));
            message(out, 2, |out| {
                message(out, 1, |out| {
                    bytes(out, 1, b"selvedge");
                    bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
                });
                out.extend_from_slice(&batch.spans);
            });
        });
    }
    out
}

fn resource(out: &mut Vec<u8>, tracing: &Tracing) {
    for (key, value) in tracing.resource.iter() {
        attribute(out, 1, key, value.as_bytes());
    }
}
