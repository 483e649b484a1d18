//! How connections of a port begin, and who may come in by it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Carries;

/// How connections of a port begin.
#[derive(Debug)]
pub enum Security {
    /// Cleartext: HTTP/1.1, or HTTP/2 with prior knowledge.
    Plain,
    /// TLS; the listener is chosen by SNI.
    Tls(TlsPort),
    /// TLS between members of a mesh, both of which show who they are; the service is chosen by SNI.
    Mesh(MeshPort),
}

/// The door by which the mesh comes in to one workload, or to a Gateway.
#[derive(Debug, Default)]
pub struct MeshPort {
    /// What may be asked for, by server name: `<port>.<service>.<namespace>.svc.<trust domain>`.
    pub services: HashMap<Arc<str>, InboundService>,
    /// For logs and metrics: what everybody calls who asks for another name, and gets what the port carries. A Gateway
    /// tells by the hosts of requests what is meant, so it takes any name; without this, none but the `services`.
    pub others: Option<Arc<str>>,
    /// Whether connections that begin without TLS are let in (`Permissive`); they get what the port carries.
    pub cleartext: bool,
}

/// A service port of a workload, as the mesh sees it.
#[derive(Debug)]
pub struct InboundService {
    /// `namespace/service:port`, for logs and metrics.
    pub name: Arc<str>,
    /// What its connections carry: requests with one rule for all of them, or bytes.
    pub carries: Carries,
}

/// Certificates of a TLS port.
#[derive(Debug)]
pub struct TlsPort {
    /// One entry per hostname; the most specific matching one is used, see [`TlsPort::select`].
    pub hosts: Vec<TlsHost>,
    /// What is asked of clients; `None` asks them for no certificate.
    pub client_validation: Option<Arc<ClientValidation>>,
}

/// What a TLS port asks of its clients. It holds for the port as a whole: were it chosen by server name, a client
/// could pick the weaker of two by the name it sends.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientValidation {
    /// Trust anchors, DER; never empty. The system's roots are never meant.
    pub roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// What becomes of clients without a valid certificate.
    pub mode: ClientValidationMode,
}

/// What becomes of clients without a valid certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientValidationMode {
    /// Their handshake is refused.
    ValidOnly,
    /// They are let in: the backend judges.
    InsecureFallback,
}

/// What is shown to clients that ask for one hostname.
#[derive(Debug)]
pub struct TlsHost {
    /// The pattern as in the listener: exact, `*.suffix`, or `None` for any name and for no SNI.
    pub hostname: Option<Arc<str>>,
    /// Name of the listener, for logs.
    pub listener: Arc<str>,
    /// Certificates in the order given; empty when none is usable (the handshake is then refused).
    pub certificates: Vec<Arc<KeyPair>>,
    /// What connections that ask for the hostname carry, where that is not what the port carries.
    pub carries: Option<Carries>,
}

impl TlsPort {
    /// The entry for a server name: exact first, then the longest wildcard, then the catch-all.
    #[must_use]
    pub fn select(&self, sni: Option<&str>) -> Option<&TlsHost> {
        let name = sni.unwrap_or("");
        self.hosts
            .iter()
            .filter_map(|host| Some((specificity(host.hostname.as_deref(), name)?, host)))
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, host)| host)
    }
}

/// How well a hostname pattern fits a name; `None` when it does not. Larger is more specific.
#[must_use]
pub fn specificity(pattern: Option<&str>, name: &str) -> Option<usize> {
    match pattern {
        None => Some(0),
        Some(pattern) => match pattern.strip_prefix('*') {
            Some(suffix) => (name.len() > suffix.len() && name.ends_with(suffix)).then_some(pattern.len()),
            None => (pattern == name).then_some(usize::MAX),
        },
    }
}

/// A certificate chain with its key, already checked to belong together.
#[derive(PartialEq, Eq)]
pub struct KeyPair {
    /// Stable name for logs: `namespace/name` of the Secret.
    pub name: Arc<str>,
    /// Leaf first, DER.
    pub chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// Private key, DER. Never logged, never dumped.
    pub key: rustls_pki_types::PrivateKeyDer<'static>,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair")
            .field("name", &self.name)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}
