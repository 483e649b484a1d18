//! How routes do: rates over the last seconds and all proxies.

use std::time::Duration;

use model::kinds::{GATEWAY_GROUP, KindName};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Kind, List, Told, column};
use crate::proxies::{RATES_OVER, Rate};

/// The kind.
pub static KIND: Kind = Kind {
    kind: "RouteTraffic",
    plural: "routes",
    singular: "routetraffic",
    is_namespaced: true,
    columns: &[
        column("Name", "string", "/metadata/name"),
        column("Requests/s", "number", "/status/requestsPerSecond"),
        column("Errors/s", "number", "/status/errorsPerSecond"),
        column("p50-ms", "number", "/status/p50Milliseconds"),
        column("p99-ms", "number", "/status/p99Milliseconds"),
    ],
};

/// What is told. Requests that no route matched belong to no route; [`super::plane`] tells of them.
pub fn tell(told: &Told, namespace: Option<&str>, now: Instant) -> List {
    let revision = *told.views.revision().borrow();
    let rates = told.proxies.rates(now);
    let of_routes = rates.iter().filter_map(|(route, rate)| {
        let (space, name) = route.split_once('/')?;
        let is_asked = namespace.is_none_or(|namespace| namespace == space) && rate.requests > 0.0;
        is_asked.then(|| object(space, name, rate))
    });
    List { kind: &KIND, revision, items: of_routes.collect() }
}

fn object(namespace: &str, name: &str, rate: &Rate) -> Value {
    let kind = KindName::HttpRoute.as_str();
    let metadata = json!({ "namespace": namespace, "name": format!("{}.{name}", kind.to_ascii_lowercase()) });
    let mut status = json!({ "route": { "group": GATEWAY_GROUP, "kind": kind, "name": name } });
    if let (Value::Object(status), Value::Object(numbers)) = (&mut status, numbers(rate)) {
        status.extend(numbers);
    }
    KIND.object(metadata, status)
}

/// A rate as it is told.
pub fn numbers(rate: &Rate) -> Value {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    json!({
        "windowSeconds": RATES_OVER.as_secs(),
        "requestsPerSecond": rounded(rate.requests),
        "errorsPerSecond": rounded(rate.errors),
        "p50Milliseconds": milliseconds(rate.p50),
        "p99Milliseconds": milliseconds(rate.p99),
    })
}

fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}
