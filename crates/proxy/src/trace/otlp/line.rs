//! The connection to a collector: opened when something is to be told, kept while it works.

use std::sync::Arc;

use bytes::Bytes;
use engine::config::{Collector, CollectorProtocol};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Refusal, grpc};
use crate::limits::COLLECTOR_ANSWER_BYTES_MAX;

const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-Selvedge/", env!("CARGO_PKG_VERSION"));

/// A collector as it is reached.
pub struct Line {
    uri: Uri,
    protocol: CollectorProtocol,
    /// Settings, and who is asked for.
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// What every message shows.
    fields: HeaderMap,
    connection: Option<Connection>,
}

enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Whatever is in the way of a connection; it is tried again all the same.
type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Line {
    /// To a collector that has not been asked yet; `None` when what is said of it cannot be used.
    pub fn new(to: &Collector) -> Option<Line> {
        let uri: Uri = to.endpoint.parse().ok().filter(|uri: &Uri| uri.host().is_some())?;
        let alpn: &[&[u8]] = match to.protocol {
            CollectorProtocol::HttpProtobuf => &[b"http/1.1"],
            CollectorProtocol::Grpc => &[b"h2"],
        };
        let tls = match &to.tls {
            Some(tls) => {
                Some((identity::client::client_config(tls, alpn), identity::client::server_name(tls).ok()?))
            }
            None => None,
        };
        let is_secure = uri.scheme_str() == Some("https");
        let fields = fields(to)?;
        (is_secure == tls.is_some()).then_some(Line {
            uri,
            protocol: to.protocol,
            tls,
            fields,
            connection: None,
        })
    }

    /// The next message opens a connection.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Returns how many of the spans the collector did not want.
    pub async fn post(&mut self, message: Bytes) -> Result<u64, Refusal> {
        let mut kept = self.connection.take();
        let is_open = match &mut kept {
            Some(connection) => connection.is_open().await,
            None => false,
        };
        let mut connection = match kept.filter(|_| is_open) {
            Some(connection) => connection,
            None => self.connect().await.map_err(|_| Refusal::ForNow(None))?,
        };
        let request = self.request(&message).map_err(|_| Refusal::Final)?;
        let response = connection.send(request).await.map_err(|_| Refusal::ForNow(None))?;
        let answered = judge(self.protocol, response).await;
        self.connection = Some(connection);
        answered
    }

    fn request(&self, message: &Bytes) -> http::Result<Request<Full<Bytes>>> {
        let (body, to) = match self.protocol {
            CollectorProtocol::HttpProtobuf => {
                let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
                (message.clone(), path.parse()?)
            }
            CollectorProtocol::Grpc => (grpc::framed(message), self.uri.clone()),
        };
        let mut request = Request::post(to).body(Full::new(body))?;
        request.headers_mut().clone_from(&self.fields);
        Ok(request)
    }

    async fn connect(&self) -> Result<Connection, Broken> {
        let host = self.uri.host().ok_or("no host")?.trim_matches(['[', ']']);
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.shake(stream).await,
            Some((tls, name)) => {
                let stream = TlsConnector::from(tls.clone()).connect(name.clone(), stream).await?;
                self.shake(stream).await
            }
        }
    }

    async fn shake(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Connection, Broken> {
        let stream = TokioIo::new(stream);
        // How a connection ends the next request finds out.
        match self.protocol {
            CollectorProtocol::HttpProtobuf => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(Connection::Http1(sender))
            }
            CollectorProtocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(Connection::Http2(sender))
            }
        }
    }
}

impl Connection {
    async fn is_open(&mut self) -> bool {
        match self {
            Connection::Http1(sender) => sender.ready().await.is_ok(),
            Connection::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Connection::Http1(sender) => sender.send_request(request).await,
            Connection::Http2(sender) => sender.send_request(request).await,
        }
    }
}

/// What every message to a collector shows; `None` when something of it cannot stand in a field, or is lacking.
fn fields(to: &Collector) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in &to.headers {
        fields.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    if let Some(credential) = &to.credential {
        let mut value = HeaderValue::from_bytes(credential.value.as_deref()?).ok()?;
        value.set_sensitive(true);
        fields.insert(HeaderName::from_bytes(&credential.field).ok()?, value);
    }
    fields.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    match to.protocol {
        CollectorProtocol::HttpProtobuf => {
            let uri: Uri = to.endpoint.parse().ok()?;
            fields.insert(header::HOST, HeaderValue::from_str(uri.authority()?.as_str()).ok()?);
            fields.insert(header::CONTENT_TYPE, super::http1::CONTENT_TYPE);
        }
        CollectorProtocol::Grpc => {
            fields.insert(header::CONTENT_TYPE, grpc::CONTENT_TYPE);
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
    Some(fields)
}

async fn judge(protocol: CollectorProtocol, response: Response<Incoming>) -> Result<u64, Refusal> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, COLLECTOR_ANSWER_BYTES_MAX).collect().await.ok();
    let trailers = body.as_ref().and_then(|body| body.trailers().cloned());
    let body = body.map(|body| body.to_bytes());
    match protocol {
        CollectorProtocol::HttpProtobuf => super::http1::judge(&head, body),
        CollectorProtocol::Grpc => grpc::judge(head.status, trailers.as_ref().unwrap_or(&head.headers), body),
    }
}
