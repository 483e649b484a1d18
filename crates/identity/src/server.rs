//! TLS of a gateway's own ports: which certificate a client is shown.
//!
//! The listener is chosen by SNI through the same function the router uses, so the certificate and the routes
//! a client gets always belong to one listener. A name that no listener has is refused in the handshake: we
//! never show somebody else's certificate as a guess.

use std::sync::{Arc, OnceLock};

use engine::config::{TlsHost, TlsPort};
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::clients;

/// Protocols offered to clients, best first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Settings for one TLS port. Build it once per compiled port and swap it whole: handshakes that have begun
/// keep the settings they began with, later ones use the new.
///
/// Sessions can be resumed only where nothing about the client is verified: rustls does not verify again what a
/// resumption brings along, so a ticket would outlive the trust it was given under. The tickets of ports that
/// verify nothing open none that does, because those read no tickets.
#[must_use]
pub fn server_config(port: &TlsPort) -> Arc<ServerConfig> {
    offering(port, &ALPN)
}

/// The same for a port that carries bytes: nobody knows what protocol they are in, so whatever a client offers is
/// passed over.
#[must_use]
pub fn server_config_for_bytes(port: &TlsPort) -> Arc<ServerConfig> {
    offering(port, &[])
}

fn offering(port: &TlsPort, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(crate::VERSIONS)
        .expect("the provider has suites for TLS 1.2 and 1.3");
    let resolver = Arc::new(ByServerName::new(port));
    let mut config = match &port.client_validation {
        None => builder.with_no_client_auth().with_cert_resolver(resolver),
        Some(validation) => {
            builder.with_client_cert_verifier(clients::verifier(validation)).with_cert_resolver(resolver)
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // Clients list what their library lists; who wants a cipher and no other offers no other.
    config.ignore_client_order = true;
    if port.client_validation.is_some() {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else if let Some(tickets) = tickets() {
        config.ticketer = tickets;
    }
    Arc::new(config)
}

/// One ticket key for the process, rotated by rustls. Sharing it lets a client resume on any worker and after
/// any change of the configuration. rustls only resumes a session under the SNI it was made for, and the
/// resolver below is asked on every handshake, so a listener that is gone is refused in spite of a ticket.
fn tickets() -> Option<Arc<dyn ProducesTickets>> {
    static TICKETS: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
    TICKETS.get_or_init(|| rustls::crypto::aws_lc_rs::Ticketer::new().ok()).clone()
}

/// Certificates of a port by SNI.
#[derive(Debug)]
struct ByServerName {
    /// Hostnames only; `certificates` runs parallel to `hosts` in `keys`.
    port: TlsPort,
    keys: Vec<Vec<Arc<CertifiedKey>>>,
}

impl ByServerName {
    fn new(port: &TlsPort) -> ByServerName {
        let keys = port.hosts.iter().map(signing_keys).collect();
        let hosts = port
            .hosts
            .iter()
            .map(|host| TlsHost {
                hostname: host.hostname.clone(),
                listener: Arc::clone(&host.listener),
                certificates: Vec::new(),
                carries: None,
            })
            .collect();
        ByServerName { port: TlsPort { hosts, client_validation: None }, keys }
    }

    fn keys_for(&self, sni: Option<&str>) -> Option<&[Arc<CertifiedKey>]> {
        let host = self.port.select(sni)?;
        let at = self.port.hosts.iter().position(|candidate| std::ptr::eq(candidate, host))?;
        self.keys.get(at).map(Vec::as_slice)
    }
}

/// Pairs were checked when they were read; one that were not usable after all is left out.
fn signing_keys(host: &TlsHost) -> Vec<Arc<CertifiedKey>> {
    host.certificates.iter().filter_map(|pair| crate::pair::certified(pair).ok()).map(Arc::new).collect()
}

impl ResolvesServerCert for ByServerName {
    /// The first certificate whose key can sign in a way the client understands, so that an RSA certificate
    /// may stand behind an ECDSA one for old clients.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let keys = self.keys_for(hello.server_name())?;
        keys.iter().find(|key| key.key.choose_scheme(hello.signature_schemes()).is_some()).cloned()
    }
}
