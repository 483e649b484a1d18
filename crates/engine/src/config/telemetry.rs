//! Who is told of requests, and of how many of them.

use std::sync::Arc;

/// Where spans of requests go. Equal ones may travel in one message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracing {
    /// URL that batches of spans are posted to: `http` or `https`, with a path.
    pub endpoint: Arc<str>,
    /// Share of requests traced of those that nobody has decided about before, `numerator / denominator`.
    pub numerator: u32,
    /// See `numerator`; at least one.
    pub denominator: u32,
    /// Who tells, in the words of OpenTelemetry's conventions for resources: `service.name` and others.
    pub resource: Arc<[(&'static str, Arc<str>)]>,
}
