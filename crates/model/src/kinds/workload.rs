//! `Workload`: one replica of something, where it is and who it is.
//!
//! A sidecar registers its own; what has no sidecar is written by hand. Services select Workloads by their labels, as
//! they select Pods.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mesh::{Mtls, MtlsMode};

/// Label of Workloads that a sidecar registered, with [`REGISTERED_BY_SIDECAR`] as its value. They live as long as
/// somebody vouches for them; all others live until they are deleted.
pub const REGISTERED_BY: &str = "mesh.selvedge.dev/registered-by";
/// See [`REGISTERED_BY`].
pub const REGISTERED_BY_SIDECAR: &str = "sidecar";

/// Port at which a sidecar takes what the mesh sends, when nothing is said.
pub const SIDECAR_PORT_DEFAULT: u16 = 15_443;

/// A Workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// What is wanted.
    pub spec: WorkloadSpec,
    /// How it is; empty for one that nobody has reported on.
    #[serde(default, skip_serializing_if = "is_silent")]
    pub status: Arc<WorkloadStatus>,
}

/// `Workload.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    /// Where others reach it.
    pub address: IpAddr,
    /// Everything else, which the replicas of one thing have in common and may share.
    #[serde(flatten)]
    pub manner: Arc<Manner>,
}

impl Deref for WorkloadSpec {
    type Target = Manner;

    fn deref(&self) -> &Manner {
        &self.manner
    }
}

/// A Workload as all replicas of the same thing are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manner {
    /// Service account, half of its identity.
    pub service_account: Arc<str>,
    /// The proxy beside it; absent where there is none, and then it is spoken to in cleartext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<Sidecar>,
    /// Ports of the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<WorkloadPort>,
    /// How much proof it asks for at ports that do not say; what the Mesh says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<Locality>,
    /// The application behind the sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// The Services it calls; its sidecar is told of no others. Everything in the mesh when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<Vec<Reach>>,
}

/// The proxy beside a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sidecar {
    /// Port at the workload's address where it takes what the mesh sends.
    pub port: u16,
}

/// One port of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadPort {
    /// Name, that a Service's `targetPort` may use.
    pub name: Arc<str>,
    /// Number that others use.
    pub port: u16,
    /// What is spoken.
    pub protocol: WorkloadProtocol,
    /// Port of the application itself; the same number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u16>,
    /// How much proof is asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
}

/// What is spoken at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WorkloadProtocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2 in cleartext.
    Http2,
    /// gRPC, over HTTP/2 in cleartext.
    Grpc,
    /// Bytes.
    Tcp,
}

/// Where a workload stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Locality {
    /// The larger place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The smaller place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
}

/// The application behind a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Application {
    /// Where its ports are open.
    pub address: IpAddr,
    /// Whether it is told, in `x-forwarded-client-cert`, which member of the mesh calls.
    pub caller_header: bool,
}

impl Default for Application {
    fn default() -> Self {
        Application { address: IpAddr::V4(Ipv4Addr::LOCALHOST), caller_header: false }
    }
}

/// A Service that a workload calls: `name` in its own namespace, `namespace/name`, or `namespace/*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(pub Arc<str>);

fn is_silent(status: &WorkloadStatus) -> bool {
    status.is_empty()
}

/// `Workload.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadStatus {
    /// What can be said about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<WorkloadCondition>,
    /// When somebody who vouches for it was last heard, for one that a sidecar registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Arc<str>>,
}

/// One thing that is said about a Workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WorkloadCondition {
    /// What: `Ready` is the one that counts here.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// `True`, `False` or `Unknown`.
    pub status: Arc<str>,
}

impl Manner {
    /// The port with a name.
    #[must_use]
    pub fn port_named(&self, name: &str) -> Option<&WorkloadPort> {
        self.ports.iter().find(|port| *port.name == *name)
    }

    /// The port with a number.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&WorkloadPort> {
        self.ports.iter().find(|port| port.port == number)
    }

    /// Where the ports of the application are open.
    #[must_use]
    pub fn application_address(&self) -> IpAddr {
        self.application.unwrap_or_default().address
    }

    /// How much proof is asked for at a port: what the port says, else the workload, else the mesh.
    #[must_use]
    pub fn mtls_mode(&self, port: u16, mesh: MtlsMode) -> MtlsMode {
        let said = self.port(port).and_then(|port| port.mtls).or(self.mtls);
        said.map_or(mesh, |mtls| mtls.mode)
    }
}

impl WorkloadPort {
    /// Port of the application itself.
    #[must_use]
    pub fn target(&self) -> u16 {
        self.target_port.unwrap_or(self.port)
    }
}

impl Reach {
    /// Whether it is a Service, seen from a workload of the namespace `home`.
    #[must_use]
    pub fn covers(&self, home: &str, namespace: &str, service: &str) -> bool {
        match self.0.split_once('/') {
            Some((within, "*")) => within == namespace,
            Some((within, name)) => within == namespace && name == service,
            None => home == namespace && *self.0 == *service,
        }
    }
}

impl WorkloadStatus {
    /// Whether nothing is reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.last_seen.is_none()
    }

    /// What its condition `Ready` says; nothing when it has none.
    #[must_use]
    pub fn ready(&self) -> Option<bool> {
        self.conditions.iter().find(|said| *said.kind == *"Ready").map(|said| *said.status == *"True")
    }
}

impl Workload {
    /// Whether it asks for calls. One that stands there by hand does unless somebody reports otherwise; one that a
    /// sidecar registered does when its sidecar says so.
    #[must_use]
    pub fn is_ready(&self, registered_by_sidecar: bool) -> bool {
        self.status.ready().unwrap_or(!registered_by_sidecar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(text: &str) -> Workload {
        serde_json::from_str(text).expect("a workload")
    }

    #[test]
    fn a_port_asks_for_what_it_says_else_what_its_workload_says_else_what_the_mesh_says() {
        let ports = r#""ports":[{"name":"a","port":1,"protocol":"TCP","mtls":{"mode":"Off"}},
                                {"name":"b","port":2,"protocol":"TCP"}]"#;
        let of = |mtls: &str| {
            workload(&format!(r#"{{"spec":{{"address":"10.0.0.1","serviceAccount":"x"{mtls},{ports}}}}}"#))
                .spec
        };
        let (strict, silent) = (of(r#","mtls":{"mode":"Strict"}"#), of(""));

        assert_eq!(strict.mtls_mode(1, MtlsMode::Permissive), MtlsMode::Off);
        assert_eq!(strict.mtls_mode(2, MtlsMode::Permissive), MtlsMode::Strict);
        assert_eq!(silent.mtls_mode(2, MtlsMode::Permissive), MtlsMode::Permissive);
    }

    #[test]
    fn a_reach_is_a_service_of_ones_own_namespace_or_of_the_one_it_names() {
        let covers = |reach: &str, namespace: &str, service: &str| {
            Reach(reach.into()).covers("shop", namespace, service)
        };

        assert!(covers("cart", "shop", "cart") && !covers("cart", "bank", "cart"));
        assert!(covers("bank/ledger", "bank", "ledger") && !covers("bank/ledger", "bank", "other"));
        assert!(covers("bank/*", "bank", "other") && !covers("bank/*", "shop", "other"));
    }

    #[test]
    fn who_is_registered_by_a_sidecar_is_ready_only_when_somebody_says_so() {
        let spec = r#""spec":{"address":"10.0.0.1","serviceAccount":"x"}"#;
        let silent = workload(&format!("{{{spec}}}"));
        let down = workload(&format!(
            r#"{{{spec},"status":{{"conditions":[{{"type":"Ready","status":"False"}}]}}}}"#
        ));

        assert!(silent.is_ready(false) && !silent.is_ready(true));
        assert!(!down.is_ready(false) && !down.is_ready(true));
    }
}
