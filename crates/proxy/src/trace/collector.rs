//! One collector: OTLP over HTTP with binary protobuf, `POST /v1/traces` (OTLP specification 1.x, "OTLP/HTTP").
//!
//! A batch that the collector cannot take now is sent again, with pauses that grow, as the specification asks: after a
//! broken connection and after 429, 502, 503 and 504, and not before `Retry-After`. Any other answer is final.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use engine::config::{Tracing, UpstreamTls};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::buffer::Batch;
use super::exporter::Exported;
use super::proto::{attribute, bytes, message};
use crate::limits::{
    COLLECTOR_ANSWER_BYTES_MAX, COLLECTOR_IDLE_SECONDS, COLLECTOR_SECONDS, SPAN_POST_BYTES, SPAN_RETRIES_MAX,
    SPAN_RETRY_SECONDS,
};
use crate::state::random::Random;

const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-Selvedge/", env!("CARGO_PKG_VERSION"));
/// The first pause before another try.
const PAUSE: Duration = Duration::from_secs(1);

/// One collector and the connection to it.
pub struct Collector {
    uri: Option<Uri>,
    tls: Option<Arc<rustls::ClientConfig>>,
    connection: Option<SendRequest<Full<Bytes>>>,
    exported: Arc<Exported>,
    random: Random,
}

/// Why a batch was not taken.
#[derive(Debug)]
enum Refusal {
    /// For good.
    Final,
    /// It may be tried again, not before so long.
    ForNow(Option<Duration>),
}

/// `ExportTraceServiceResponse`, as far as it matters.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    partial: Option<Partial>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct Partial {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

impl Collector {
    /// A collector that has not been asked yet.
    pub fn new(endpoint: &str, exported: Arc<Exported>) -> Collector {
        let uri: Option<Uri> = endpoint.parse().ok().filter(|uri: &Uri| uri.host().is_some());
        let secure = uri.as_ref().is_some_and(|uri| uri.scheme_str() == Some("https"));
        let tls = uri
            .as_ref()
            .filter(|_| secure)
            .and_then(Uri::host)
            .map(|host| identity::client::client_config(&by_system_roots(host), &[b"http/1.1"]));
        Collector { uri, tls, connection: None, exported, random: Random::new() }
    }

    /// Tells whatever comes, until nothing has come for `COLLECTOR_IDLE_SECONDS` or nothing can come any more.
    pub async fn serve(mut self, mut received: Receiver<Batch>) {
        let idle = Duration::from_secs(u64::from(COLLECTOR_IDLE_SECONDS));
        while let Ok(Some(first)) = timeout(idle, received.recv()).await {
            let mut batches = vec![first];
            let mut size = batches[0].spans.len();
            while size < SPAN_POST_BYTES
                && let Ok(next) = received.try_recv()
            {
                size += next.spans.len();
                batches.push(next);
            }
            self.tell(&batches, &received).await;
        }
    }

    /// Sends one message until it is taken, refused or given up.
    async fn tell(&mut self, batches: &[Batch], received: &Receiver<Batch>) {
        let count = batches.iter().map(|batch| batch.count).sum::<u64>();
        let message = Bytes::from(request(batches));
        let mut pause = PAUSE;
        for _ in 0..=SPAN_RETRIES_MAX {
            let within = Duration::from_secs(u64::from(COLLECTOR_SECONDS));
            let posted = timeout(within, self.post(message.clone())).await;
            let asked = match posted.unwrap_or(Err(Refusal::ForNow(None))) {
                Ok(rejected) => {
                    self.exported.refused.fetch_add(rejected.min(count), Relaxed);
                    self.exported.taken.fetch_add(count.saturating_sub(rejected), Relaxed);
                    return;
                }
                Err(Refusal::Final) => {
                    self.exported.refused.fetch_add(count, Relaxed);
                    return;
                }
                Err(Refusal::ForNow(asked)) => asked,
            };
            self.connection = None;
            // Half of it by chance: many proxies lose the same collector at the same moment.
            let half = u32::try_from(pause.as_millis() / 2).unwrap_or(u32::MAX).max(1);
            let longest = Duration::from_secs(u64::from(SPAN_RETRY_SECONDS));
            let chosen = pause / 2 + Duration::from_millis(u64::from(self.random.below(half)));
            let chosen = asked.map_or(chosen, |asked| asked.max(chosen)).min(longest);
            if received.is_closed() {
                break; // The proxy ends: nobody waits that long.
            }
            sleep(chosen).await;
            pause = (pause * 2).min(longest);
        }
        self.exported.unreachable.fetch_add(count, Relaxed);
    }

    /// Returns how many of the spans the collector did not want.
    async fn post(&mut self, message: Bytes) -> Result<u64, Refusal> {
        let uri = self.uri.clone().ok_or(Refusal::Final)?;
        let mut kept = self.connection.take();
        let is_open = match &mut kept {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        let mut connection = match kept.filter(|_| is_open) {
            Some(connection) => connection,
            None => connect(self.tls.clone(), &uri).await.map_err(|_| Refusal::ForNow(None))?,
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(message))
            .map_err(|_| Refusal::Final)?;
        let response = connection.send_request(request).await.map_err(|_| Refusal::ForNow(None))?;
        let answered = judge(response).await;
        self.connection = Some(connection);
        answered
    }
}

/// Whatever is in the way of a connection; it is tried again all the same.
type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn connect(
    tls: Option<Arc<rustls::ClientConfig>>,
    uri: &Uri,
) -> Result<SendRequest<Full<Bytes>>, Broken> {
    let host = uri.host().ok_or("no host")?.trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    match tls {
        None => shake(stream).await,
        Some(tls) => {
            let name = rustls_pki_types::ServerName::try_from(host.to_owned())?;
            shake(tokio_rustls::TlsConnector::from(tls).connect(name, stream).await?).await
        }
    }
}

async fn shake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, Broken> {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _ = connection.await; // The next request finds out.
    });
    Ok(sender)
}

async fn judge(response: Response<Incoming>) -> Result<u64, Refusal> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, COLLECTOR_ANSWER_BYTES_MAX).collect().await;
    if head.status.is_success() {
        let answer = body.ok().and_then(|body| Answer::decode(body.to_bytes()).ok()).unwrap_or_default();
        return Ok(answer.partial.map_or(0, |partial| partial.rejected.max(0).unsigned_abs()));
    }
    match head.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Err(Refusal::ForNow(head.headers.get(header::RETRY_AFTER).and_then(seconds)))
        }
        _ => Err(Refusal::Final),
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The certificate is verified by the roots of the system.
fn by_system_roots(host: &str) -> UpstreamTls {
    UpstreamTls {
        hostname: host.trim_matches(['[', ']']).into(),
        subject_alt_names: Vec::new(),
        roots: Vec::new(),
        client_certificate: None,
    }
}

/// `ExportTraceServiceRequest`: for each teller its resource and its spans.
fn request(batches: &[Batch]) -> Vec<u8> {
    let size = batches.iter().map(|batch| batch.spans.len() + 512).sum();
    let mut out = Vec::with_capacity(size);
    for batch in batches {
        message(&mut out, 1, |out| {
            message(out, 1, |out| resource(out, &batch.tracing));
            message(out, 2, |out| {
                message(out, 1, |out| {
                    bytes(out, 1, b"selvedge");
                    bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
                });
                out.extend_from_slice(&batch.spans);
            });
        });
    }
    out
}

fn resource(out: &mut Vec<u8>, tracing: &Tracing) {
    for (key, value) in tracing.resource.iter() {
        attribute(out, 1, key, value.as_bytes());
    }
}
