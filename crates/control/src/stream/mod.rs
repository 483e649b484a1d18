//! The services proxies connect to: the streams of objects and of customers, and what they tell: reports and usage.
//!
//! Both run over TLS from the first byte and are refused to whoever shows no token. What is sent is decided in
//! [`crate::view`] and in the state machines of crate `discovery`; in here are sockets, time and patience. [`answer`]
//! takes single requests, so that whoever has a server of its own can serve these beside its other paths.

mod admission;
mod authenticate;
mod call;
mod connection;
mod customers;
mod objects;
mod quotas;
mod reports;
mod shares;
mod taps;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::Interest;
use discovery::customers::CUSTOMERS_PATH;
use discovery::limits::MESSAGE_BYTES_MAX;
use discovery::messages::STREAM_PATH;
use discovery::quotas::QUOTAS_PATH;
use discovery::reports::REPORTS_PATH;
use discovery::shares::SHARES_PATH;
use discovery::taps::TAPS_PATH;
use discovery::usage::{REGISTER_PATH, SHIP_ENDED_PATH, SHIP_PATH};
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request, Response};
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use call::Call;

pub use admission::{Admission, JOINS_MAX, JOINS_WAITING_MAX};
pub use authenticate::{Authenticate, Peer, Refused, Tokens, Verdict};
pub use connection::serve;

use crate::api::access::Credentials;
use crate::api::beside::{Door, Who};
use crate::api::{tls, unread};
use crate::proxies::Proxies;
use crate::quotas::Coordinator;
use crate::shares::Dealer;
use crate::taps::Taps;
use crate::view::Views;

/// Longest time for a proxy to take what it joined for, and for any message to be taken off our hands. A stream that
/// stands still for so long is ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes taken of a message whose sender is refused: what HTTP/2 lets anybody send before it is given more room.
/// Past it: the stream is reset.
const UNREAD_BYTES_MAX: usize = 64 << 10;
/// Name of the metadata that says when to come again, in milliseconds.
pub const RETRY_AFTER: &str = "retry-after-ms";

/// What every stream may reach.
#[derive(Debug)]
pub struct Hub {
    /// What is sent.
    pub views: Arc<Views>,
    /// Who is alive.
    pub proxies: Arc<Proxies>,
    /// Who may connect.
    pub authenticate: Arc<dyn Authenticate>,
    /// How many at once.
    pub admission: Admission,
    /// Who lends them parts of quotas.
    pub quotas: Coordinator,
    /// Who tells them which share of rates is theirs.
    pub shares: Arc<Dealer>,
    /// Who watches them.
    pub taps: Arc<Taps>,
}

impl Hub {
    /// A hub with an empty table of proxies and the usual door.
    #[must_use]
    pub fn new(views: Arc<Views>, authenticate: Arc<dyn Authenticate>, quotas: Coordinator) -> Arc<Hub> {
        let (proxies, admission) = (Arc::default(), Admission::default());
        let (shares, taps) = (Arc::default(), Arc::default());
        Arc::new(Hub { views, proxies, authenticate, admission, quotas, shares, taps })
    }

    /// Who shows these headers, or the certificate of the connection.
    async fn peer(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Peer, Status> {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = shown.and_then(|value| value.strip_prefix("Bearer "));
        let certificate = extensions.get::<Arc<tls::peer::Peer>>().map(|peer| &peer.name);
        self.authenticate.authenticate(Credentials { bearer, certificate }).await.map_err(|refused| {
            let code = match refused {
                Refused::Anonymous | Refused::Unknown => Code::Unauthenticated,
                Refused::Account(_) => Code::PermissionDenied,
                Refused::Unavailable => Code::Unavailable,
            };
            Status::new(code, refused.to_string())
        })
    }
}

/// Who makes a call, as [`answer`] found out.
fn caller<T>(request: &tonic::Request<T>) -> Result<Peer, Status> {
    let peer = request.extensions().get::<Peer>();
    peer.cloned().ok_or_else(|| Status::unauthenticated(Refused::Anonymous.to_string()))
}

/// Who makes a call, and what it serves, if it may serve that.
fn admitted<T>(request: &tonic::Request<T>, serves: &[String]) -> Result<(Peer, Interest), Status> {
    let peer = caller(request)?;
    let serves = Interest::of_names(serves);
    match peer.may(&serves) {
        true => Ok((peer, serves)),
        false => Err(Status::permission_denied(format!("`{}` may not serve {serves}", peer.name))),
    }
}

/// The services in here.
pub const DOORS: &[Door] = &[
    Door::new("POST", STREAM_PATH, Who::Proxy),
    Door::new("POST", CUSTOMERS_PATH, Who::Proxy),
    Door::new("POST", QUOTAS_PATH, Who::Proxy),
    Door::new("POST", SHARES_PATH, Who::Proxy),
    Door::new("POST", REPORTS_PATH, Who::Proxy),
    Door::new("POST", TAPS_PATH, Who::Proxy),
    Door::new("POST", REGISTER_PATH, Who::Proxy),
    Door::new("POST", SHIP_PATH, Who::Proxy),
    Door::new("POST", SHIP_ENDED_PATH, Who::Proxy),
];

/// Answers one request. Who asks is found out before anything that it sends is read.
pub async fn answer<B>(hub: Arc<Hub>, mut request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    match hub.peer(request.headers(), request.extensions()).await {
        Ok(peer) => request.extensions_mut().insert(peer),
        Err(refused) => {
            if !matches!(request.uri().path(), STREAM_PATH | REPORTS_PATH | TAPS_PATH) {
                unread::discard(request.into_body(), UNREAD_BYTES_MAX).await;
            }
            return refused.into_http();
        }
    };
    match request.uri().path() {
        STREAM_PATH => grpc().streaming(objects::Objects { hub }, request).await,
        CUSTOMERS_PATH => {
            let call = Call(move |request| customers::follow(hub.clone(), request));
            grpc().server_streaming(call, request).await
        }
        QUOTAS_PATH => grpc().unary(Call(move |request| quotas::ask(hub.clone(), request)), request).await,
        SHARES_PATH => grpc().unary(Call(move |request| shares::tell(hub.clone(), request)), request).await,
        REPORTS_PATH => grpc().streaming(reports::Reports { hub }, request).await,
        TAPS_PATH => grpc().client_streaming(taps::Taps { hub }, request).await,
        REGISTER_PATH => {
            grpc().unary(Call(move |request| usage::register(hub.clone(), request)), request).await
        }
        SHIP_PATH => grpc().unary(Call(move |request| usage::keep(hub.clone(), request)), request).await,
        SHIP_ENDED_PATH => {
            grpc().unary(Call(move |request| usage::keep_ended(hub.clone(), request)), request).await
        }
        _ => Status::unimplemented("no such service here").into_http(),
    }
}

fn grpc<Out, In>() -> Grpc<ProstCodec<Out, In>>
where
    Out: prost::Message + Send + 'static,
    In: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}
