//! The files a gateway is started with, composed from what a spec cares about.
//!
//! Documents are written as JSON, which is YAML too; that spares every spec the indentation of the ninety
//! lines around the one that matters. What the YAML reader makes of real files is the model's business.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::address;
use crate::certificates::{Authority, Pair};
use crate::gateway::Gateway;
use crate::upstream::Upstream;

/// One Gateway called `edge` and whatever stands around it, all in namespace `default`.
#[derive(Clone, Debug)]
pub struct Scene {
    ip: IpAddr,
    listeners: Vec<Value>,
    entry: Option<SocketAddr>,
    parameters: Option<Value>,
    tls: Option<Value>,
    documents: Vec<Value>,
}

/// API version of our own kinds for whole processes.
pub const OWN_VERSION: &str = "mesh.selvedge.dev/v1alpha1";

impl Default for Scene {
    fn default() -> Self {
        Scene::new()
    }
}

impl Scene {
    /// A Gateway without listeners on an address of its own.
    #[must_use]
    pub fn new() -> Scene {
        Scene {
            ip: address::loopback(),
            listeners: Vec::new(),
            entry: None,
            parameters: None,
            tls: None,
            documents: Vec::new(),
        }
    }

    /// A plain listener, and one route that sends everything to `upstream` as Service `shop`.
    #[must_use]
    pub fn forwarding(upstream: &Upstream) -> Scene {
        let mut scene = Scene::new();
        scene.http();
        scene.service("shop", &[upstream.address]);
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        scene
    }

    /// Adds a plain listener on a port of its own and returns where it is.
    pub fn http(&mut self) -> SocketAddr {
        let name = format!("http-{}", self.listeners.len());
        let port = self.port();
        self.listener(json!({ "name": name, "port": port, "protocol": "HTTP" }))
    }

    /// Adds a listener for bytes on a port of its own and returns where it is.
    pub fn tcp(&mut self) -> SocketAddr {
        let name = format!("tcp-{}", self.listeners.len());
        let port = self.port();
        self.listener(json!({ "name": name, "port": port, "protocol": "TCP" }))
    }

    /// Adds a listener for bytes behind TLS on a given port and returns where it is.
    pub fn tls_on(&mut self, port: u16, hostname: &str, secret: &str) -> SocketAddr {
        let name = format!("tls-{}", self.listeners.len());
        self.listener(json!({
            "name": name, "port": port, "protocol": "TLS", "hostname": hostname,
            "tls": { "certificateRefs": [{ "name": secret }] },
        }))
    }

    /// Adds a TLS listener on a port of its own and returns where it is.
    pub fn https(&mut self, hostname: &str, secret: &str) -> SocketAddr {
        let port = self.port();
        self.https_on(port, hostname, secret)
    }

    /// Adds a TLS listener on a given port and returns where it is.
    pub fn https_on(&mut self, port: u16, hostname: &str, secret: &str) -> SocketAddr {
        let name = format!("https-{}", self.listeners.len());
        self.listener(json!({
            "name": name, "port": port, "protocol": "HTTPS", "hostname": hostname,
            "tls": { "certificateRefs": [{ "name": secret }] },
        }))
    }

    /// A port that is free on the Gateway's address.
    #[must_use]
    pub fn port(&self) -> u16 {
        address::free_port(self.ip)
    }

    /// Adds a listener and returns where it is.
    ///
    /// # Panics
    /// When it has no port.
    pub fn listener(&mut self, listener: Value) -> SocketAddr {
        let port = listener["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let address = SocketAddr::new(self.ip, port.expect("a listener has a port"));
        self.entry.get_or_insert(address);
        self.listeners.push(listener);
        address
    }

    /// Takes a listener out again.
    pub fn remove_listener(&mut self, name: &str) {
        self.listeners.retain(|listener| listener["name"] != name);
    }

    /// Adds a Service with port 80 and one EndpointSlice for each address.
    pub fn service(&mut self, name: &str, addresses: &[SocketAddr]) {
        self.service_in("default", name, None, addresses);
    }

    /// As [`Scene::service`], with an `appProtocol`.
    pub fn service_speaking(&mut self, name: &str, protocol: &str, addresses: &[SocketAddr]) {
        self.service_in("default", name, Some(protocol), addresses);
    }

    /// As [`Scene::service`], in a namespace and perhaps with an `appProtocol`.
    pub fn service_in(&mut self, space: &str, name: &str, protocol: Option<&str>, addresses: &[SocketAddr]) {
        let mut port = json!({ "name": "main", "port": 80 });
        if let Some(protocol) = protocol {
            port["appProtocol"] = json!(protocol);
        }
        self.document(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": space },
            "spec": { "ports": [port] },
        }));
        for (number, address) in addresses.iter().enumerate() {
            self.document(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": format!("{name}-{number}"), "namespace": space,
                    "labels": { "kubernetes.io/service-name": name },
                },
                "addressType": "IPv4",
                "ports": [{ "name": "main", "port": address.port() }],
                "endpoints": [{ "addresses": [address.ip().to_string()], "conditions": { "ready": true } }],
            }));
        }
    }

    /// Adds an HTTPRoute of the Gateway; `spec` may name its own `parentRefs`.
    pub fn route(&mut self, name: &str, spec: Value) {
        self.route_in("default", name, spec);
    }

    /// As [`Scene::route`], in a namespace.
    pub fn route_in(&mut self, space: &str, name: &str, mut spec: Value) {
        if spec.get("parentRefs").is_none() {
            spec["parentRefs"] = json!([{ "name": "edge", "namespace": "default" }]);
        }
        self.document(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": name, "namespace": space }, "spec": spec,
        }));
    }

    /// Adds a TCPRoute from one listener of the Gateway, or from all of them, to these Services by weight.
    pub fn tcp_route(&mut self, name: &str, listener: Option<&str>, services: &[(&str, u32)]) {
        let backends =
            services.iter().map(|(name, weight)| json!({ "name": name, "port": 80, "weight": weight }));
        let mut parent = json!({ "name": "edge" });
        if let Some(listener) = listener {
            parent["sectionName"] = json!(listener);
        }
        self.document(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "parentRefs": [parent], "rules": [{ "backendRefs": backends.collect::<Vec<_>>() }] },
        }));
    }

    /// Adds a TLS Secret.
    pub fn secret(&mut self, name: &str, pair: &Pair) {
        self.document(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": name, "namespace": "default" },
            "stringData": { "tls.crt": pair.chain_pem, "tls.key": pair.key_pem },
        }));
    }

    /// Adds a ConfigMap with an authority's certificate.
    pub fn anchors(&mut self, name: &str, authority: &Authority) {
        self.document(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "default" },
            "data": { "ca.crt": authority.pem },
        }));
    }

    /// The Gateway's own `spec.tls`: client certificates in both directions.
    pub fn tls(&mut self, spec: Value) {
        self.tls = Some(spec);
    }

    /// Settings of the Gateway: the `spec` of its GatewayParameters.
    pub fn parameters(&mut self, spec: Value) {
        self.parameters = Some(spec);
    }

    /// Adds an AuthorizationPolicy in namespace `default`.
    pub fn policy(&mut self, name: &str, spec: Value) {
        self.document(json!({
            "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
            "metadata": { "name": name, "namespace": "default" }, "spec": spec,
        }));
    }

    /// Adds any document.
    pub fn document(&mut self, document: Value) {
        self.documents.push(document);
    }

    /// Takes out the documents of this kind and name.
    pub fn remove(&mut self, kind: &str, name: &str) {
        self.documents.retain(|document| document["kind"] != kind || document["metadata"]["name"] != name);
    }

    /// Where the first listener is.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn entry(&self) -> SocketAddr {
        self.entry.expect("the scene has a listener")
    }

    /// The address all listeners are on.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// All documents as one YAML file.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut all = vec![json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": { "name": "selvedge" },
            "spec": { "controllerName": "selvedge.dev/gateway-controller" },
        })];
        let mut gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "edge", "namespace": "default" },
            "spec": {
                "gatewayClassName": "selvedge",
                "addresses": [{ "type": "IPAddress", "value": self.ip.to_string() }],
                "listeners": self.listeners,
            },
        });
        if let Some(tls) = &self.tls {
            gateway["spec"]["tls"] = tls.clone();
        }
        if let Some(parameters) = &self.parameters {
            let group = OWN_VERSION.split('/').next().unwrap_or_default();
            gateway["spec"]["infrastructure"] = json!({
                "parametersRef": { "group": group, "kind": "GatewayParameters", "name": "edge" },
            });
            all.push(json!({
                "apiVersion": OWN_VERSION, "kind": "GatewayParameters",
                "metadata": { "name": "edge", "namespace": "default" }, "spec": parameters,
            }));
        }
        all.push(gateway);
        all.extend(self.documents.iter().cloned());
        all.iter().map(|document| format!("---\n{document:#}\n")).collect()
    }

    /// Starts a gateway with these files.
    pub async fn start(&self) -> Gateway {
        Gateway::start(&self.yaml(), self.entry()).await
    }
}
