//! Pins the config and asks the engine which rule answers.

use engine::Verdict;

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::mesh;
use crate::vouched;

/// Whether the connection still is what its port asks for.
///
/// # Errors
/// The port has begun to ask for certificates that the client has not shown, or takes members of the mesh only.
#[inline]
pub fn admit(exchange: &Exchange<'_>) -> Result<(), Failure> {
    let clock = exchange.worker.clock;
    let vouched = exchange.peer.vouched.as_deref();
    if exchange.peer.counterpart.is_none() && mesh::is_closed_to_strangers(exchange.pinned.port()) {
        return Err(Failure::MeshCleartext);
    }
    if vouched::may_ask(exchange.pinned.port(), vouched, || clock.unix(clock.now())) {
        return Ok(());
    }
    Err(Failure::ClientUnverified)
}

/// Writes the matched rule into the exchange.
///
/// # Errors
/// Nothing matches, or the connection was opened for another listener.
pub fn choose(exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    match exchange.find(exchange.pinned) {
        Verdict::Rule(rule) => {
            exchange.rule = Some(rule);
            Ok(())
        }
        Verdict::NoMatch => Err(Failure::NoRoute),
        Verdict::Misdirected => Err(Failure::Misdirected),
    }
}
