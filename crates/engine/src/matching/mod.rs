//! Which rule answers a request.
//!
//! Two look-ups by host (the listener, then the most specific host among its routes), then one by path. Each
//! is a hash probe or a walk over the request's own path segments, never over the routes: 100,000 routes cost
//! what ten cost. Nothing in here allocates while it answers, except to decode a long query value for a
//! regular expression (see [`query`]).

mod field;
mod host_map;
mod host_table;
mod paths;
mod pattern;
pub mod query;
mod segments;
mod template;

pub use field::{FieldMatch, Requirements, ValueMatch};
pub use host_map::{HostMap, HostPattern};
pub use host_table::{Entry, HostTable, Seniority};
pub use paths::PathMatch;
pub use pattern::{Pattern, PatternError};
pub use template::Template;

use std::sync::Arc;

use crate::config::Rule;
use crate::request::{HeaderView, RequestView};

/// Host → listener → host → path → rule, for one port.
#[derive(Debug, Default)]
pub struct ListenerTable {
    listeners: HostMap<Arc<Listener>>,
}

/// One listener of a port. Listeners of a port are isolated: a request that belongs to one is never answered
/// by the routes of another.
#[derive(Debug)]
pub struct Listener {
    /// `namespace/gateway/listener`: unique on the port, the name that TLS hosts carry.
    pub name: Arc<str>,
    /// The hosts its routes serve. A host is what listener and route have in common.
    pub hosts: HostMap<Arc<HostTable>>,
}

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
    /// A table of listeners with pairwise different hostnames; of two with the same one, the last stays.
    #[must_use]
    pub fn new(listeners: Vec<(HostPattern, Arc<Listener>)>) -> Self {
        ListenerTable { listeners: listeners.into_iter().collect() }
    }

    /// The rule for a request. `sni_listener` is the name of the TLS listener that SNI selected, if any.
    #[must_use]
    pub fn find<H: HeaderView>(
        &self,
        request: &RequestView<'_, H>,
        sni_listener: Option<&str>,
    ) -> Verdict<'_> {
        let Some(listener) = self.listeners.get(request.host) else {
            return Verdict::NoMatch;
        };
        if sni_listener.is_some_and(|selected| *selected != *listener.name) {
            return Verdict::Misdirected;
        }
        match listener.hosts.get(request.host).and_then(|host| host.find(request)) {
            Some(entry) => Verdict::Rule(&entry.rule),
            None => Verdict::NoMatch,
        }
    }

    /// Listeners by hostname, for `selvedge explain` and the dump; sorted by hostname.
    #[must_use]
    pub fn listeners(&self) -> &HostMap<Arc<Listener>> {
        &self.listeners
    }
}
