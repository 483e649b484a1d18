//! Asks the policies of the rule whether a request may pass: before anything else is done for it.
//!
//! A CORS preflight that the rule answers itself never comes here. It carries no credentials by design (Fetch standard,
//! section "CORS protocol and credentials"), so it could satisfy no policy that asks who somebody is; it reaches no
//! backend, and the request that it asks for is judged when it comes.

use engine::authorization::Decision;
use engine::config::Rule;

use crate::caller;
use crate::exchange::Exchange;
use crate::failure::Failure;

/// Judges a request, and notes what there is to tell.
///
/// # Errors
/// It may not pass.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    let Some(authorization) = &rule.authorization else { return Ok(()) };
    let verdict = caller::judge(exchange, authorization);
    for audit in &verdict.audits {
        count(exchange, audit);
    }
    exchange.audits = verdict.audits;
    if verdict.allowed {
        return Ok(());
    }
    match &verdict.by {
        Some(by) => count(exchange, by),
        None => exchange.worker.metrics.policy(engine::authorization::PolicySlot(0)).add(1),
    }
    exchange.denied_by = verdict.by;
    Err(Failure::DeniedByPolicy)
}

fn count(exchange: &Exchange<'_>, decision: &Decision<'_>) {
    exchange.worker.metrics.policy(decision.slot()).add(1);
}
