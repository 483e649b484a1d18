//! A gateway of the mesh: the real binary, following the control plane, a member by the token of gateways.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use super::{Mesh, SHOP, line_of};
use crate::scene::{free_address, get};
use crate::sidecars::{Running, until};

/// The Gateway `edge` of the shop, with one listener for requests, one for connections, and one for members.
pub struct Edge {
    pub http: SocketAddr,
    pub tcp: SocketAddr,
    pub members: SocketAddr,
    log: PathBuf,
    _gateway: Running,
}

impl Mesh {
    /// A gateway that is a member by now.
    pub fn edge(&self) -> Edge {
        let http = free_address();
        let [tcp, members] = free_ports(http).map(|port| SocketAddr::new(http.ip(), port));
        self.apply(&documents(http, tcp, members));
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["gateway", "--control", &format!("https://{}", self.address), "--serve", "shop/edge"]);
        command.args(["--token-file", "control/gateway.token", "--name", "edge-1", "--workers", "1"]);
        command.args(["--admin", "off", "--access-log", "edge.log", "--drain", "1"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut gateway = Running::start(command.current_dir(self.folder.path()));
        gateway.line(&format!("a member of the mesh as {SHOP}/gateway-edge"));
        Edge { http, tcp, members, log: self.folder.path().join("edge.log"), _gateway: gateway }
    }
}

impl Edge {
    /// Asks until it answers with this status; what it said.
    pub fn answers(&self, head: &str, status: u16) -> String {
        until(&format!("{status} for {head}"), || {
            // The certificate may be there before the port is open.
            std::net::TcpStream::connect(self.http).ok()?;
            let (found, body) = get(self.http, head);
            (found == status).then_some(body)
        })
    }

    /// Where members of the mesh find it: as the Service `edge` of the shop.
    pub fn for_members(&self) -> String {
        format!(
            "apiVersion: v1
kind: Service
metadata: {{ namespace: shop, name: edge }}
spec: {{ selector: {{ app: edge }}, ports: [{{ name: http, port: 8080 }}] }}
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Workload
metadata: {{ namespace: shop, name: edge-1, labels: {{ app: edge }} }}
spec:
  address: {}
  serviceAccount: gateway-edge
  sidecar: {{ port: {} }}
  ports: [{{ name: http, port: 8080, protocol: HTTP }}]
---
",
            self.members.ip(),
            self.members.port()
        )
    }

    /// The line of its access log with these words, once it is there.
    pub fn logged(&self, words: &[&str]) -> String {
        line_of(&self.log, words)
    }
}

/// Two other ports of the same address.
fn free_ports(taken: SocketAddr) -> [u16; 2] {
    let _holding = TcpListener::bind(taken).expect("it is free");
    let others = [0; 2].map(|any| TcpListener::bind((taken.ip(), any)).expect("a free port"));
    others.map(|other| other.local_addr().expect("its address").port())
}

fn documents(http: SocketAddr, tcp: SocketAddr, members: SocketAddr) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ namespace: shop, name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners:
  - {{ name: http, protocol: HTTP, port: {} }}
  - {{ name: tcp, protocol: TCP, port: {} }}
  - {{ name: members, protocol: mesh.selvedge.dev/HTTP, port: {} }}
",
        http.ip(),
        http.port(),
        tcp.port(),
        members.port()
    )
}
