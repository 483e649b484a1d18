//! Bounded waits for a state.
//!
//! A spec never sleeps: it names what must become true and fails with that name when it does not. The short
//! pause between two looks lives here and nowhere else.

use std::future::Future;
use std::time::Duration;

/// How long a spec waits before it calls a promise broken. Generous, because nothing waits it out in the
/// good case and the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Looks without a change after which something counts as settled.
const LOOKS_AT_REST: usize = 100;

/// The result of `future`, or an error that names what was awaited.
///
/// # Errors
/// When [`PATIENCE`] ends first.
pub async fn within<F: Future>(what: &str, future: F) -> Result<F::Output, String> {
    within_time(PATIENCE, what, future).await
}

/// As [`within`], with a bound of its own.
///
/// # Errors
/// When `patience` ends first.
pub async fn within_time<F: Future>(patience: Duration, what: &str, future: F) -> Result<F::Output, String> {
    tokio::time::timeout(patience, future)
        .await
        .map_err(|_| format!("waited {} ms in vain: {what}", patience.as_millis()))
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`PATIENCE`].
pub async fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, condition).await;
}

/// As [`eventually`], with a bound of its own.
///
/// # Panics
/// When the condition does not hold within `patience`.
pub async fn eventually_within(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let looking = async {
        while !condition() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    if let Err(problem) = within_time(patience, what, looking).await {
        panic!("{problem}");
    }
}

/// Repeats an asynchronous question until it has an answer.
///
/// # Panics
/// When there is none within [`PATIENCE`].
pub async fn eventually_some<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    match within(what, asking).await {
        Ok(answer) => answer,
        Err(problem) => panic!("{problem}"),
    }
}

/// The value of something that grows by itself, once it has stood still for a while.
///
/// # Panics
/// When it does not come to rest within [`PATIENCE`].
pub async fn settled(what: &str, mut look: impl FnMut() -> usize) -> usize {
    let (mut last, mut still) = (look(), 0);
    eventually(what, || {
        let now = look();
        still = if now == last { still + 1 } else { 0 };
        last = now;
        still == LOOKS_AT_REST
    })
    .await;
    last
}
