//! A gateway of the mesh: the real binary, following the control plane, a member by the token of gateways.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::{Mesh, SHOP, line_of};
use crate::scene::{free_address, get};
use crate::sidecars::{Running, until};

/// The Gateway `edge` of the shop, with one listener for requests and one for connections.
pub struct Edge {
    pub http: SocketAddr,
    pub tcp: SocketAddr,
    log: PathBuf,
    _gateway: Running,
}

impl Mesh {
    /// A gateway that is a member by now.
    pub fn edge(&self) -> Edge {
        let http = free_address();
        let tcp = SocketAddr::new(http.ip(), free_port(http));
        self.apply(&documents(http, tcp));
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["gateway", "--control", &format!("https://{}", self.address), "--serve", "shop/edge"]);
        command.args(["--token-file", "control/gateway.token", "--name", "edge-1", "--workers", "1"]);
        command.args(["--admin", "off", "--access-log", "edge.log", "--drain", "1"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut gateway = Running::start(command.current_dir(self.folder.path()));
        gateway.line(&format!("a member of the mesh as {SHOP}/gateway-edge"));
        Edge { http, tcp, log: self.folder.path().join("edge.log"), _gateway: gateway }
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

    /// The line of its access log with these words, once it is there.
    pub fn logged(&self, words: &[&str]) -> String {
        line_of(&self.log, words)
    }
}

/// Another port of the same address.
fn free_port(taken: SocketAddr) -> u16 {
    let holding = std::net::TcpListener::bind(taken).expect("it is free");
    let other = std::net::TcpListener::bind((taken.ip(), 0)).and_then(|listener| listener.local_addr());
    drop(holding);
    other.expect("a free port").port()
}

fn documents(http: SocketAddr, tcp: SocketAddr) -> String {
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
",
        http.ip(),
        http.port(),
        tcp.port()
    )
}
