//! A tiny control plane: it answers what it was told to answer, in order, over real TLS, and keeps what it was asked.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use client::Endpoint;
use client::kubeconfig::Credentials;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /path?query`
    pub line: String,
    /// The `authorization` field.
    pub authorization: String,
    /// The `content-type` field.
    pub content_type: String,
    /// The `accept` field.
    pub accept: String,
    /// The body.
    pub body: String,
}

/// What it answers.
#[derive(Clone, Debug)]
pub struct Answer(pub u16, pub String);

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub authority: Authority,
    script: Arc<Mutex<Script>>,
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Chain and key for a name, PEM.
    pub fn issue(&self, name: &str) -> (String, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key)
    }

    pub fn client(&self) -> Credentials {
        let (chain, key) = self.issue("somebody");
        Credentials::Certificate { chain: chain.into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    fn roots(&self) -> Arc<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("an authority");
        Arc::new(roots)
    }
}

impl Server {
    /// A server with a certificate for `name` that answers in this order, and with 500 when it has said everything.
    pub async fn start_as(name: &str, wants_certificates: bool, answers: &[(u16, &str)]) -> Server {
        let authority = Authority::new();
        let (chain, key) = authority.issue(name);
        let chain = rustls_pki_types::pem::PemObject::pem_slice_iter(chain.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("a chain");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match wants_certificates {
            true => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(authority.roots(), provider)
                    .build()
                    .expect("roots"),
            ),
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = Arc::new(builder.with_single_cert(chain, key).expect("a pair"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let answers = answers.iter().map(|(status, body)| Answer(*status, (*body).to_owned())).collect();
        let script = Arc::new(Mutex::new(Script { answers, asked: Vec::new() }));
        tokio::spawn(serve(listener, TlsAcceptor::from(config), Arc::clone(&script)));
        Server { address, authority, script }
    }

    pub async fn start(answers: &[(u16, &str)]) -> Server {
        Server::start_as("127.0.0.1", false, answers).await
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            server: format!("https://{}", self.address),
            authority: Some(self.authority.pem()),
            server_name: None,
            credentials: Credentials::Token("abc".to_owned()),
            namespace: "default".to_owned(),
            context: "test".to_owned(),
        }
    }

    pub fn client(&self) -> client::Client {
        client::Client::new(self.endpoint()).expect("a client")
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().expect("the script").asked.clone()
    }

    /// The lines it was asked.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, script: Arc<Mutex<Script>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(|request| answer(Arc::clone(&script), request));
            let _client_gone = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    script: Arc<Mutex<Script>>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let field = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let asked = Asked {
        line: format!("{} {}", head.method, head.uri),
        authorization: field("authorization"),
        content_type: field("content-type"),
        accept: field("accept"),
        body: String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned(),
    };
    let mut script = script.lock().expect("the script");
    script.asked.push(asked);
    let Answer(status, body) =
        script.answers.pop_front().unwrap_or(Answer(500, "nothing more to say".to_owned()));
    let response = Response::builder().status(status).body(Full::new(Bytes::from(body)));
    Ok(response.expect("a response"))
}
