//! `Pod`: who it is (labels), where (address and ports) and whether it wants requests; running it is somebody
//! else's work.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::service::Transport;

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// What it was asked to be.
    pub spec: PodSpec,
    /// What is known of it.
    pub status: PodStatus,
}

/// The part of `Pod.spec` that identity and routing need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Service account it runs as; `default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<Arc<str>>,
    /// Containers that start first. Only those that keep running beside the others have ports to reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    /// Containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// The part of a container that routing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// `Always` makes a sidecar of an init container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<Arc<str>>,
    /// Ports that Services may name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
}

/// One port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// Name that a Service's `targetPort` may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Number.
    pub container_port: u16,
    /// Transport protocol.
    pub protocol: Transport,
}

/// The part of `Pod.status` that routing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// How far its life has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PodPhase>,
    /// Its address, once it has one.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<Arc<str>>,
    /// Its addresses, at most one of each family; the first one is `podIP`.
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
    /// What is said about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<PodCondition>,
}

/// How far the life of a Pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodPhase {
    /// Not all containers have started.
    Pending,
    /// At least one container runs or restarts.
    Running,
    /// All containers ended well and stay so.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
    /// Nobody hears from its node.
    Unknown,
}

/// One address of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodIp {
    /// The address.
    pub ip: Arc<str>,
}

/// One thing that is said about a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCondition {
    /// What: `Ready` is the one that counts here.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// `True`, `False` or `Unknown`.
    pub status: Arc<str>,
}

impl Pod {
    /// The number of a port that a container declares under a name, as Kubernetes looks it up: containers first,
    /// then init containers that keep running.
    #[must_use]
    pub fn port_named(&self, name: &str, transport: Transport) -> Option<u16> {
        let sidecars =
            self.spec.init_containers.iter().filter(|init| init.restart_policy.as_deref() == Some("Always"));
        let ports = self.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
        let named = |port: &&ContainerPort| port.name.as_deref() == Some(name) && port.protocol == transport;
        ports.filter(|port| port.container_port > 0).find(named).map(|port| port.container_port)
    }
}

impl PodStatus {
    /// Whether it asks for requests: its condition `Ready` is `True`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().any(|said| *said.kind == *"Ready" && *said.status == *"True")
    }

    /// Whether all its containers have ended for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.phase {
            Some(PodPhase::Succeeded | PodPhase::Failed) => true,
            Some(PodPhase::Pending | PodPhase::Running | PodPhase::Unknown) | None => false,
        }
    }

    /// Its addresses, the primary one first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let others = self.pod_ips.iter().map(|address| &address.ip);
        let others = others.filter(|ip| self.pod_ip.as_ref() != Some(*ip));
        self.pod_ip.iter().chain(others).filter_map(|text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(text: &str) -> Pod {
        serde_json::from_str(text).expect("a pod")
    }

    #[test]
    fn a_named_port_is_found_in_containers_and_sidecars_and_nowhere_else() {
        let pod = pod(r#"{"spec":{
            "initContainers":[
                {"ports":[{"name":"setup","containerPort":1,"protocol":"TCP"}]},
                {"restartPolicy":"Always","ports":[{"name":"proxy","containerPort":2,"protocol":"TCP"}]}],
            "containers":[
                {},
                {"ports":[{"name":"dns","containerPort":3,"protocol":"UDP"},
                          {"name":"web","containerPort":4,"protocol":"TCP"},
                          {"containerPort":5,"protocol":"TCP"}]}]}}"#);

        let found = |name| pod.port_named(name, Transport::Tcp);

        assert_eq!([found("web"), found("proxy")], [Some(4), Some(2)]);
        assert_eq!([found("dns"), found("setup"), found("")], [None, None, None]);
    }

    #[test]
    fn only_a_ready_condition_that_is_true_makes_a_pod_ready() {
        let ready = |said: &str| pod(&format!(r#"{{"status":{{"conditions":[{said}]}}}}"#)).status.is_ready();

        assert!(ready(r#"{"type":"Initialized","status":"False"},{"type":"Ready","status":"True"}"#));
        assert!(!ready(r#"{"type":"Ready","status":"False"}"#));
        assert!(!ready(r#"{"type":"ContainersReady","status":"True"}"#));
        assert!(!ready(""));
    }

    #[test]
    fn an_address_that_is_listed_twice_counts_once_and_the_primary_one_comes_first() {
        let pod = pod(r#"{"status":{"podIP":"10.0.0.1","podIPs":[{"ip":"fd00::1"},{"ip":"10.0.0.1"}]}}"#);

        let all: Vec<String> = pod.status.addresses().map(|ip| ip.to_string()).collect();

        assert_eq!(all, ["10.0.0.1", "fd00::1"]);
    }
}
