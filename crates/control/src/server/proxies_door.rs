//! The proxies' streams at the address of the API.

use std::collections::BTreeSet;
use std::sync::Arc;

use discovery::Interest;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use model::Resource;
use model::kinds::Namespace;
use model::spiffe::SpiffeId;

use crate::api::Authenticator;
use crate::api::Inside;
use crate::api::access::Credentials;
use crate::api::beside::{Answered, Beside, Door};
use crate::api::home::GATEWAYS;
use crate::ca::trust::{GATEWAY, WORKLOAD};
use crate::stream::{self, Authenticate, Hub, Peer, Refused, Verdict};
use crate::world::World;

/// Serves the streams.
#[derive(Debug)]
pub struct Streams {
    /// The streams.
    pub hub: Arc<Hub>,
    /// The objects, when the store that held them before was put aside as damaged. While nobody has written anew (the
    /// namespaces that we declare by ourselves do not count), proxies are told to come again: what they have is better
    /// than an empty world that nobody asked for.
    pub begun_anew: Option<Arc<World>>,
}

impl Streams {
    fn is_held(&self) -> bool {
        let is_empty = |world: &Arc<World>| world.now().resources.iter().all(|object| is_made_by_us(object));
        self.begun_anew.as_ref().is_some_and(is_empty)
    }
}

/// Whether it may be there without anybody having asked for it.
fn is_made_by_us(object: &Resource) -> bool {
    object.content::<Namespace>().is_some()
}

impl Beside for Streams {
    fn doors(&self) -> &'static [Door] {
        stream::DOORS
    }

    fn answer(&self, request: http::Request<Incoming>, _api: Inside) -> Answered<'_> {
        if self.is_held() {
            let held =
                tonic::Status::unavailable("the store was set aside as damaged; nothing was applied since");
            let held =
                held.into_http::<tonic::body::Body>().map(|body| body.map_err(Into::into).boxed_unsync());
            return Box::pin(std::future::ready(held));
        }
        let hub = Arc::clone(&self.hub);
        Box::pin(async move {
            stream::answer(hub, request).await.map(|body| body.map_err(Into::into).boxed_unsync())
        })
    }
}

/// The users of the API as the stream knows them.
#[derive(Debug)]
pub struct Members {
    /// Knows the users.
    pub users: Arc<dyn Authenticator>,
    /// Has the Workloads, each of which belongs to a service account.
    pub world: Arc<World>,
}

impl Authenticate for Members {
    fn authenticate<'a>(&'a self, shown: Credentials<'a>) -> Verdict<'a> {
        let known = match (shown.bearer, shown.certificate) {
            (None, None) => Err(Refused::Anonymous),
            (Some(_), _) | (None, Some(_)) => self.peer(&shown),
        };
        Box::pin(std::future::ready(known))
    }

    fn is_still(&self, peer: &Peer) -> bool {
        match &peer.may_serve {
            Interest::Workload(workload) => self.belongs(workload, &peer.name),
            Interest::All | Interest::Gateways(_) => true,
        }
    }
}

impl Members {
    /// Whether a workload, if it is known, runs as the service account of this member: a view holds what concerns the
    /// workload, Secrets too, and the name alone was chosen by whoever asked for the certificate.
    fn belongs(&self, workload: &str, member: &str) -> bool {
        let Some((namespace, name)) = workload.split_once('/') else { return false };
        let resources = self.world.now().resources;
        let Some(known) = resources.workload(namespace, name) else { return true };
        let id = member.parse::<SpiffeId>();
        id.is_ok_and(|id| id.service_account() == Some(&*known.content.spec.service_account))
    }

    fn peer(&self, shown: &Credentials<'_>) -> Result<Peer, Refused> {
        let user = self.users.authenticate(shown).ok_or(Refused::Unknown)?;
        let gateways: BTreeSet<Arc<str>> =
            user.groups.iter().filter_map(|group| group.strip_prefix(GATEWAY)).map(Into::into).collect();
        let beside = user.groups.iter().find_map(|group| group.strip_prefix(WORKLOAD));
        let may_serve = match beside {
            _ if user.is_in(GATEWAYS) => Interest::All,
            // A member that is a proxy of a Gateway has a place as well, but no application beside it.
            _ if !gateways.is_empty() => Interest::Gateways(gateways),
            Some(workload) if !self.belongs(workload, &user.name) => {
                return Err(Refused::Account(workload.into()));
            }
            Some(workload) => Interest::Workload(workload.into()),
            // Somebody, but no gateway.
            None => return Err(Refused::Unknown),
        };
        Ok(Peer { name: user.name, may_serve })
    }
}
