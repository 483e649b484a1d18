//! The TLS handshake with a client: certificate by SNI, protocol by ALPN.

use std::sync::Arc;
use std::time::Duration;

use engine::config::{Security, TcpRule};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;
use crate::io::Io;
use crate::limits::TLS_HANDSHAKE_SECONDS;
use crate::state::ports::Pinned;
use crate::tcp::postgres;
use crate::vouched::Vouched;

/// A client connection after its handshake.
pub struct Accepted {
    /// The encrypted stream.
    pub io: Io,
    /// Name of the listener that the server name selected.
    pub listener: Arc<str>,
    /// The server name that it asked for, in lower case.
    pub server_name: Option<Box<str>>,
    /// The certificate that the client has shown, if the port asked for one.
    pub vouched: Option<Box<Vouched>>,
    /// Whether HTTP/2 was settled on.
    pub http2: bool,
    /// Where the connection leads, if it carries bytes.
    pub rule: Option<Arc<TcpRule>>,
}

/// Shakes hands with a client that may ask for it in the way of PostgreSQL, within the same time.
///
/// # Errors
/// As of [`accept`]; or what comes before the handshake cannot be.
pub async fn accept_bytes(
    mut stream: TcpStream,
    context: Arc<rustls::ServerConfig>,
    pinned: Pinned,
) -> Result<Accepted, Failure> {
    let limit = Duration::from_secs(u64::from(TLS_HANDSHAKE_SECONDS));
    let asked = tokio::time::timeout(limit, postgres::answer(&mut stream)).await;
    if let Err(failure) = asked.unwrap_or(Err(Failure::TlsHandshake)) {
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO)); // It is gone if this cannot be set.
        return Err(failure);
    }
    accept(stream, context, pinned).await
}

/// Shakes hands, within `TLS_HANDSHAKE_SECONDS`.
///
/// # Errors
/// The client speaks no TLS we accept, asked for an unknown name, or took too long.
pub async fn accept(
    stream: TcpStream,
    context: Arc<rustls::ServerConfig>,
    pinned: Pinned,
) -> Result<Accepted, Failure> {
    let limit = Duration::from_secs(u64::from(TLS_HANDSHAKE_SECONDS));
    let handshake = TlsAcceptor::from(context).accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(limit, handshake).await else {
        return Err(Failure::TlsHandshake);
    };
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    let Security::Tls(port) = &pinned.port().security else { return Err(Failure::TlsHandshake) };
    let host = port.select(session.server_name()).ok_or(Failure::TlsHandshake)?;
    let listener = host.listener.clone();
    let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into_boxed_str());
    let vouched = Vouched::by_handshake(session.peer_certificates(), port.client_validation.as_ref());
    let rule = host.carries.as_ref().unwrap_or(&pinned.port().carries).rule().cloned();
    Ok(Accepted { io: Io::Server(Box::new(stream)), listener, server_name, vouched, http2, rule })
}
