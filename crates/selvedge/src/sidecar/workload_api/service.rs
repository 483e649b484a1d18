//! The calls: each is a stream that says what is, and again whenever it is something else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, ServerStreamingService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::Identity;
use super::messages::{
    X509BundlesRequest, X509BundlesResponse, X509Svid, X509SvidRequest, X509SvidResponse, path,
};

/// The header without which nothing is answered: a browser that is led here cannot send it (Workload API section 5).
const HEADER: &str = "workload.spiffe.io";

/// What is told, and to whom: everybody who was let in at the socket.
#[derive(Clone, Debug)]
pub struct Calls {
    identity: watch::Receiver<Option<Arc<Identity>>>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Calls {
    /// Tells of this identity.
    #[must_use]
    pub fn new(identity: watch::Receiver<Option<Arc<Identity>>>) -> Calls {
        Calls { identity }
    }

    /// Answers one request.
    pub async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let called = request.uri().path().to_owned();
        Ok(match called.as_str() {
            path::FETCH_X509_SVID => self.tell(svids, request).await,
            path::FETCH_X509_BUNDLES => self.tell(bundles, request).await,
            called if path::JWT.contains(&called) => {
                Status::unimplemented("this workload has no JWT-SVIDs; use its X.509-SVID").into_http()
            }
            _ => Status::unimplemented("no such call in the SPIFFE Workload API").into_http(),
        })
    }

    async fn tell<T: Told>(self, as_told: fn(&Identity) -> T, request: Request<Incoming>) -> Response<Body> {
        let codec: ProstCodec<T, T::Asked> = ProstCodec::default();
        Grpc::new(codec).server_streaming(Telling { calls: self, as_told }, request).await
    }

    fn told<T: Send + 'static>(
        &self,
        metadata: &MetadataMap,
        as_told: fn(&Identity) -> T,
    ) -> Result<Answers<T>, Status> {
        let header = metadata.get(HEADER).map(|value| value.as_bytes() == b"true");
        if header != Some(true) {
            return Err(Status::invalid_argument("the metadata `workload.spiffe.io: true` is missing"));
        }
        if self.identity.borrow().is_none() {
            return Err(Status::unavailable("this workload has no identity yet; try again"));
        }
        let changes = WatchStream::new(self.identity.clone());
        // An identity that was taken away ends the stream: its holder must not go on believing in it.
        let told = changes.map(move |identity| match identity {
            Some(identity) => Ok(as_told(&identity)),
            None => Err(Status::new(Code::PermissionDenied, "this workload has no identity any more")),
        });
        Ok(Box::pin(told))
    }
}

fn svids(identity: &Identity) -> X509SvidResponse {
    let svid = X509Svid {
        spiffe_id: identity.id.as_str().to_owned(),
        x509_svid: concatenated(&identity.chain),
        x509_svid_key: Bytes::copy_from_slice(&identity.key),
        bundle: concatenated(&identity.roots),
        hint: String::new(),
    };
    X509SvidResponse { svids: vec![svid], crl: Vec::new(), federated_bundles: of_others(identity) }
}

fn bundles(identity: &Identity) -> X509BundlesResponse {
    let mut bundles = of_others(identity);
    bundles.insert(named(identity.id.trust_domain()), concatenated(&identity.roots));
    X509BundlesResponse { crl: Vec::new(), bundles }
}

fn of_others(identity: &Identity) -> BTreeMap<String, Bytes> {
    identity.others.iter().map(|(name, roots)| (named(name), concatenated(roots))).collect()
}

/// A trust domain as bundles are called by: its ID.
fn named(trust_domain: &str) -> String {
    format!("spiffe://{trust_domain}")
}

fn concatenated(certificates: &[rustls::pki_types::CertificateDer<'static>]) -> Bytes {
    certificates.iter().flat_map(|certificate| certificate.iter().copied()).collect()
}

/// A call that tells the identity in one of its forms.
struct Telling<T> {
    calls: Calls,
    as_told: fn(&Identity) -> T,
}

/// A form, and what asks for it.
trait Told: Message + Send + 'static {
    type Asked: Message + Default + Send + 'static;
}

impl Told for X509SvidResponse {
    type Asked = X509SvidRequest;
}

impl Told for X509BundlesResponse {
    type Asked = X509BundlesRequest;
}

impl<T: Told> ServerStreamingService<T::Asked> for Telling<T> {
    type Response = T;
    type ResponseStream = Answers<T>;
    type Future = Ready<Result<tonic::Response<Answers<T>>, Status>>;

    fn call(&mut self, request: tonic::Request<T::Asked>) -> Self::Future {
        ready(self.calls.told(request.metadata(), self.as_told).map(tonic::Response::new))
    }
}
