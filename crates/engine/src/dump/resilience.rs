//! What policies make of waiting, trying again and leaving alone, as JSON.

use serde_json::{Map, Value, json};

use super::millis;
use crate::config::{
    Abort, Backoff, Fault, HealthCheck, HealthQuestion, Outlier, Resilience, Retry, RetryBudget,
    RetryMethods, RetryOn, Timeouts, UpstreamLimits,
};

/// Bounds of time, as far as there are some.
pub(super) fn timeouts(timeouts: &Timeouts, object: &mut Map<String, Value>) {
    let Timeouts { request, backend_request, connect, upstream_idle, client_may_pause, upstream_may_pause } =
        timeouts;
    for (name, may) in [("client_may_pause", client_may_pause), ("upstream_may_pause", upstream_may_pause)] {
        if *may {
            object.insert(name.into(), json!(true));
        }
    }
    for (name, bound) in [
        ("request_timeout_ms", request),
        ("backend_request_timeout_ms", backend_request),
        ("connect_timeout_ms", connect),
        ("upstream_idle_timeout_ms", upstream_idle),
    ] {
        if let Some(bound) = bound {
            object.insert(name.into(), json!(millis(*bound)));
        }
    }
}

pub(super) fn retry(retry: &Retry) -> Value {
    let Retry { attempts, on, backoff, methods, budget, body_bytes_max } = retry;
    let RetryOn { connect_failure, refused, reset, statuses, grpc } = on;
    let (Backoff { base, max }, RetryBudget { percent, min_per_second }) = (backoff, budget);
    let named = [("connect-failure", connect_failure), ("refused", refused), ("reset", reset)];
    let named = named.iter().filter(|(_, set)| **set).map(|(name, _)| json!(name));
    let grpc = (0..32).filter(|status| grpc & (1 << status) != 0);
    json!({
        "attempts": attempts,
        "on": named.chain(statuses.iter().map(|status| json!(status))).collect::<Vec<_>>(),
        "grpc": grpc.collect::<Vec<u32>>(),
        "backoff_ms": [millis(*base), millis(*max)],
        "methods": match methods {
            RetryMethods::Idempotent => json!("idempotent"),
            RetryMethods::Listed(methods) => json!(methods),
        },
        "budget_percent": percent,
        "budget_min_per_second": min_per_second,
        "body_bytes_max": body_bytes_max,
    })
}

pub(super) fn fault(fault: &Fault) -> Value {
    let Fault { when, delay, abort } = fault;
    json!({
        "when": when.iter().map(|condition| json!({ condition.header.to_string(): condition.values })).collect::<Vec<_>>(),
        "delay": delay.map(|(time, percent)| json!({ "ms": millis(time), "percent": percent })),
        "abort": abort.map(|(with, percent)| match with {
            Abort::Status(status) => json!({ "status": status, "percent": percent }),
            Abort::Grpc(status) => json!({ "grpc_status": status, "percent": percent }),
        }),
    })
}

/// What policies say of a cluster.
pub(super) fn cluster(resilience: &Resilience) -> Value {
    let Resilience {
        timeouts,
        retry,
        fault,
        limits,
        outlier,
        health,
        panic_threshold_percent,
        overflow_percent,
    } = resilience;
    let mut object = Map::new();
    self::timeouts(timeouts, &mut object);
    let UpstreamLimits { connections, pending, requests, endpoint_requests } = limits;
    for (name, limit) in [
        ("connections_max", connections),
        ("pending_max", pending),
        ("requests_max", requests),
        ("endpoint_requests_max", endpoint_requests),
    ] {
        object.extend(limit.map(|limit| (name.to_owned(), json!(limit))));
    }
    object.extend(retry.as_ref().map(|retry| ("retry".to_owned(), self::retry(retry))));
    object.extend(fault.as_ref().map(|fault| ("fault".to_owned(), self::fault(fault))));
    object.extend(outlier.as_ref().map(|outlier| ("outlier".to_owned(), self::outlier(outlier))));
    object.extend(health.as_ref().map(|health| ("health".to_owned(), self::health(health))));
    object.insert("panic_threshold_percent".into(), json!(panic_threshold_percent));
    object.extend(overflow_percent.map(|percent| ("overflow_percent".to_owned(), json!(percent))));
    object.into()
}

fn outlier(outlier: &Outlier) -> Value {
    let Outlier { consecutive_errors, interval, base_ejection, max_ejection_percent } = outlier;
    json!({
        "consecutive_errors": consecutive_errors,
        "interval_ms": millis(*interval),
        "base_ejection_ms": millis(*base_ejection),
        "max_ejection_percent": max_ejection_percent,
    })
}

fn health(health: &HealthCheck) -> Value {
    let HealthCheck { ask, interval, timeout, healthy_threshold, unhealthy_threshold } = health;
    json!({
        "ask": match ask {
            HealthQuestion::Connect => json!("connect"),
            HealthQuestion::Grpc { service } => json!({ "grpc": service }),
            HealthQuestion::Http { path, host, expected } => {
                json!({ "path": path, "host": host, "expected": expected })
            }
        },
        "interval_ms": millis(*interval),
        "timeout_ms": millis(*timeout),
        "healthy_threshold": healthy_threshold,
        "unhealthy_threshold": unhealthy_threshold,
    })
}
