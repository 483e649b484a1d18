//! Limits of rates, as JSON.

use serde_json::{Value, json};

use super::millis;
use crate::config::{RateKey, RateLimit};

/// One limit.
pub(super) fn limit(limit: &RateLimit) -> Value {
    let RateLimit {
        account: _,
        name,
        said_by: _,
        policy,
        rate,
        is_together,
        requests,
        per,
        by,
        when,
        announced: _,
    } = limit;
    let by = by.iter().map(|key| match key {
        RateKey::Address => "address".to_owned(),
        RateKey::Identity => "identity".to_owned(),
        RateKey::Header(name) => format!("header {}", String::from_utf8_lossy(name)),
    });
    json!({
        "name": name,
        "policy": policy,
        "requests": requests,
        "per_ms": millis(*per),
        "burst": rate.burst(),
        "scope": if *is_together { "all proxies" } else { "each proxy" },
        "by": by.collect::<Vec<_>>(),
        "when": when.iter().map(|condition| json!({ condition.header.to_string(): condition.values })).collect::<Vec<_>>(),
    })
}
