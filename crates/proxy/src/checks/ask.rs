//! One question to one endpoint.
//!
//! It takes the way that requests take: the same protocol, the same TLS, the same trust. A member of the mesh is only
//! connected to: what it serves is between members, and that its sidecar answers is what can be known from outside.

use std::net::SocketAddr;
use std::sync::Arc;

use engine::config::{Cluster, HealthCheck, HealthQuestion, UpstreamProtocol};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::grpc;
use crate::limits::HEALTH_ANSWER_BYTES_MAX;

/// Whether the endpoint answers as a healthy one does.
pub(super) async fn ask(
    address: SocketAddr,
    is_member: bool,
    cluster: &Cluster,
    check: &HealthCheck,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else { return false };
    if is_member {
        return true;
    }
    let by_choice = cluster.protocol == UpstreamProtocol::Http2;
    let (Some(context), Some(settings)) = (tls, &cluster.tls) else {
        return is_expected(stream, address, by_choice, false, check).await;
    };
    let Ok(name) = identity::client::server_name(settings) else { return false };
    let connector = tokio_rustls::TlsConnector::from(context.clone());
    let Ok(stream) = connector.connect(name, stream).await else { return false };
    let http2 = by_choice || stream.get_ref().1.alpn_protocol() == Some(b"h2");
    is_expected(stream, address, http2, true, check).await
}

async fn is_expected<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: SocketAddr,
    http2: bool,
    secure: bool,
    check: &HealthCheck,
) -> bool {
    let (path, host, expected) = match &check.ask {
        HealthQuestion::Connect => return true,
        HealthQuestion::Grpc { service } => {
            return grpc::ask(stream, &address.to_string(), secure, service).await.is_ok();
        }
        HealthQuestion::Http { path, host, expected } => (path, host, expected),
    };
    let host = host.as_deref().map_or_else(|| address.to_string(), str::to_owned);
    let status = match http2 {
        true => status_over_http2(stream, path, &host, secure).await,
        false => status_over_http1(stream, path, &host).await,
    };
    status.is_some_and(|status| match expected.is_empty() {
        true => (200..300).contains(&status),
        false => expected.binary_search(&status).is_ok(),
    })
}

async fn status_over_http1<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    path: &str,
    host: &str,
) -> Option<u16> {
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: selvedge-health\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < HEALTH_ANSWER_BYTES_MAX {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            break;
        }
    }
    status_of(&answer)
}

/// The status in a status line (RFC 9112 section 4).
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?;
    let (status, after) = line.get(2..)?.split_at_checked(3)?;
    let ends = matches!(after.first(), Some(b' ' | b'\r' | b'\n'));
    std::str::from_utf8(status).ok()?.parse().ok().filter(|_| ends && line[1] == b' ')
}

async fn status_over_http2<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    path: &str,
    host: &str,
    secure: bool,
) -> Option<u16> {
    let (mut sender, connection) = h2::client::handshake(stream).await.ok()?;
    let scheme = if secure { "https" } else { "http" };
    let uri = http::Uri::builder().scheme(scheme).authority(host).path_and_query(path).build().ok()?;
    let mut request = http::Request::new(());
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    let agent = http::HeaderValue::from_static("selvedge-health");
    request.headers_mut().insert(http::header::USER_AGENT, agent);
    let answered = async move {
        let (response, _body) = sender.send_request(request, true).ok()?;
        response.await.ok().map(|response| response.status().as_u16())
    };
    tokio::select! {
        status = answered => status,
        _ended = connection => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_a_status_line_and_from_nothing_else() {
        assert_eq!(status_of(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status_of(b"HTTP/1.0 503\r\n"), Some(503));
        for bad in ["", "HTTP/1.1 20", "HTTP/1.1 2044 x", "HTTP/2 200 OK", "SSH-2.0-x", "HTTP/1.1  20 x"] {
            assert_eq!(status_of(bad.as_bytes()), None, "{bad}");
        }
    }
}
