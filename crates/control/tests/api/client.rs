//! A client that sends one request a connection and knows nothing of Kubernetes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use engine::config::KeyPair;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    authority: CertificateDer<'static>,
    certificate: Option<Arc<KeyPair>>,
    headers: HeaderMap,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub code: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|fault| panic!("{fault}: {:?}", self.bytes))
    }

    /// The body, when all went well.
    #[track_caller]
    pub fn fine(self) -> Value {
        assert!(self.code.is_success(), "{} {:?}", self.code, self.bytes);
        self.json()
    }

    /// Code, reason and message of a refusal.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        assert_eq!(body["kind"], "Status", "{body}");
        assert_eq!(body["code"], self.code.as_u16());
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        (self.code.as_u16(), text("reason"), text("message"))
    }
}

/// Events of a watch as they come.
pub struct Events {
    body: Incoming,
    read: Vec<u8>,
}

impl Events {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("an event is JSON"));
            }
            let frame = self.body.frame().await?.ok()?;
            self.read.extend_from_slice(&frame.into_data().ok()?);
        }
    }

    /// Kind of the next event, and the name of its object.
    pub async fn next_named(&mut self) -> (String, String) {
        let event = self.next().await.expect("another event");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }
}

impl Client {
    pub fn new(address: SocketAddr, authority: CertificateDer<'static>) -> Client {
        Client { address, authority, certificate: None, headers: HeaderMap::new() }
    }

    pub fn bearing(&self, token: &str) -> Client {
        self.with(AUTHORIZATION, &format!("Bearer {token}"))
    }

    pub fn with(&self, name: HeaderName, value: &str) -> Client {
        let mut client = self.clone();
        client.headers.insert(name, value.parse().expect("a field"));
        client
    }

    pub fn accepting(&self, media: &str) -> Client {
        self.with(ACCEPT, media)
    }

    pub fn showing(&self, certificate: KeyPair) -> Client {
        let mut client = self.clone();
        client.certificate = Some(Arc::new(certificate));
        client
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some("application/json"), body.to_string().into()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some("application/json"), body.to_string().into()).await
    }

    pub async fn patch(&self, path: &str, media: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(media), body.to_string().into()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Bytes::new()).await
    }

    pub async fn delete_with(&self, path: &str, options: &Value) -> Answer {
        self.send(Method::DELETE, path, Some("application/json"), options.to_string().into()).await
    }

    pub async fn send(&self, method: Method, path: &str, media: Option<&str>, body: Bytes) -> Answer {
        let response = self.request(method, path, media, body).await.expect("an answer");
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("the whole body").to_bytes();
        Answer { code: head.status, headers: head.headers, bytes }
    }

    /// Where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Promises a body and never sends it.
    pub async fn stalled_post(&self, path: &str) -> Answer {
        self.post_before_reading(path, 10, &[]).await
    }

    /// Sends all it has, and only then begins to read.
    pub async fn post_before_reading(&self, path: &str, length: usize, body: &[u8]) -> Answer {
        let mut tls = self.connect().await;
        let token = self.headers[AUTHORIZATION].to_str().expect("text");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {length}\r\n\r\n"
        );
        tls.write_all(head.as_bytes()).await.expect("sent");
        tls.write_all(body).await.expect("sent");
        tls.flush().await.expect("sent");
        let mut said = Vec::new();
        while !said.ends_with(b"}") {
            let mut piece = [0; 1024];
            let read = tls.read(&mut piece).await.expect("an answer");
            assert!(read > 0, "the answer ended early: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8(said).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let code = head.split(' ').nth(1).expect("a code").parse().expect("a code");
        Answer { code, headers: HeaderMap::new(), bytes: body.to_owned().into() }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        self.tls().connect(name, stream).await.expect("a handshake")
    }

    /// Opens a watch that is expected to be granted.
    pub async fn watch(&self, path: &str) -> Events {
        let response = self.request(Method::GET, path, None, Bytes::new()).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), read: Vec::new() }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        media: Option<&str>,
        body: Bytes,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        let tls = self.connect().await;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.expect("HTTP");
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        sender.send_request(request.body(Full::new(body)).expect("a request")).await
    }

    fn tls(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).expect("an authority");
        let builder = rustls::ClientConfig::builder_with_provider(identity::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                builder.with_client_auth_cert(pair.chain.clone(), pair.key.clone_key()).expect("a pair")
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}
