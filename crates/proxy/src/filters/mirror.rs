//! Notes that copies of a request are to go elsewhere. They are sent by `copies.rs`, when the request has gone.

use engine::config::Mirror;

use crate::exchange::Exchange;

/// Draws whether this request is copied, and notes it.
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rules: &'c Mirror) {
    if exchange.is_copy || exchange.worker.random.below(rules.denominator.max(1)) >= rules.numerator {
        return;
    }
    exchange.mirrors.push(rules);
}
