//! One question to a place that a policy names: guarded, bounded, once.
//!
//! Whoever writes a policy must not be able to have the proxy speak to what only the proxy can reach. A name is
//! resolved here, each of its addresses is judged, and the connection is made to the address that was judged: nobody
//! is asked for the name a second time. Redirects are not followed, and an answer that is too long is none.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine::authentication::Fetch;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// What may be answered.
    pub accept: &'static str,
    /// A form to be handed in; nothing is, when `None`.
    pub form: Option<Form>,
    /// Most bytes of an answer.
    pub bytes_max: usize,
}

/// A form, and who hands it in.
pub struct Form {
    /// As it stands in the body.
    pub text: String,
    /// A value of `Authorization`.
    pub authorization: Arc<[u8]>,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").finish_non_exhaustive()
    }
}

/// Asks.
///
/// # Errors
/// Why there is no answer, in words for people.
pub async fn ask(source: &Fetch, question: &Question, within: Duration) -> Result<Bytes, String> {
    let late = |_| format!("no answer within {} ms", within.as_millis());
    tokio::time::timeout(within, ask_all(&Network, source, question)).await.map_err(late)?
}

/// What is outside: whose name leads where, and who takes a connection.
trait Outside {
    /// The addresses of a name.
    fn lookup(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection to an address.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

/// The names and the network that this machine knows.
struct Network;

impl Outside for Network {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

async fn ask_all(outside: &impl Outside, source: &Fetch, question: &Question) -> Result<Bytes, String> {
    let mut why = "the name has no address".to_owned();
    for address in addresses(outside, source).await? {
        if !source.may_ask(address.ip()) {
            why = format!(
                "{} is not asked: it is not public, and `allowedAddresses` does not name it",
                address.ip()
            );
            continue;
        }
        // To this very address: a name that is asked for again may lead elsewhere by now.
        let stream = outside.connect(address).await.map_err(|error| format!("{address}: {error}"));
        let answer = match stream {
            Ok(stream) => ask_at(source, question, (address, stream)).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(problem) => why = problem,
        }
    }
    Err(why)
}

async fn addresses(outside: &impl Outside, source: &Fetch) -> Result<Vec<SocketAddr>, String> {
    let url = &source.url;
    if let Some(address) = url.address() {
        return Ok(vec![SocketAddr::new(address, url.port)]);
    }
    let found = outside.lookup(&url.host, url.port).await;
    found.map_err(|error| format!("the name is not known: {error}"))
}

async fn ask_at(
    source: &Fetch,
    question: &Question,
    (address, stream): (SocketAddr, TcpStream),
) -> Result<Bytes, String> {
    if !source.url.secure {
        return converse(source, question, stream).await;
    }
    let name = ServerName::try_from(source.url.host.to_string()).map_err(|error| error.to_string())?;
    let tls = TlsConnector::from(settings()).connect(name, stream).await;
    converse(source, question, tls.map_err(|error| format!("{address}: {error}"))?).await
}

fn settings() -> Arc<rustls::ClientConfig> {
    static SETTINGS: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    SETTINGS.get_or_init(identity::client::public_client_config).clone()
}

async fn converse<S>(source: &Fetch, question: &Question, stream: S) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = request(source, question).map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}, and only 200 counts", answer.status()));
        }
        let body = Limited::new(answer.into_body(), question.bytes_max).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes())
    };
    let answer = answer.await;
    connection.abort();
    answer
}

fn request(source: &Fetch, question: &Question) -> http::Result<Request<Full<Bytes>>> {
    let Question { accept, form, bytes_max: _ } = question;
    let request = Request::builder()
        .uri(&*source.url.target)
        .header(header::HOST, source.url.authority())
        .header(header::ACCEPT, *accept)
        .header(header::CONNECTION, "close");
    match form {
        None => request.body(Full::default()),
        Some(Form { text, authorization }) => request
            .method(http::Method::POST)
            .header(header::AUTHORIZATION, &**authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(text.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;

    /// A name that leads elsewhere each time that it is asked for, and a network in which nobody is there.
    struct Rebinding {
        answers: Mutex<VecDeque<Vec<&'static str>>>,
        connected: Mutex<Vec<SocketAddr>>,
    }

    impl Rebinding {
        fn new(answers: &[&[&'static str]]) -> Rebinding {
            let answers = answers.iter().map(|answer| answer.to_vec()).collect();
            Rebinding { answers: Mutex::new(answers), connected: Mutex::default() }
        }

        /// Why there are no keys, and to whom was connected for that.
        async fn asked(&self) -> (String, Vec<String>) {
            let url = "https://keys.example/jwks".parse().expect("an address");
            let source = Fetch { url, allowed: Box::default() };
            let question = Question { accept: "application/json", form: None, bytes_max: 1024 };
            let why = ask_all(self, &source, &question).await.expect_err("nobody is there");
            let connected = std::mem::take(&mut *self.connected.lock().expect("no holder panics"));
            (why, connected.iter().map(ToString::to_string).collect())
        }
    }

    impl Outside for Rebinding {
        async fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            let answer =
                self.answers.lock().expect("no holder panics").pop_front().expect("it is asked once");
            let ip = |text: &&str| SocketAddr::new(text.parse().expect("an address"), port);
            Ok(answer.iter().map(ip).collect())
        }

        async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
            self.connected.lock().expect("no holder panics").push(address);
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_by_the_time_of_connecting_is_not_followed() {
        let names = Rebinding::new(&[&["8.8.8.8"], &["127.0.0.1"], &["127.0.0.1", "8.8.4.4", "::1"]]);

        // The address that was judged is the one that is connected to, though the name has moved inside since.
        let (_, connected) = names.asked().await;
        assert_eq!(connected, ["8.8.8.8:443"]);
        assert_eq!(names.answers.lock().expect("no holder panics").len(), 2, "the name is asked for once");

        let (why, connected) = names.asked().await;
        assert!(why.starts_with("127.0.0.1 is not asked: it is not public"), "{why}");
        assert!(connected.is_empty(), "not even to be let go of again");

        let (_, connected) = names.asked().await;
        assert_eq!(connected, ["8.8.4.4:443"], "of several addresses those alone that may be asked");
    }
}
