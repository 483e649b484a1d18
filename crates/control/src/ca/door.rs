//! Certificates and the care of authorities, served at the address of the API.
//!
//! `POST /mesh.selvedge.dev/v1/certificates` gives a certificate; `POST /mesh.selvedge.dev/v1/meshes/NAME` takes what
//! people want of the authorities of a mesh.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::Authorities;
use super::certify::Certifier;
use super::manage::{Manager, Wanted};
use crate::api::access::{Audit, Credentials};
use crate::api::beside::{Answered, Beside, Door as Way, Who, document};
use crate::api::tls::peer::Peer;
use crate::api::{Authenticator, Authorizer, Inside, unread};
use crate::clock::Clock;
use crate::objects::media::JSON;
use crate::objects::status::Status;

/// Where certificates are asked for.
pub const CERTIFICATES: &str = "/mesh.selvedge.dev/v1/certificates";
/// Where people ask for a change of the authorities of a mesh, followed by its name.
pub const MESHES: &str = "/mesh.selvedge.dev/v1/meshes/";
/// Longest body in bytes. Past it: 413.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest time for a body to come. Past it: 504.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Requests that are answered at once. Past it: 429.
const REQUESTS_MAX: usize = 64;

/// Both, and who is let in.
const WAYS: &[Way] = &[
    Way::new("POST", CERTIFICATES, Who::Member),
    Way::new(
        "POST",
        "/mesh.selvedge.dev/v1/meshes/{name}",
        Who::Allowed { verb: "update", resource: "trustbundles.mesh.selvedge.dev" },
    ),
];

/// Serves both.
#[derive(Debug)]
pub struct Door {
    certifier: Certifier,
    manager: Manager,
    users: Arc<dyn Authenticator>,
    places: Semaphore,
}

impl Door {
    /// Serves these authorities to users that are known and judged by these.
    #[must_use]
    pub fn new(
        authorities: &Arc<Authorities>,
        users: &Arc<dyn Authenticator>,
        authorizer: Arc<dyn Authorizer>,
        clock: &Clock,
        audit: &Audit,
    ) -> Door {
        let certifier =
            Certifier::new(Arc::clone(authorities), Arc::clone(users), clock.clone(), audit.clone());
        let (authorities, clock, audit) = (Arc::clone(authorities), clock.clone(), audit.clone());
        let manager = Manager { authorities, authorizer, clock, audit };
        Door { certifier, manager, users: Arc::clone(users), places: Semaphore::new(REQUESTS_MAX) }
    }

    async fn answered(&self, request: Request<Incoming>) -> Result<String, Status> {
        let _place = self.places.try_acquire().map_err(|_| Status::too_many_requests(1))?;
        if request.method() != Method::POST {
            return Err(Status::method_not_allowed());
        }
        let (head, body) = request.into_parts();
        let peer = head.extensions.get::<Arc<Peer>>().cloned();
        let name = peer.as_ref().map(|peer| &peer.name);
        let credentials = Credentials::of(&head.headers, name);
        if let Some(mesh) = head.uri.path().strip_prefix(MESHES) {
            let user = self.users.authenticate(&credentials).ok_or_else(Status::unauthorized);
            let permit = match user.and_then(|user| self.manager.permit(user, mesh)) {
                Ok(permit) => permit,
                Err(refused) => {
                    unread::discard(body, BODY_BYTES_MAX).await;
                    return Err(refused);
                }
            };
            let wanted: Wanted = read(body).await?;
            return written(&self.manager.change(&permit, mesh, &wanted).await?);
        }
        let member = peer.as_ref().and_then(|peer| peer.member.as_ref());
        if let Err(refused) = self.certifier.knows(credentials.bearer, member) {
            unread::discard(body, BODY_BYTES_MAX).await;
            return Err(refused);
        }
        let asked = read(body).await?;
        written(&self.certifier.certify(credentials.bearer, member, &asked).await?)
    }
}

impl Beside for Door {
    fn doors(&self) -> &'static [Way] {
        WAYS
    }

    fn answer(&self, request: Request<Incoming>, _api: Inside) -> Answered<'_> {
        Box::pin(async move {
            match self.answered(request).await {
                Ok(text) => document(200, JSON, text, None),
                Err(status) => {
                    document(status.code(), JSON, status.body().to_string(), status.retry_after_seconds())
                }
            }
        })
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Status> {
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let bytes = match collected.map_err(|_| Status::timeout("the body did not come in time"))? {
        Ok(collected) => collected.to_bytes(),
        Err(fault) if fault.is::<http_body_util::LengthLimitError>() => {
            return Err(Status::request_entity_too_large(BODY_BYTES_MAX));
        }
        Err(_) => return Err(Status::bad_request("the body ended early")),
    };
    serde_json::from_slice(&bytes).map_err(|fault| Status::bad_request(format!("the body: {fault}")))
}

fn written(value: &impl serde::Serialize) -> Result<String, Status> {
    serde_json::to_string(value).map_err(|fault| Status::internal_error(&fault.to_string()))
}
