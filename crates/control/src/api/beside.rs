//! What else is served at the address of the API: the proxies' streams, pages for people.
//!
//! One address and one certificate for everything a control plane serves is one thing to open, to name and to trust.
//! What is served beside the API brings its own rules of who may. Its paths are data as the API's are: what no line of
//! a table speaks of is not reached, and a test walks the tables and asks each path as nobody and as somebody.

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

/// Who is let in by a path beside the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody: it tells nothing that is kept here.
    Anyone,
    /// Proxies, by the token of their Gateways or the certificate of their workload.
    Proxy,
    /// Whoever joins a mesh with a join token, or is a member by its certificate.
    Member,
    /// People who have logged in; others are led to the page where they can.
    LoggedIn,
    /// Whoever may do this with this resource.
    Allowed {
        /// The verb.
        verb: &'static str,
        /// The resource, as `plural.group`.
        resource: &'static str,
    },
}

/// A path that is answered beside the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// The method that does something; others are answered with 405.
    pub method: &'static str,
    /// The path. `{name}` stands for one segment, `{rest}` at the end for any more.
    pub path: &'static str,
    /// Who is let in.
    pub who: Who,
}

impl Door {
    /// A line of a table.
    #[must_use]
    pub const fn new(method: &'static str, path: &'static str, who: Who) -> Door {
        Door { method, path, who }
    }

    /// Whether a path leads here.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        for expected in self.path.split('/') {
            match (expected, asked.next()) {
                ("{rest}", Some(_)) => return true,
                ("{name}", Some(segment)) if !segment.is_empty() => {}
                (literal, Some(segment)) if literal == segment => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }
}

/// Somebody else who is served at the same address.
pub trait Beside: Send + Sync + fmt::Debug + 'static {
    /// Every path that is answered, and who is let in.
    fn doors(&self) -> &'static [Door];

    /// Whether requests for a path are theirs. Asked before the API's own routes.
    fn takes(&self, path: &str) -> bool {
        self.doors().iter().any(|door| door.is_at(path))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_where_a_pattern_says_and_nowhere_else() {
        let at = |pattern, path| Door::new("GET", pattern, Who::Anyone).is_at(path);

        assert!(at("/a/v1/meshes/{name}", "/a/v1/meshes/default"));
        assert!(!at("/a/v1/meshes/{name}", "/a/v1/meshes/"));
        assert!(!at("/a/v1/meshes/{name}", "/a/v1/meshes/default/more"));
        assert!(at("/console/{rest}", "/console/routes/shop/cart"));
        assert!(at("/console/{rest}", "/console/"));
        assert!(!at("/console/{rest}", "/console") && !at("/console", "/consoles"));
    }
}
