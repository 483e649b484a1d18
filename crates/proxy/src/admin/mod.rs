//! What an operator may look at: `/ready`, `/metrics`, `/config`.
//!
//! Served by a thread of its own with the library's HTTP server: no scrape slows a request, and none of it can be
//! reached through a gateway's listener. It only reads.

mod connections;
mod metrics;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use engine::Config;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::spiffe::SpiffeId;
use tokio::runtime::{Builder, Runtime};

use crate::clock::Clock;
use crate::config::{CallerCount, Progress, RouteCount};
use crate::state::meters::Meters;
use crate::state::metrics::Metrics;
use crate::trace::Exported;

/// What is shown.
#[derive(Debug)]
pub struct Shown {
    clock: Clock,
    workers: Vec<Arc<Metrics>>,
    exported: Arc<Exported>,
    meters: Arc<Meters>,
    config: Mutex<Option<Current>>,
    draining: AtomicBool,
    /// Set when configs come from a control plane in another process.
    follows: OnceLock<Arc<Progress>>,
}

#[derive(Clone, Debug)]
struct Current {
    config: Arc<Config>,
    since: std::time::Instant,
}

impl Shown {
    /// Nothing but counters yet.
    #[must_use]
    pub fn new(
        clock: Clock,
        workers: Vec<Arc<Metrics>>,
        exported: Arc<Exported>,
        meters: Arc<Meters>,
    ) -> Shown {
        let (config, draining) = (Mutex::default(), AtomicBool::new(false));
        Shown { clock, workers, exported, meters, config, draining, follows: OnceLock::new() }
    }

    /// A config is in force.
    pub fn applied(&self, config: Arc<Config>) {
        let current = Current { config, since: self.clock.now() };
        self.config.lock().unwrap_or_else(PoisonError::into_inner).replace(current);
    }

    /// Configs come from a control plane in another process; this is how far it is.
    pub fn follows(&self, progress: Arc<Progress>) {
        // A proxy follows one control plane for as long as it lives.
        let _ = self.follows.set(progress);
    }

    /// Requests of each route since the start, those that no route matched under an empty name.
    pub fn route_counts(&self) -> HashMap<Arc<str>, RouteCount> {
        self.current().map(|current| metrics::route_counts(self, &current.config)).unwrap_or_default()
    }

    /// What members of the mesh have done here since the start, by identity.
    pub fn caller_counts(&self) -> BTreeMap<SpiffeId, CallerCount> {
        metrics::caller_counts(self)
    }

    /// Connections of clients that are open now.
    pub fn connections_open(&self) -> u64 {
        self.workers.iter().map(|worker| worker.connections_open.get()).sum()
    }

    /// The proxy is going away: load balancers should stop sending.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// What is in use; `None` before the first config.
    pub fn config(&self) -> Option<Arc<Config>> {
        Some(self.current()?.config)
    }

    fn current(&self) -> Option<Current> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The admin server.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Admin {
    /// Serves on an address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(address: SocketAddr, shown: Arc<Shown>) -> io::Result<Admin> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("admin").enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(socket)?
        };
        runtime.spawn(accept(listener, shown));
        Ok(Admin { address, _runtime: runtime })
    }

    /// Where it is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: tokio::net::TcpListener, shown: Arc<Shown>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let shown = shown.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &shown);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(hyper_util::rt::TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await; // A client that breaks off concerns nobody else.
        });
    }
}

fn answer(method: &Method, path: &str, shown: &Shown) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".into());
    }
    match path {
        "/ready" => ready(shown),
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics::render(shown));
            let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        "/config" => match shown.current() {
            None => text(StatusCode::SERVICE_UNAVAILABLE, "no config has been applied yet\n".into()),
            Some(current) => {
                let mut response =
                    text(StatusCode::OK, format!("{:#}\n", engine::dump::dump(&current.config)));
                let kind = header::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
        },
        _ => text(StatusCode::NOT_FOUND, "try /ready, /metrics or /config\n".into()),
    }
}

fn ready(shown: &Shown) -> Response<Full<Bytes>> {
    if shown.draining.load(Ordering::Relaxed) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".into());
    }
    let progress = shown.follows.get().map(|progress| progress.now().sentence(shown.clock.now()) + "\n");
    match shown.current() {
        Some(current) => {
            let epoch = current.config.epoch;
            text(StatusCode::OK, format!("ready, epoch {epoch}\n{}", progress.unwrap_or_default()))
        }
        None => {
            let why = progress.unwrap_or_else(|| "no config has been applied yet\n".into());
            text(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
