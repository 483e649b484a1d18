//! How far this proxy is with what its control plane wants: for metrics, readiness and reports.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use discovery::Rejection;
use tokio::sync::Notify;

use crate::proxy::Bound;

/// Written by the threads that follow the control plane, read by whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    state: Mutex<State>,
    /// Something that the control plane should hear at once.
    urgent: Notify,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The epoch in use; 0 for none.
    pub epoch: u64,
    /// When it was put into use.
    pub applied: Option<Instant>,
    /// Age of what is in use when it was put into use, when it came from the disk and was not confirmed since.
    pub cached_age: Option<Duration>,
    /// Whether the control plane is connected.
    pub connected: bool,
    /// When it was last heard of, unless it is connected.
    pub lost: Option<Instant>,
    /// What became of each address.
    pub bound: Vec<Bound>,
    /// What could not be taken, by its latest push.
    pub rejected: Vec<Rejection>,
    /// Certificates that are in use although expired or not yet valid.
    pub warnings: Vec<String>,
    /// How far it is with its customers; `None` before anybody told of any.
    pub customers: Option<crate::customers::Standing>,
    /// Whether the application beside this proxy can serve; `None` where there is none, or none is asked.
    pub application_ready: Option<bool>,
}

impl Progress {
    /// As it is now.
    #[must_use]
    pub fn now(&self) -> State {
        self.lock().clone()
    }

    /// Changes it.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
    }

    /// Says whether the application beside this proxy can serve. The control plane is told at once.
    pub fn application(&self, is_ready: bool) {
        self.change(|state| state.application_ready = Some(is_ready));
        self.tell();
    }

    /// Has the control plane told at once how far this proxy is.
    pub fn tell(&self) {
        self.urgent.notify_one();
    }

    /// Waits for something that the control plane should hear at once.
    pub async fn urgent(&self) {
        self.urgent.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How old what is in use is: since it was applied, and what it had been lying on the disk before.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let applied = self.applied?;
        Some(now.saturating_duration_since(applied) + self.cached_age.unwrap_or_default())
    }

    /// How long nothing was heard of the control plane.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        match self.lost {
            Some(lost) if !self.connected => now.saturating_duration_since(lost),
            Some(_) | None => Duration::ZERO,
        }
    }

    /// One line for people who ask whether it is ready.
    #[must_use]
    pub fn sentence(&self, now: Instant) -> String {
        let source = if self.cached_age.is_some() { ", from the cache" } else { "" };
        let age = self.age(now).unwrap_or_default().as_secs();
        match (self.connected, self.epoch) {
            (true, 0) => "control plane connected, nothing received yet".to_owned(),
            (true, epoch) => format!("control plane connected, epoch {epoch} in use for {age} s{source}"),
            (false, 0) => "waiting for the control plane".to_owned(),
            (false, epoch) => {
                let silence = self.silence(now).as_secs();
                format!("control plane away for {silence} s, epoch {epoch} is {age} s old{source}")
            }
        }
    }
}
