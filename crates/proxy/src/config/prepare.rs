//! Makes TLS settings out of a compiled config, once, before any worker sees it.
//!
//! Building a TLS context parses keys and draws ticket secrets. What did not change keeps its context, so that
//! session tickets stay valid over an unrelated change.

use std::collections::HashMap;
use std::sync::Arc;

use engine::Config;
use engine::config::{BindAddress, Carries, Cluster, ClusterSlot, Port, Security, UpstreamProtocol};

use crate::resolver::Resolved;

/// A config with everything a worker needs beside it.
#[derive(Debug)]
pub struct Prepared {
    /// The compiled config.
    pub config: Arc<Config>,
    /// TLS settings by index of `config.ports`; `None` for cleartext ports.
    pub server_tls: Vec<Option<Arc<rustls::ServerConfig>>>,
    /// TLS settings by cluster slot; `None` for cleartext clusters.
    pub client_tls: Vec<Option<Arc<rustls::ClientConfig>>>,
    /// Addresses of DNS names, so that a new destination has some from its first request.
    pub resolved: Resolved,
}

/// Remembers the contexts of the last config.
#[derive(Debug, Default)]
pub struct Preparer {
    ports: HashMap<BindAddress, (Arc<Port>, Arc<rustls::ServerConfig>)>,
    clusters: HashMap<ClusterSlot, (Arc<Cluster>, Arc<rustls::ClientConfig>)>,
}

impl Preparer {
    /// Adds TLS settings to a config, reusing those whose certificates and names did not change, and what is known
    /// of its names.
    pub fn prepare(&mut self, config: Arc<Config>, resolved: Resolved) -> Prepared {
        let server_tls: Vec<_> = config.ports.iter().map(|port| self.server(port)).collect();
        let client_tls: Vec<_> =
            config.clusters.iter().map(|cluster| self.client(cluster.as_ref()?)).collect();
        self.ports.retain(|address, _| config.ports.iter().any(|port| port.address == *address));
        self.clusters.retain(|slot, _| config.cluster(*slot).is_some());
        Prepared { config, server_tls, client_tls, resolved }
    }

    fn server(&mut self, port: &Arc<Port>) -> Option<Arc<rustls::ServerConfig>> {
        let Security::Tls(tls) = &port.security else { return None };
        if let Some((known, context)) = self.ports.get(&port.address)
            && known.table().is_some() == port.table().is_some()
            && same_handshakes(known, tls)
        {
            return Some(context.clone());
        }
        let context = match port.carries {
            Carries::Http(_) => identity::server::server_config(tls),
            Carries::Tcp(_) => identity::server::server_config_for_bytes(tls),
        };
        self.ports.insert(port.address, (port.clone(), context.clone()));
        Some(context)
    }

    fn client(&mut self, cluster: &Arc<Cluster>) -> Option<Arc<rustls::ClientConfig>> {
        let tls = cluster.tls.as_ref()?;
        if let Some((known, context)) = self.clusters.get(&cluster.slot)
            && known.tls.as_ref() == Some(tls)
            && known.protocol == cluster.protocol
        {
            return Some(context.clone());
        }
        let context = identity::client::client_config(tls, alpn(cluster.protocol));
        self.clusters.insert(cluster.slot, (cluster.clone(), context.clone()));
        Some(context)
    }
}

fn alpn(protocol: UpstreamProtocol) -> &'static [&'static [u8]] {
    match protocol {
        UpstreamProtocol::Http1 => &[b"http/1.1"],
        UpstreamProtocol::Http2 => &[b"h2"],
        UpstreamProtocol::Auto => &[b"h2", b"http/1.1"],
    }
}

fn same_handshakes(known: &Port, tls: &engine::config::TlsPort) -> bool {
    let Security::Tls(known) = &known.security else { return false };
    known.client_validation == tls.client_validation
        && known.hosts.len() == tls.hosts.len()
        && known.hosts.iter().zip(&tls.hosts).all(|(a, b)| {
            a.hostname == b.hostname
                && a.listener == b.listener
                && a.certificates.len() == b.certificates.len()
                && a.certificates.iter().zip(&b.certificates).all(|(a, b)| Arc::ptr_eq(a, b))
        })
}
