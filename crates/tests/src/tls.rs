//! TLS ends for specs: clients that trust one authority and may show a certificate of their own, upstreams that
//! show one certificate and may ask for one.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::answer::Answer;
use crate::certificates::{Authority, Pair};
use crate::client::{RawClient, get};
use crate::until::within;

/// Opens TLS connections as a browser would: with SNI, verifying what it is shown.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
}

impl TlsClient {
    /// Trusts `authority` and offers these protocols.
    ///
    /// # Panics
    /// When the authority's certificate cannot be used.
    #[must_use]
    pub fn trusting(authority: &Authority, alpn: &[&str]) -> TlsClient {
        let roots = trusted(authority);
        let mut config = ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsClient { config: Arc::new(config), roots }
    }

    /// The same client with a certificate of its own, shown to whoever asks. It resumes no session of the other.
    ///
    /// # Panics
    /// When the pair does not belong together.
    #[must_use]
    pub fn showing(&self, pair: &Pair) -> TlsClient {
        let builder = ClientConfig::builder().with_root_certificates(self.roots.clone());
        let chain = vec![pair.certificate.clone()];
        let config = builder.with_client_auth_cert(chain, pair.key.clone_key());
        let mut config = config.expect("the pair belongs together");
        config.alpn_protocols.clone_from(&self.config.alpn_protocols);
        TlsClient { config: Arc::new(config), roots: self.roots.clone() }
    }

    /// As [`TlsClient::trusting`], without naming the server in the handshake.
    #[must_use]
    pub fn without_sni(authority: &Authority) -> TlsClient {
        let client = TlsClient::trusting(authority, &["http/1.1"]);
        let mut config = (*client.config).clone();
        config.enable_sni = false;
        TlsClient { config: Arc::new(config), roots: client.roots }
    }

    /// A GET on a connection of its own. A client learns only from its first read whether its certificate was
    /// taken: in TLS 1.3 its own half of the handshake ends before it was looked at.
    ///
    /// # Errors
    /// When the handshake or the exchange fails.
    pub async fn fetch(&self, address: SocketAddr, name: &str, target: &str) -> Result<Answer, String> {
        let mut client = RawClient::over(self.open(address, name).await?);
        client.send(get(name, target, "")).await;
        client.try_answer().await
    }

    /// Connects and verifies the certificate for `name`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn open(&self, address: SocketAddr, name: &str) -> Result<TlsStream<TcpStream>, String> {
        let connected = within("a connection", TcpStream::connect(address)).await?;
        let stream = connected.map_err(|failure| failure.to_string())?;
        stream.set_nodelay(true).map_err(|failure| failure.to_string())?;
        self.over(stream, name).await
    }

    /// Shakes hands on a connection that is there, and verifies the certificate for `name`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn over(&self, stream: TcpStream, name: &str) -> Result<TlsStream<TcpStream>, String> {
        let connecting = async {
            let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
            TlsConnector::from(self.config.clone()).connect(name, stream).await
        };
        within("a TLS handshake", connecting).await?.map_err(|failure| failure.to_string())
    }

    /// Connects for HTTP/1.1.
    ///
    /// # Panics
    /// When the handshake fails.
    pub async fn connect(&self, address: SocketAddr, name: &str) -> RawClient {
        match self.open(address, name).await {
            Ok(stream) => RawClient::over(stream),
            Err(problem) => panic!("TLS to {name}: {problem}"),
        }
    }

    /// The certificate that is shown for `name`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn shown(&self, address: SocketAddr, name: &str) -> Result<Vec<u8>, String> {
        let stream = self.open(address, name).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        shown.map(|leaf| leaf.to_vec()).ok_or_else(|| "no certificate was shown".to_owned())
    }
}

/// The protocol that ALPN settled on.
#[must_use]
pub fn negotiated(stream: &TlsStream<TcpStream>) -> Option<String> {
    stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
}

fn trusted(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).expect("the authority's certificate is valid");
    Arc::new(roots)
}

/// An upstream's side of TLS.
///
/// # Panics
/// When the pair does not belong together.
#[must_use]
pub fn acceptor(pair: &Pair, alpn: &[&str]) -> TlsAcceptor {
    let chain = vec![pair.certificate.clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, pair.key.clone_key());
    let mut config = config.expect("the pair belongs together");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// As [`acceptor`], for an upstream that turns everybody away who shows no certificate of `authority`.
///
/// # Panics
/// When the pair does not belong together.
#[must_use]
pub fn asking_acceptor(pair: &Pair, alpn: &[&str], authority: &Authority) -> TlsAcceptor {
    let verifier = WebPkiClientVerifier::builder(trusted(authority)).build().expect("there is a root");
    let chain = vec![pair.certificate.clone()];
    let builder = ServerConfig::builder().with_client_cert_verifier(verifier);
    let mut config =
        builder.with_single_cert(chain, pair.key.clone_key()).expect("the pair belongs together");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
