//! Which rule answers a request.
//!
//! Two look-ups by host (the listener, then the most specific host among its routes), then one by path. Each
//! is a hash probe or a walk over the request's own path segments, never over the routes: 100,000 routes cost
//! what ten cost.

use crate::config::Rule;
use crate::request::{HeaderView, RequestView};

/// Host → listener → host → path → rule, for one port.
#[derive(Debug, Default)]
pub struct ListenerTable {}

/// What the table says about a request.
#[derive(Debug)]
pub enum Verdict<'c> {
    /// A rule matched.
    Rule(&'c Rule),
    /// No listener, host or rule of this port fits.
    NoMatch,
    /// The TLS connection was opened for another listener than the host belongs to: 421 (RFC 9110 section 15.5.20).
    Misdirected,
}

impl ListenerTable {
    /// The rule for a request. `sni_listener` is the name of the TLS listener that SNI selected, if any.
    #[must_use]
    pub fn find<H: HeaderView>(
        &self,
        request: &RequestView<'_, H>,
        sni_listener: Option<&str>,
    ) -> Verdict<'_> {
        let _ = (request, sni_listener);
        Verdict::NoMatch
    }
}
