//! The file by which `kubectl` and every client library find us, trust us, and show who they are.
//!
//! It holds a token, so only its owner may read it. It is written as JSON, which is YAML that needs no quoting rules.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Name of the cluster, user and context in it.
pub const CONTEXT: &str = "selvedge";

/// The kubeconfig of one user of one control plane.
#[must_use]
pub fn kubeconfig(server: &str, authority_pem: &str, token: &str) -> String {
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": CONTEXT,
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(authority_pem) },
        }],
        "users": [{ "name": CONTEXT, "user": { "token": token } }],
        "contexts": [{ "name": CONTEXT, "context": { "cluster": CONTEXT, "user": CONTEXT } }],
        "current-context": CONTEXT,
    });
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}

/// The address under which a client on this machine reaches a server that listens here.
#[must_use]
pub fn server(listen: SocketAddr) -> String {
    let mut reached = listen;
    if listen.ip().is_unspecified() {
        reached.set_ip(match listen {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("https://{reached}")
}

/// The token in a kubeconfig of ours; `None` when there is none to be found.
#[must_use]
pub fn token_of(text: &str) -> Option<String> {
    let file: Value = serde_json::from_str(text).ok()?;
    let token = file.pointer("/users/0/user/token")?.as_str()?;
    Some(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_that_was_written_is_found_again() {
        let text = kubeconfig("https://127.0.0.1:1", "pem", "secret");

        assert_eq!(token_of(&text).as_deref(), Some("secret"));
        assert_eq!(token_of("apiVersion: v1"), None);
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_loopback() {
        assert_eq!(server(([0, 0, 0, 0], 6443).into()), "https://127.0.0.1:6443");
        assert_eq!(server(([127, 0, 0, 9], 6443).into()), "https://127.0.0.9:6443");
    }
}
