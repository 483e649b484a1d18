//! One question for keys: guarded, bounded, once.
//!
//! Whoever writes a policy must not be able to have the proxy speak to what only the proxy can reach. A name is resolved
//! here, each of its addresses is judged, and the connection is made to the address that was judged: nobody is asked
//! for the name a second time. Redirects are not followed, and an answer that is too long or no set of keys is none.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine::authentication::KeySource;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use model::jwk::KeySet;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::limits::{KEYS_ANSWER_BYTES_MAX, KEYS_FETCH_SECONDS};

/// Asks for keys.
///
/// # Errors
/// Why there are none, in words for people.
pub async fn fetch(source: &KeySource) -> Result<KeySet, String> {
    let within = Duration::from_secs(KEYS_FETCH_SECONDS);
    let late = |_| format!("no answer within {KEYS_FETCH_SECONDS} s");
    let text = tokio::time::timeout(within, ask(source)).await.map_err(late)??;
    text.parse().map_err(|problem| format!("what came {problem}"))
}

async fn ask(source: &KeySource) -> Result<String, String> {
    let mut why = "the name has no address".to_owned();
    for address in addresses(source).await? {
        if !source.may_ask(address.ip()) {
            why = format!(
                "{} is not asked: it is not public, and `allowedAddresses` does not name it",
                address.ip()
            );
            continue;
        }
        match ask_at(source, address).await {
            Ok(text) => return Ok(text),
            Err(problem) => why = problem,
        }
    }
    Err(why)
}

async fn addresses(source: &KeySource) -> Result<Vec<SocketAddr>, String> {
    let url = &source.url;
    if let Some(address) = url.address() {
        return Ok(vec![SocketAddr::new(address, url.port)]);
    }
    let found = tokio::net::lookup_host((&*url.host, url.port)).await;
    Ok(found.map_err(|error| format!("the name is not known: {error}"))?.collect())
}

async fn ask_at(source: &KeySource, address: SocketAddr) -> Result<String, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
    if !source.url.secure {
        return converse(source, stream).await;
    }
    let name = ServerName::try_from(source.url.host.to_string()).map_err(|error| error.to_string())?;
    let tls = TlsConnector::from(settings()).connect(name, stream).await;
    converse(source, tls.map_err(|error| format!("{address}: {error}"))?).await
}

fn settings() -> Arc<rustls::ClientConfig> {
    static SETTINGS: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    SETTINGS.get_or_init(identity::client::public_client_config).clone()
}

async fn converse<S>(source: &KeySource, stream: S) -> Result<String, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = Request::get(&*source.url.target)
        .header(header::HOST, source.url.authority())
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}, and only 200 counts", answer.status()));
        }
        let body = Limited::new(answer.into_body(), KEYS_ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        String::from_utf8(body.into()).map_err(|_| "the answer is no text".to_owned())
    };
    let answer = answer.await;
    connection.abort();
    answer
}
