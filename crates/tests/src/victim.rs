//! The innocent bystander of every attack.
//!
//! After an attack, somebody else's connection sends an ordinary request through the same upstream pool. It
//! must get its own answer, and the upstream must have seen that request and nothing stuck to it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::{exchange, get};
use crate::upstream::Upstream;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Sends an ordinary request and checks its answer and the upstream's log.
///
/// # Errors
/// What happened to the bystander.
pub async fn unharmed(gateway: SocketAddr, host: &str, upstream: &Upstream) -> Result<(), String> {
    let target = format!("/victim/{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let answer = exchange(gateway, get(host, &target, "")).await;
    let answer = answer.map_err(|problem| format!("the bystander got no answer: {problem}"))?;
    let line = format!("GET {target}");
    if answer.status != 200 || answer.text() != line {
        return Err(format!(
            "the bystander got {} {:?} instead of its own answer",
            answer.status,
            answer.text()
        ));
    }
    let times = upstream.lines().iter().filter(|seen| **seen == line).count();
    if times != 1 {
        return Err(format!("the upstream saw the bystander's request {times} times"));
    }
    upstream.exact()
}
