//! Pins the config and asks the engine which rule answers.

use engine::Verdict;

use crate::exchange::Exchange;
use crate::failure::Failure;

/// Writes the matched rule into the exchange.
///
/// # Errors
/// Nothing matches, or the connection was opened for another listener.
pub fn choose(exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    let pinned = exchange.pinned;
    match pinned.port().table.find(&exchange.view(), exchange.peer.listener.as_deref()) {
        Verdict::Rule(rule) => {
            exchange.rule = Some(rule);
            Ok(())
        }
        Verdict::NoMatch => Err(Failure::NoRoute),
        Verdict::Misdirected => Err(Failure::Misdirected),
    }
}
