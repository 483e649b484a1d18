//! The keys of token issuers as far as this worker knows them, by the stable slots of their sources.
//!
//! A thread beside the workers asks for keys ([`crate::keys`]) and sends every worker what it finds, so that verifying
//! takes no lock. A worker that misses a key says so and may wait for news.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::authentication::KeySlot;
use model::jwk::KeySet;
use tokio::sync::{Notify, mpsc};

use super::Shared;
use crate::limits::KEYS_AGAIN_SECONDS;

/// Keys of all issuers.
#[derive(Debug)]
pub struct Keys {
    answers: RefCell<Vec<Answer>>,
    /// Told whenever an answer came, whatever it was.
    news: Notify,
    missing: mpsc::Sender<KeySlot>,
}

/// What came from one source.
#[derive(Clone, Debug, Default)]
struct Answer {
    keys: Option<Shared<KeySet>>,
    at: Option<Instant>,
}

impl Keys {
    /// Nothing is known yet. What is missing is told to `missing`.
    #[must_use]
    pub fn new(missing: mpsc::Sender<KeySlot>) -> Keys {
        Keys { answers: RefCell::default(), news: Notify::new(), missing }
    }

    /// The keys of a source.
    #[must_use]
    pub fn of(&self, slot: KeySlot) -> Option<Shared<KeySet>> {
        self.answers.borrow().get(slot.0 as usize)?.keys.clone()
    }

    /// Whether the source was asked so lately that it will not be asked again soon.
    #[must_use]
    pub fn are_fresh(&self, slot: KeySlot, now: Instant) -> bool {
        let answered = self.answers.borrow().get(slot.0 as usize).and_then(|answer| answer.at);
        answered.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_secs(KEYS_AGAIN_SECONDS))
    }

    /// An answer came; without keys when there are none.
    pub fn answered(&self, slot: KeySlot, keys: Option<Arc<KeySet>>, now: Instant) {
        let answers = &mut *self.answers.borrow_mut();
        let at = slot.0 as usize;
        if answers.len() <= at {
            answers.resize(at + 1, Answer::default());
        }
        answers[at] = Answer { keys: keys.map(Rc::new), at: Some(now) };
        self.news.notify_waiters();
    }

    /// Says that a key is missing, and waits for some answer, not beyond a moment.
    pub async fn wait(&self, slot: KeySlot, until: Instant) {
        let news = self.news.notified();
        // A queue that is full holds the question of somebody who has just asked the same, or will be asked soon.
        let _ = self.missing.try_send(slot);
        let _elapsed = tokio::time::timeout_at(until.into(), news).await;
    }
}
