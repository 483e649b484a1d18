//! What is done once a new configuration has settled: nothing is under way that was needed for it alone.
//!
//! Reading and compiling a configuration takes more code than serving by it does. A proxy stands beside every replica,
//! so what it needs while it only serves is what counts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// How long nothing may have been applied. Shorter, and the announcement of a start would still be under way.
const QUIET: Duration = Duration::from_millis(500);

/// Lets go of the program's code whenever a configuration has settled; what is still needed comes back by itself.
pub async fn let_go_of_code(applied: Arc<Notify>) {
    loop {
        applied.notified().await;
        while tokio::time::timeout(QUIET, applied.notified()).await.is_ok() {}
        // Without it there is only more memory in use than need be.
        let _ = os::let_go_of_code();
    }
}
