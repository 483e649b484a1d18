//! Proxies as pages tell of them (`docs/status-api.md`).

use serde_json::Value;

use super::{list, page, place, text, texts};

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Gateways it serves; a star for all.
    pub gateways: Vec<String>,
    /// Whether its lease is live.
    pub is_connected: bool,
    /// The epoch in use.
    pub applied: u64,
    /// For how long.
    pub applied_seconds: f64,
    /// For how long a change waits; 0 when none does.
    pub behind_seconds: f64,
    /// Since it was last heard of.
    pub seen_seconds: f64,
    /// Since it began.
    pub uptime_seconds: f64,
    /// Whether it runs on its disk's copy.
    pub is_from_cache: bool,
    /// Connections of clients.
    pub connections: u64,
    /// What it could not use.
    pub rejections: Vec<Rejection>,
    /// Where it listens, or cannot.
    pub addresses: Vec<Address>,
    /// Certificates that are expired.
    pub warnings: Vec<String>,
}

/// What a proxy could not use.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// `HTTPRoute shop/cart`.
    pub object: String,
    /// Why.
    pub message: String,
}

/// Where a proxy listens.
#[derive(Clone, Debug)]
pub struct Address {
    /// `127.0.0.1:8080`.
    pub address: String,
    /// Why it cannot; empty when it does.
    pub error: String,
}

impl Proxy {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Proxy {
        let status = &object["status"];
        let number = |field: &str| status[field].as_f64().unwrap_or_default();
        let count = |field: &str| status[field].as_u64().unwrap_or_default();
        let flag = |field: &str| status[field].as_bool().unwrap_or_default();
        let rejection = |one: &Value| Rejection {
            object: format!(
                "{} {}",
                text(&one["kind"]),
                place(&text(&one["namespace"]), &text(&one["name"]))
            ),
            message: text(&one["message"]),
        };
        let address = |one: &Value| Address { address: text(&one["address"]), error: text(&one["error"]) };
        Proxy {
            name: text(&object["metadata"]["name"]),
            version: text(&status["version"]),
            gateways: texts(&status["gateways"]),
            is_connected: flag("connected"),
            applied: count("appliedEpoch"),
            applied_seconds: number("appliedSeconds"),
            behind_seconds: number("behindSeconds"),
            seen_seconds: number("lastSeenSeconds"),
            uptime_seconds: number("uptimeSeconds"),
            is_from_cache: flag("fromCache"),
            connections: count("connections"),
            rejections: list(&status["rejections"]).map(rejection).collect(),
            addresses: list(&status["addresses"]).map(address).collect(),
            warnings: texts(&status["warnings"]),
        }
    }

    /// Whether it serves every Gateway.
    #[must_use]
    pub fn serves_all(&self) -> bool {
        self.gateways.iter().any(|name| name == "*")
    }

    /// How much is not as one hopes.
    #[must_use]
    pub fn problems(&self) -> usize {
        let unbound = self.addresses.iter().filter(|address| !address.error.is_empty()).count();
        self.rejections.len() + unbound + self.warnings.len()
    }

    /// The page about it.
    #[must_use]
    pub fn page(&self) -> String {
        page("proxies", "", &self.name)
    }
}
