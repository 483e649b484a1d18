//! The example that runs when nobody names a file: the hello example, baked in, with its services in-process.
//!
//! The first command a newcomer tries must end with a line that works, whatever else runs on the machine. So the
//! services take free ports and the gateway falls back to one when its own is taken.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::echo::{Echo, Options};

/// The text of `examples/hello/hello.yaml`.
pub const HELLO: &str = include_str!("../../../../examples/hello/hello.yaml");

/// Port of the gateway in [`HELLO`].
const GATEWAY_PORT: u16 = 8080;
/// Services of [`HELLO`] and where it expects them.
const SERVICES: [(&str, &str); 2] = [("hello-v1", "127.0.0.1:9001"), ("hello-v2", "127.0.0.1:9002")];

/// The running services and the configuration that leads to them.
#[derive(Debug)]
pub struct Example {
    /// [`HELLO`] with the real addresses in it.
    pub text: String,
    /// Why the gateway does not have its usual port, if it does not.
    pub moved: Option<String>,
    /// Running as long as this is kept.
    pub services: Vec<Echo>,
}

/// Starts the services.
pub fn start() -> io::Result<Example> {
    let mut text = HELLO.to_owned();
    let mut services = Vec::new();
    for (name, expected) in SERVICES {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let service = Echo::start(Options { listen, name: name.to_owned(), tls_names: None })?;
        text = text.replace(expected, &service.address().to_string());
        services.push(service);
    }
    let moved = match is_free(GATEWAY_PORT) {
        true => None,
        false => {
            let port = free_port()?;
            text = text.replace(&format!("port: {GATEWAY_PORT}"), &format!("port: {port}"));
            Some(format!("port {GATEWAY_PORT} is taken on this machine, so the example uses {port}"))
        }
    };
    Ok(Example { text, moved, services })
}

pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_the_port_and_the_services_that_are_replaced() {
        assert_eq!(HELLO.matches("port: 8080").count(), 1);
        for (name, address) in SERVICES {
            assert!(HELLO.contains(&format!("name: {name}")));
            assert_eq!(HELLO.matches(address).count(), 1, "{address}");
        }
    }

    #[test]
    fn the_services_answer_where_the_configuration_leads() {
        let example = start().expect("free ports");
        for service in &example.services {
            assert!(example.text.contains(&service.address().to_string()));
        }
    }
}
