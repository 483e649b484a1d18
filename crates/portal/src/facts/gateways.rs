//! Gateways as pages tell of them.

use serde_json::Value;

use super::{Meta, list, text};

/// A Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What all objects have.
    pub meta: Meta,
    /// Its class.
    pub class: String,
    /// Where it is reached.
    pub addresses: Vec<String>,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Name.
    pub name: String,
    /// Protocol.
    pub protocol: String,
    /// Port.
    pub port: String,
    /// The host it is for; empty for all.
    pub host: String,
    /// How many routes are attached.
    pub attached: u64,
}

impl Gateway {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> Gateway {
        let (spec, status) = (&object["spec"], &object["status"]);
        let attached = |name: &str| {
            let found = list(&status["listeners"]).find(|listener| listener["name"] == *name);
            found.and_then(|listener| listener["attachedRoutes"].as_u64()).unwrap_or(0)
        };
        let listener = |listener: &Value| {
            let name = text(&listener["name"]);
            Listener {
                attached: attached(&name),
                name,
                protocol: text(&listener["protocol"]),
                port: text(&listener["port"]),
                host: text(&listener["hostname"]),
            }
        };
        Gateway {
            meta: Meta::of("Gateway", object),
            class: text(&spec["gatewayClassName"]),
            addresses: list(&status["addresses"]).map(|address| text(&address["value"])).collect(),
            listeners: list(&spec["listeners"]).map(listener).collect(),
        }
    }

    /// Routes that are attached to its listeners, one counted for each of them.
    #[must_use]
    pub fn attached(&self) -> u64 {
        self.listeners.iter().map(|listener| listener.attached).sum()
    }
}
