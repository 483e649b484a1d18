//! What was received, as JSON.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

/// Bytes of a body that are reported. Past it the body is still read and counted.
pub const BODY_REPORTED_BYTES_MAX: usize = 1024 * 1024;

/// What is known of a connection before its first request.
#[derive(Debug)]
pub struct Connection {
    /// What this upstream calls itself.
    pub name: Arc<str>,
    /// Who opened the connection.
    pub peer: SocketAddr,
    /// What the handshake settled, if there was one.
    pub tls: Option<Tls>,
}

/// What a handshake settled.
#[derive(Debug)]
pub struct Tls {
    /// The name the client asked for.
    pub sni: Option<String>,
    /// The protocol both ends agreed on.
    pub alpn: Option<String>,
}

/// A body as far as it arrived.
#[derive(Debug, Default)]
pub struct Received {
    kept: Bytes,
    length: u64,
    trailers: HeaderMap,
    /// What ended it early, if anything did.
    broken: Option<String>,
}

/// Reads a body to its end.
pub async fn receive(mut body: Incoming) -> Received {
    let (mut received, mut kept) = (Received::default(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => {
                received.length += data.len() as u64;
                let room = BODY_REPORTED_BYTES_MAX - kept.len();
                kept.extend_from_slice(&data[..data.len().min(room)]);
            }
            Ok(Err(frame)) => received.trailers.extend(frame.into_trailers().unwrap_or_default()),
            Err(error) => {
                received.broken = Some(error.to_string());
                break;
            }
        }
    }
    received.kept = kept.freeze();
    received
}

/// The report: every field is something that was on the wire, or a fact about this process.
#[must_use]
pub fn report(request: &Parts, received: &Received, from: &Connection) -> Value {
    json!({
        "name": &*from.name,
        "pid": std::process::id(),
        "method": request.method.as_str(),
        "host": host(request),
        "path": request.uri.path(),
        "query": request.uri.query(),
        "version": version(request.version),
        "headers": fields(&request.headers),
        "body": body(received),
        "trailers": fields(&received.trailers),
        "tls": from.tls.as_ref().map(|tls| json!({ "sni": tls.sni, "alpn": tls.alpn })),
        "peer": from.peer.to_string(),
    })
}

/// `:authority` or the authority of an absolute target, else the `Host` field.
fn host(request: &Parts) -> Option<String> {
    let authority = request.uri.authority().map(ToString::to_string);
    authority.or_else(|| request.headers.get(http::header::HOST).map(text))
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "unknown",
    }
}

fn fields(headers: &HeaderMap) -> Value {
    headers.iter().map(|(name, value)| json!([name.as_str(), text(value)])).collect()
}

/// Bytes that are no UTF-8 are shown as U+FFFD; nothing else is changed.
fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn body(received: &Received) -> Value {
    let mut report = json!({ "length": received.length });
    match std::str::from_utf8(&received.kept) {
        Ok(text) => report["text"] = text.into(),
        Err(_) => {
            report["base64"] = base64::engine::general_purpose::STANDARD.encode(&received.kept).into();
        }
    }
    if received.length > received.kept.len() as u64 {
        report["truncated"] = true.into();
    }
    if let Some(broken) = &received.broken {
        report["broken"] = broken.as_str().into();
    }
    report
}
