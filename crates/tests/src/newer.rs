//! A control plane that is newer than its proxies: it sends whatever a spec wants, readable or not.
//!
//! The real one cannot be made to do that, because it sends only what it could read. So this one has no store and no
//! views, just the stream, with the state machine that both ends share.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use discovery::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, STREAM_PATH};
use discovery::server::Session;
use discovery::{Change, Rejection, TokenFile, View};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use selvedge::gateway::GatewayOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::address;
use crate::certificates::Authority;

/// The control plane. Dropping it ends it.
pub struct Newer {
    address: SocketAddr,
    token: TokenFile,
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    view: watch::Sender<Arc<View>>,
    rejected: Arc<Mutex<Vec<Rejection>>>,
}

impl Drop for Newer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Newer {
    /// Starts with this view.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(view: View) -> Newer {
        let address = address::free();
        let authority = Authority::new();
        let pair = authority.pair(&[&address.ip().to_string()]);
        let chain = vec![pair.certificate, authority.certificate.clone()];
        let tls = identity::pinned::server_config(chain, pair.key).expect("a fresh certificate fits its key");
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let shared = Shared { view: watch::Sender::new(Arc::new(view)), rejected: Arc::default() };
        let (served, acceptor) = (shared.clone(), TlsAcceptor::from(tls));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, acceptor.clone(), served.clone()));
            }
        });
        Newer { address, token: TokenFile::new("any", &authority.certificate), shared, task }
    }

    /// Options of a gateway that follows it.
    ///
    /// # Panics
    /// Never: an address is a URL with `https://` before it.
    #[must_use]
    pub fn gateway(&self, name: &str) -> GatewayOptions {
        let url = format!("https://{}", self.address).parse().expect("an address of a control plane");
        GatewayOptions::new(name, url, self.token.clone())
    }

    /// The next epoch.
    pub fn push(&self, changes: Vec<Change>) {
        self.shared.view.send_modify(|view| *view = Arc::new(view.next(view.epoch() + 1, changes)));
    }

    /// What its last proxy has rejected, as its answers tell it.
    ///
    /// # Panics
    /// When a holder of the list panicked.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejection> {
        self.shared.rejected.lock().expect("no holder panics").clone()
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Shared) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let objects = Objects { shared: shared.clone() };
        async move {
            let answer = match request.uri().path() {
                STREAM_PATH => {
                    let codec: ProstCodec<DeltaDiscoveryResponse, DeltaDiscoveryRequest> =
                        ProstCodec::default();
                    tonic::server::Grpc::new(codec).streaming(objects, request).await
                }
                _ => Status::unimplemented("not here").into_http(),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    // A proxy that goes away ends its connection.
    let _ = served.await;
}

struct Objects {
    shared: Shared,
}

type Responses = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

impl Service<Request<Streaming<DeltaDiscoveryRequest>>> for Objects {
    type Response = Response<Responses>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Responses>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        let (outgoing, responses) = mpsc::channel(1);
        tokio::spawn(carry(self.shared.clone(), request.into_inner(), outgoing));
        Box::pin(std::future::ready(Ok(Response::new(ReceiverStream::new(responses)))))
    }
}

async fn carry(
    shared: Shared,
    mut incoming: Streaming<DeltaDiscoveryRequest>,
    outgoing: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
) {
    let (mut session, mut view) = (Session::new(), shared.view.subscribe());
    loop {
        session.offer(view.borrow_and_update().clone());
        while let Some(response) = session.send() {
            if outgoing.send(Ok(response)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            message = incoming.message() => {
                let Ok(Some(request)) = message else { return };
                session.receive(request).expect("the proxy keeps to the protocol");
                *shared.rejected.lock().expect("no holder panics") = session.rejected().cloned().collect();
            }
            changed = view.changed() => if changed.is_err() { return },
        }
    }
}
