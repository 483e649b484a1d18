//! Ends what is under way when a policy with `live: Enforce` forbids it by now.
//!
//! A change closes nothing by itself. Where a policy asks for it, every request that waits is woken once by the
//! change and asks the new configuration what it would be told if it came now.

use std::task::{Context, Poll};

use engine::Verdict;

use crate::caller;
use crate::exchange::Exchange;

/// Waits until a change forbids this request. The task is woken by every change that could.
#[inline]
pub fn poll(exchange: &Exchange<'_>, cx: &Context<'_>) -> Poll<()> {
    if exchange.open.is_told(cx) && is_forbidden(exchange) {
        return Poll::Ready(());
    }
    Poll::Pending
}

/// What it would be told now. A route that is gone forbids nothing.
#[cold]
fn is_forbidden(exchange: &Exchange<'_>) -> bool {
    let pinned = exchange.port.pin();
    let Verdict::Rule(rule) = exchange.find(&pinned) else { return false };
    rule.authorization.as_deref().is_some_and(|authorization| {
        let verdict = caller::judge(exchange, authorization);
        !verdict.allowed && verdict.enforced
    })
}
