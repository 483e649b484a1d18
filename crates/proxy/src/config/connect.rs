//! One connection to the control plane: address, TLS, HTTP/2.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::Grpc;
use tower_service::Service;

use discovery::limits::MESSAGE_BYTES_MAX;

use crate::limits::{CONTROL_CONNECT_SECONDS, CONTROL_SILENCE_SECONDS, CONTROL_WINDOW_BYTES};

const CONNECT_WITHIN: Duration = Duration::from_secs(CONTROL_CONNECT_SECONDS as u64);
const SILENCE: Duration = Duration::from_secs(CONTROL_SILENCE_SECONDS as u64);

/// Where a control plane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlAddress {
    /// Name or address, as its certificate has it.
    host: Arc<str>,
    port: u16,
}

impl std::str::FromStr for ControlAddress {
    type Err = String;

    /// Reads `https://HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write https://HOST:PORT, such as https://control.example:19443".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@') && plain);
        match (uri.scheme_str(), authority, uri.port_u16()) {
            (Some("http"), ..) => {
                Err("the control plane is reached over TLS only; write https://".to_owned())
            }
            (Some("https"), Some(authority), Some(port)) => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']');
                Ok(ControlAddress { host: host.into(), port })
            }
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "https://[{}]:{}", self.host, self.port),
            false => write!(f, "https://{}:{}", self.host, self.port),
        }
    }
}

/// A connection that carries calls.
#[derive(Clone, Debug)]
pub struct Wire(SendRequest<Body>);

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl ControlAddress {
    /// Connects. The connection lives as long as somebody holds the wire or a call on it.
    ///
    /// # Errors
    /// The last address that was tried says why.
    pub async fn connect(&self, tls: &Arc<rustls::ClientConfig>) -> io::Result<Wire> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let addresses = timeout(CONNECT_WITHIN, tokio::net::lookup_host((&*self.host, self.port))).await??;
        for address in addresses {
            match timeout(CONNECT_WITHIN, self.try_address(address, tls)).await {
                Ok(Ok(wire)) => return Ok(wire),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer")),
            }
        }
        Err(last)
    }

    async fn try_address(
        &self,
        address: std::net::SocketAddr,
        tls: &Arc<rustls::ClientConfig>,
    ) -> io::Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.to_string()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(SILENCE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(CONTROL_WINDOW_BYTES)
            .initial_connection_window_size(CONTROL_WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // How it ends is told by the calls on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Wire(sender))
    }

    /// What makes calls over a wire.
    #[must_use]
    pub fn caller(&self, wire: Wire) -> Grpc<Wire> {
        let origin = self.to_string().parse().unwrap_or_default();
        Grpc::with_origin(wire, origin)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_a_port_and_nothing_else() {
        for good in ["https://control.example:19443", "https://127.0.0.1:1", "https://[::1]:19443"] {
            assert_eq!(good.parse::<ControlAddress>().expect(good).to_string(), good);
        }
        for bad in [
            "",
            "control.example",
            "https://control.example",
            "http://a:1",
            "https://a:1/path",
            "https://u@a:1",
            "https://a:1?q",
        ] {
            assert!(bad.parse::<ControlAddress>().is_err(), "{bad:?} was taken for an address");
        }
        assert!("http://a:1".parse::<ControlAddress>().expect_err("no TLS").contains("TLS"));
    }
}
