//! What is spoken at a port of a Service: `appProtocol` (Kubernetes KEP-3726, Gateway API GEP-1911), else the
//! beginning of the port's name (`http-web`, `grpc`), as other meshes read it.
//!
//! Nobody looks at the bytes to find out: a server may be the first to speak.

use model::kinds::service::ServicePort;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in cleartext, gRPC included.
    Http2,
    /// Something of which nothing is understood here.
    Bytes,
    /// Nobody says: bytes, until a route of requests says that it is HTTP.
    Unsaid,
}

impl Spoken {
    /// What a port says of itself.
    #[must_use]
    pub fn of(port: &ServicePort) -> Spoken {
        if let Some(protocol) = port.app_protocol.as_deref() {
            return Spoken::word(protocol).unwrap_or(Spoken::Bytes);
        }
        let name = port.name.as_deref().unwrap_or("");
        let beginning = name.split('-').next().unwrap_or(name);
        Spoken::word(beginning).unwrap_or(Spoken::Unsaid)
    }

    fn word(word: &str) -> Option<Spoken> {
        let lower = word.to_ascii_lowercase();
        Some(match lower.as_str() {
            "http" | "http1" | "ws" | "kubernetes.io/ws" | "grpc-web" => Spoken::Http1,
            "http2" | "h2c" | "grpc" | "kubernetes.io/h2c" => Spoken::Http2,
            // TLS that ends in the application is bytes to everybody before it.
            "https" | "wss" | "kubernetes.io/wss" | "tls" | "tcp" | "postgres" | "postgresql" | "mysql"
            | "mariadb" | "redis" | "mongo" | "mongodb" | "mqtt" | "amqp" | "kafka" | "smtp" | "ldap" => {
                Spoken::Bytes
            }
            _ => return None,
        })
    }

    /// Whether requests are understood where no route says so.
    #[must_use]
    pub fn is_http(self) -> bool {
        match self {
            Spoken::Http1 | Spoken::Http2 => true,
            Spoken::Bytes | Spoken::Unsaid => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::kinds::service::Transport;

    use super::*;

    fn spoken(app_protocol: Option<&str>, name: Option<&str>) -> Spoken {
        Spoken::of(&ServicePort {
            name: name.map(Into::into),
            protocol: Transport::Tcp,
            app_protocol: app_protocol.map(Into::into),
            port: 1,
            target_port: None,
        })
    }

    #[test]
    fn a_port_says_what_it_speaks_by_its_protocol_else_by_the_beginning_of_its_name() {
        assert_eq!(spoken(Some("kubernetes.io/h2c"), Some("http")), Spoken::Http2);
        assert_eq!(spoken(None, Some("http")), Spoken::Http1);
        assert_eq!(spoken(None, Some("http-web")), Spoken::Http1);
        assert_eq!(spoken(None, Some("grpc")), Spoken::Http2);
        assert_eq!(spoken(None, Some("postgres-rw")), Spoken::Bytes);
        assert_eq!(spoken(None, Some("https")), Spoken::Bytes);
    }

    #[test]
    fn what_nobody_knows_is_bytes_and_what_nobody_says_may_become_http() {
        assert_eq!(spoken(Some("acme.example/own"), Some("http")), Spoken::Bytes);
        assert_eq!(spoken(None, Some("web")), Spoken::Unsaid);
        assert_eq!(spoken(None, None), Spoken::Unsaid);
        assert!(!Spoken::Unsaid.is_http() && !Spoken::Bytes.is_http());
    }
}
