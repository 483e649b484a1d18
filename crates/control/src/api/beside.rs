//! What else is served at the address of the API: the proxies' streams, pages for people.
//!
//! One address and one certificate for everything a control plane serves is one thing to open, to name and to trust.
//! What is served beside the API brings its own rules of who may; the API's routes stay the table that a test walks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::inside::Inside;

/// Why a body of somebody else's broke off.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A body of somebody else's.
pub type Foreign = UnsyncBoxBody<Bytes, Fault>;

/// An answer of somebody else's, some time later.
pub type Answered<'a> = Pin<Box<dyn Future<Output = Response<Foreign>> + Send + 'a>>;

/// An answer to a question from inside of the process, some time later.
pub type Told<'a> = Pin<Box<dyn Future<Output = (StatusCode, Bytes)> + Send + 'a>>;

/// Somebody else who is served at the same address.
pub trait Beside: Send + Sync + fmt::Debug + 'static {
    /// Whether requests for a path are theirs. Asked before the API's own routes.
    fn takes(&self, path: &str) -> bool;

    /// Answers a request for such a path. Who showed a certificate that counts stands in its extensions, as an
    /// `Arc<`[`Peer`](super::tls::peer::Peer)`>`. What they need of the API they ask of it as anybody does, only
    /// without a connection.
    fn answer(&self, request: Request<Incoming>, api: Inside) -> Answered<'_>;

    /// The same question from inside of the process ([`Inside::get`]), as whoever has this bearer token. `None` where
    /// that is not meant to be asked.
    fn tell<'a>(&'a self, _request: &'a Request<()>) -> Option<Told<'a>> {
        None
    }
}

/// A document for one reader, which nobody keeps.
#[must_use]
pub fn document(
    code: u16,
    media: &'static str,
    text: String,
    retry_after_seconds: Option<u64>,
) -> Response<Foreign> {
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = retry_after_seconds {
        fields.insert(RETRY_AFTER, seconds.into());
    }
    response
}
