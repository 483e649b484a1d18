//! Watching over the API: `GET /tap.selvedge.dev/v1/namespaces/NS/workloads/NAME?filter={…}`, `gateways` alike.
//!
//! Who may `get` the subresource `tap` of the Workload or of the Gateway may watch; who began to is in the audit log.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use discovery::Interest;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use model::kinds::KindName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::{Taps, show};
use crate::api::access::{Audit, Credentials, Permit, Wish};
use crate::api::beside::{Answered, Beside, Door as Way, Fault, Foreign, Who, document};
use crate::api::tls::peer::Peer;
use crate::api::{Authenticator, Authorizer, Inside, Query};
use crate::objects::media::JSON;
use crate::objects::status::Status;
use crate::proxies::Proxies;

/// What all paths begin with.
const ROOT: &str = "/tap.selvedge.dev/v1/namespaces/";
/// What is served.
const WAYS: &[Way] = &[
    Way::new(
        "GET",
        "/tap.selvedge.dev/v1/namespaces/{name}/workloads/{name}",
        Who::Allowed { verb: "get", resource: "workloads/tap.mesh.selvedge.dev" },
    ),
    Way::new(
        "GET",
        "/tap.selvedge.dev/v1/namespaces/{name}/gateways/{name}",
        Who::Allowed { verb: "get", resource: "gateways/tap.gateway.networking.k8s.io" },
    ),
];
/// The subresource that one needs to be allowed to get.
const SUBRESOURCE: &str = "tap";
/// Most who watch at once at one control plane. Past it: 429.
pub const WATCHERS_MAX: usize = 16;
/// Longest filter, in bytes.
const FILTER_BYTES_MAX: usize = 4_096;
/// Pieces of the answer that wait for the connection.
const PIECES_WAITING_MAX: usize = 4;
/// Lines of JSON.
const LINES: &str = "application/x-ndjson";

/// Serves it.
pub struct Door {
    taps: Arc<Taps>,
    proxies: Arc<Proxies>,
    users: Arc<dyn Authenticator>,
    authorizer: Arc<dyn Authorizer>,
    audit: Audit,
    room: Arc<Semaphore>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

/// Of whom somebody wants to see what passes.
struct Target<'a> {
    kind: KindName,
    namespace: &'a str,
    name: &'a str,
}

impl Door {
    /// Serves users that are known and judged by these.
    #[must_use]
    pub fn new(
        (taps, proxies): (&Arc<Taps>, &Arc<Proxies>),
        users: &Arc<dyn Authenticator>,
        authorizer: &Arc<dyn Authorizer>,
        audit: &Audit,
    ) -> Door {
        Door {
            taps: Arc::clone(taps),
            proxies: Arc::clone(proxies),
            users: Arc::clone(users),
            authorizer: Arc::clone(authorizer),
            audit: audit.clone(),
            room: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }

    fn answered(&self, request: &Request<Incoming>) -> Result<Response<Foreign>, Status> {
        if request.method() != Method::GET {
            return Err(Status::method_not_allowed());
        }
        let target = Target::of(request.uri().path()).ok_or_else(Status::no_such_path)?;
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let filter = query.text("filter").unwrap_or("{}");
        if filter.len() > FILTER_BYTES_MAX {
            return Err(Status::bad_request("the filter is too long"));
        }
        self.permit(request, &target)?;
        let place = Arc::clone(&self.room).try_acquire_owned();
        let place = place.map_err(|_| Status::too_many_requests(1))?;
        let watching = self.taps.watch(&self.serving(&target), filter);
        if watching.asked() == 0 {
            let why = format!(
                "no proxy of {} `{}/{}` reports to this control plane now",
                target.kind.as_str(),
                target.namespace,
                target.name
            );
            return Err(Status::service_unavailable(&why, 1));
        }
        let (out, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        tokio::spawn(async move {
            show::write(watching, out).await;
        });
        Ok(streamed(pieces, place))
    }

    fn permit(&self, request: &Request<Incoming>, target: &Target<'_>) -> Result<Permit, Status> {
        let peer = request.extensions().get::<Arc<Peer>>();
        let shown = Credentials::of(request.headers(), peer.map(|peer| &peer.name));
        let user = self.users.authenticate(&shown).ok_or_else(Status::unauthorized)?;
        let wish = Wish {
            verb: "get".into(),
            group: target.kind.group().into(),
            resource: target.kind.plural().into(),
            subresource: SUBRESOURCE.into(),
            namespace: Some(target.namespace.into()),
            name: Some(target.name.into()),
        };
        let (who, qualified) = (user.name.clone(), wish.qualified());
        let judged = Permit::ask(&*self.authorizer, Arc::new(user), wish.clone());
        let outcome = if judged.is_ok() { "watches" } else { "denied" };
        self.audit.keep(self.audit.entry(&who, &wish, outcome));
        judged.map_err(|why| Status::forbidden_resource(&qualified, &why))
    }

    /// The live proxies that serve it, by name and by who they showed to be.
    fn serving(&self, target: &Target<'_>) -> Vec<(Arc<str>, Arc<str>)> {
        let place = format!("{}/{}", target.namespace, target.name);
        let serves = |interest: &Interest| match (interest, target.kind) {
            (Interest::Workload(workload), KindName::Workload) => **workload == *place,
            (Interest::Gateways(gateways), KindName::Gateway) => gateways.contains(&*place),
            (Interest::All, KindName::Gateway) => true,
            _ => false,
        };
        let live = self.proxies.live(Instant::now()).into_iter();
        live.filter(|proxy| serves(&proxy.interest)).map(|proxy| (proxy.name, proxy.peer)).collect()
    }
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Option<Target<'a>> {
        let mut parts = path.strip_prefix(ROOT)?.split('/');
        let (namespace, plural, name) = (parts.next()?, parts.next()?, parts.next()?);
        let kind =
            [KindName::Workload, KindName::Gateway].into_iter().find(|kind| kind.plural() == plural)?;
        let is_whole = parts.next().is_none() && !namespace.is_empty() && !name.is_empty();
        is_whole.then_some(Target { kind, namespace, name })
    }
}

/// An answer that goes on for as long as there are pieces; its place is free when it is over.
fn streamed(pieces: mpsc::Receiver<Bytes>, place: OwnedSemaphorePermit) -> Response<Foreign> {
    let frames = ReceiverStream::new(pieces).map(move |piece| {
        let _kept = &place;
        Ok::<_, Fault>(Frame::data(piece))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Beside for Door {
    fn doors(&self) -> &'static [Way] {
        WAYS
    }

    fn answer(&self, request: Request<Incoming>, _api: Inside) -> Answered<'_> {
        let answer = self.answered(&request).unwrap_or_else(|status| {
            document(status.code(), JSON, status.body().to_string(), status.retry_after_seconds())
        });
        Box::pin(std::future::ready(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_workload_or_one_gateway() {
        let of = |path: &str| Target::of(path).map(|found| (found.kind, found.namespace == "shop"));

        assert_eq!(of("/tap.selvedge.dev/v1/namespaces/shop/workloads/a"), Some((KindName::Workload, true)));
        assert_eq!(of("/tap.selvedge.dev/v1/namespaces/shop/gateways/a"), Some((KindName::Gateway, true)));
        for other in
            ["shop/services/a", "shop/workloads", "shop/workloads/", "shop/workloads/a/b", "/workloads/a"]
        {
            assert_eq!(of(&format!("/tap.selvedge.dev/v1/namespaces/{other}")), None, "{other}");
        }
    }
}
