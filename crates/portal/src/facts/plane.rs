//! The control plane as pages tell of it (`docs/status-api.md`).

use serde_json::Value;

use super::routes::Traffic;
use super::text;

/// The control plane.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Version.
    pub version: String,
    /// The last write it knows of.
    pub revision: u64,
    /// How many objects it holds.
    pub objects: u64,
    /// Whether it leads.
    pub leads: bool,
    /// Why it cannot read the store; empty when it can.
    pub store_error: String,
    /// Live proxies.
    pub proxies: u64,
    /// Those of them that run on everything.
    pub programmed: u64,
    /// Requests that no route matched.
    pub unmatched: Traffic,
    /// How many revocations gateways have put into force.
    pub revocations: u64,
    /// Milliseconds that were enough for 99 of 100 of them; `None` past all bounds.
    pub revoked_within: Option<f64>,
}

impl Plane {
    /// Reads it.
    #[must_use]
    pub fn of(object: &Value) -> Plane {
        let status = &object["status"];
        let count = |field: &str| status[field].as_u64().unwrap_or_default();
        Plane {
            version: text(&status["version"]),
            revision: count("revision"),
            objects: count("objects"),
            leads: status["leader"].as_bool().unwrap_or_default(),
            store_error: text(&status["storeError"]),
            proxies: count("proxies"),
            programmed: count("programmed"),
            unmatched: Traffic::of(&status["unmatched"]),
            revocations: status["revocations"]["applied"].as_u64().unwrap_or_default(),
            revoked_within: status["revocations"]["p99Milliseconds"].as_f64(),
        }
    }
}
