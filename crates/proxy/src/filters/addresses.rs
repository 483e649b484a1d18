//! From where a request comes, before anything else is asked of it.
//!
//! Who may not come at all shows no credential, is asked nothing, and costs no work. The address is the one that
//! proxies in front vouch for, as far as they are trusted; where they wrote something that is none, nobody knows where
//! the request comes from, and it does not pass.

use engine::config::{Rule, keeps_out};

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::forwarded;

/// Looks at the address of the client.
///
/// # Errors
/// A policy does not let it in.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    let Some(rules) = rule.addresses.as_deref() else { return Ok(()) };
    match keeps_out(rules, forwarded::vouched_address(exchange)) {
        None => Ok(()),
        Some(rule) => {
            exchange.kept_out_by = Some(&rule.policy);
            Err(Failure::AddressDenied)
        }
    }
}
