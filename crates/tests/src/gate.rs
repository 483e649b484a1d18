//! A door that a spec opens when it is ready, so that order comes from the spec and not from the clock.

use tokio::sync::watch;

/// Closed until somebody opens it; then open for ever, for everyone who waits.
#[derive(Clone, Debug)]
pub struct Gate {
    state: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Gate::closed()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Gate {
        Gate { state: watch::channel(false).0 }
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.state.send_replace(true);
    }

    /// Returns once the gate is open.
    pub async fn passed(&self) {
        let mut receiver = self.state.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = receiver.wait_for(|open| *open).await;
    }
}
