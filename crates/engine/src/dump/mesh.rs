//! What only members of a mesh have: doors by server name, and names of what may be called.

use serde_json::{Map, Value, json};

use crate::config::{Action, Carries, Endpoint, MeshPort, ReachableName, Target, TcpAction};

/// The door of a workload or a Gateway.
pub(super) fn door(mesh: &MeshPort) -> Value {
    let MeshPort { services, others, cleartext } = mesh;
    let mut sorted: Vec<_> = services.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(right.0));
    let services: Map<String, Value> = sorted
        .into_iter()
        .map(|(server_name, service)| {
            let (carries, cluster) = leads_to(&service.carries);
            let shown = json!({ "name": service.name, "carries": carries, "cluster": cluster });
            (server_name.to_string(), shown)
        })
        .collect();
    let mut object = json!({ "services": services, "cleartext": cleartext });
    if let Some(name) = others {
        object["others"] = json!(name);
    }
    object
}

/// What a door has one rule for, and where that leads.
fn leads_to(carries: &Carries) -> (&'static str, Option<u32>) {
    let first = |target: Option<&Target>| match target {
        Some(Target::Cluster(slot)) => Some(slot.0),
        Some(Target::Redirect(_) | Target::Invalid { .. }) | None => None,
    };
    match carries {
        Carries::Http(table) => {
            let listeners = table.listeners().sorted();
            let hosts = listeners.iter().flat_map(|(_, listener)| listener.hosts.sorted());
            let mut targets =
                hosts.flat_map(|(_, host)| host.entries()).map(|entry| match &entry.rule.action {
                    Action::Forward(backends) => backends.choices.first().map(|choice| &choice.target),
                    Action::Redirect(_) | Action::Answer(_) | Action::Mock(_) | Action::Refuse { .. } => None,
                });
            ("requests", first(targets.next().flatten()))
        }
        Carries::Tcp(rule) => match &rule.action {
            TcpAction::Forward(backends) => {
                ("bytes", first(backends.choices.first().map(|choice| &choice.target)))
            }
            TcpAction::Refuse { .. } => ("bytes", None),
        },
    }
}

/// An endpoint: its address, with who must answer there.
pub(super) fn endpoint(endpoint: &Endpoint) -> String {
    match &endpoint.mesh {
        None => endpoint.address.to_string(),
        Some(peer) => {
            format!("{} = {} ({}) as {}", endpoint.address, peer.identity, peer.replica, peer.server_name)
        }
    }
}

/// A Service that may be called.
pub(super) fn name(name: &ReachableName) -> Value {
    let ReachableName { service, namespace, virtual_address, ports } = name;
    let ports =
        ports.iter().map(|port| json!({ "name": port.name, "port": port.port, "open_at": port.open_at }));
    json!({
        "service": format!("{namespace}/{service}"),
        "address": virtual_address.to_string(),
        "ports": ports.collect::<Vec<_>>(),
    })
}
