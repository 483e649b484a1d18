//! Whether the application can serve: asked by its own sidecar, told to everybody else.
//!
//! The sidecar is the one place from which asking is cheap and close, so nobody else asks over the network. One success
//! makes ready, several failures in a row make unready: what has just begun should get requests soon, and one slow
//! answer should not take a replica out.

mod check;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

pub use check::Check;

/// Time between two questions.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// Time between two questions until the first success: a new replica should not wait for its turn.
pub const INTERVAL_FIRST: Duration = Duration::from_millis(200);
/// How long the application has to answer. Past it the question has failed.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Failures in a row after which it is not ready.
pub const FAILURES_MAX: u32 = 3;

/// What is known of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Ready,
    /// It does not (yet), and why.
    Unready(String),
}

impl Health {
    /// What is known before anything was asked.
    #[must_use]
    pub fn before(check: &Check) -> Health {
        match check {
            Check::Off => Health::Ready,
            Check::Http { .. } | Check::Grpc { .. } | Check::Tcp(_) | Check::Exec { .. } => {
                Health::Unready("it was not asked yet".to_owned())
            }
        }
    }
}

/// What a row of answers means.
#[derive(Debug)]
struct Judge {
    health: Health,
    failures: u32,
}

impl Judge {
    fn new() -> Judge {
        Judge { health: Health::Unready("it was not asked yet".to_owned()), failures: 0 }
    }

    /// Takes an answer in; says what has changed, if anything.
    fn take(&mut self, answer: Result<(), String>) -> Option<Health> {
        let next = match answer {
            Ok(()) => {
                self.failures = 0;
                Health::Ready
            }
            Err(why) => {
                self.failures += 1;
                if self.health == Health::Ready && self.failures < FAILURES_MAX {
                    return None;
                }
                Health::Unready(why)
            }
        };
        let changed = self.health != next;
        self.health = next;
        changed.then(|| self.health.clone())
    }
}

/// Asks for as long as somebody wants to know.
pub async fn watch(check: Check, told: watch::Sender<Health>) {
    let mut judge = Judge::new();
    let mut was_ready = false;
    loop {
        if let Some(changed) = judge.take(check.ask().await) {
            was_ready |= changed == Health::Ready;
            told.send_replace(changed);
        }
        tokio::select! {
            () = sleep(if was_ready { INTERVAL } else { INTERVAL_FIRST }) => {}
            () = told.closed() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_makes_ready_and_only_a_row_of_failures_makes_unready() {
        let failed = || Err("refused".to_owned());
        let mut judge = Judge::new();
        assert_eq!(judge.take(failed()), Some(Health::Unready("refused".to_owned())));
        assert_eq!(judge.take(Ok(())), Some(Health::Ready));
        for _ in 1..FAILURES_MAX {
            assert_eq!(judge.take(failed()), None);
        }
        assert_eq!(judge.take(Ok(())), None, "it was ready all the time");
        for _ in 1..FAILURES_MAX {
            assert_eq!(judge.take(failed()), None);
        }
        assert_eq!(judge.take(failed()), Some(Health::Unready("refused".to_owned())));
    }
}
