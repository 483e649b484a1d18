//! Work that only one of several control planes may do at a time.
//!
//! A lease says who. The leader prolongs it well before it runs out, and stops its work when it could not: by its own
//! clock, counted from before it asked, so that it stops before another one may begin. Because a process can also be
//! held up without noticing, what the work writes carries the [`Fence`] of the lease, and the store refuses it once
//! somebody else has led.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::store::backoff::Backoff;
use crate::store::{Fence, Store};

/// For how long a lease is taken. A leader that dies is followed by another one after at most this.
pub const TERM: Duration = Duration::from_secs(10);

/// One of those that want to do some work, and the only one that does it while it leads.
#[derive(Debug)]
pub struct Candidate {
    store: Arc<dyn Store>,
    lease: Arc<str>,
    holder: Arc<str>,
    term: Duration,
    leading: watch::Sender<Option<Fence>>,
}

impl Candidate {
    /// A candidate for the work that is protected by a lease.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, lease: &str, term: Duration) -> Self {
        let leading = watch::Sender::new(None);
        Candidate { store, lease: lease.into(), holder: new_holder(), term, leading }
    }

    /// The proof of leadership, while this candidate leads.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<Option<Fence>> {
        self.leading.subscribe()
    }

    /// Runs the work whenever this candidate leads, until `stop` is ready; gives the lease back then. The work is
    /// dropped when the lease is lost, and begun anew when it is won again or has come to its end.
    pub async fn run<W: Future<Output = ()>>(
        &self,
        stop: impl Future<Output = ()>,
        work: impl Fn(Fence) -> W,
    ) {
        let mut stop = pin!(stop);
        let mut backoff = Backoff::default();
        loop {
            let asked = Instant::now();
            let granted = tokio::select! {
                granted = self.ask() => granted,
                () = &mut stop => return,
            };
            if let Some(fence) = granted {
                backoff.reset();
                let stopped = tokio::select! {
                    () = self.lead(&fence, asked, &work) => false,
                    () = &mut stop => true,
                };
                self.leading.send_replace(None);
                // When it cannot be given back it runs out.
                let _ = self.store.release(&fence).await;
                if stopped {
                    return;
                }
            }
            let pause = backoff.next().min(self.term / 3);
            tokio::select! {
                () = sleep(pause) => {}
                () = &mut stop => return,
            }
        }
    }

    /// Works for as long as the lease can be prolonged.
    async fn lead<W: Future<Output = ()>>(&self, fence: &Fence, asked: Instant, work: &impl Fn(Fence) -> W) {
        self.leading.send_replace(Some(fence.clone()));
        let _shown = Shown(&self.leading);
        tokio::select! {
            () = work(fence.clone()) => {}
            () = self.prolong(fence, asked) => {}
        }
    }

    /// Ends when the lease is lost, or may be.
    async fn prolong(&self, fence: &Fence, asked: Instant) {
        let mut until = asked + self.term;
        let mut backoff = Backoff::default();
        let mut pause = self.term / 3;
        loop {
            if timeout_at(until, sleep(pause)).await.is_err() {
                return;
            }
            let asked = Instant::now();
            match timeout_at(until, self.store.lease(&self.lease, &self.holder, milliseconds(self.term)))
                .await
            {
                Ok(Ok(Some(still))) if still.token == fence.token => {
                    until = asked + self.term;
                    pause = self.term / 3;
                    backoff.reset();
                }
                Ok(Ok(_)) | Err(_) => return,
                Ok(Err(_unreachable)) => pause = backoff.next().min(self.term / 3),
            }
        }
    }

    async fn ask(&self) -> Option<Fence> {
        // Whoever cannot reach the store does not lead; that it cannot be reached is told by those who read it.
        self.store.lease(&self.lease, &self.holder, milliseconds(self.term)).await.ok().flatten()
    }
}

/// Takes the proof of leadership back, however the work ends.
struct Shown<'a>(&'a watch::Sender<Option<Fence>>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A name that no other process has, nor this one after it was started again.
fn new_holder() -> Arc<str> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

#[cfg(test)]
mod tests;
