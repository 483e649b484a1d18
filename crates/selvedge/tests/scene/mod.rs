//! What tests of a running gateway share: addresses nobody else uses, an upstream, a gateway in front of it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use selvedge::echo::{Echo, Options};

/// Longest a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A loopback address of this process and test alone, with a port that was free on it.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// An upstream that calls itself `name`.
pub fn echo(name: &str) -> Echo {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Echo::start(Options { listen, name: name.to_owned(), tls_names: None }).expect("a free port")
}

/// A gateway on `address` with one route to `upstream`.
pub fn yaml(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners: [{{ name: http, protocol: HTTP, port: {} }}]
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: {{ name: service }}
spec: {{ endpoints: [\"{upstream}\"] }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: all }}
spec:
  parentRefs: [{{ name: edge }}]
  rules:
    - backendRefs: [{{ group: mesh.selvedge.dev, kind: Backend, name: service }}]
",
        address.ip(),
        address.port()
    )
}

/// Status and body of a GET.
pub fn get(address: SocketAddr, head: &str) -> (u16, String) {
    ask(address, head).expect("an answer")
}

/// The same where the connection may be refused or reset.
pub fn ask(address: SocketAddr, head: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Ok((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}
