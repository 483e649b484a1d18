//! What is done with objects, one file a verb.
//!
//! A verb reads what it needs of the request, lets [`crate::objects`] work out the object that is to be kept, and
//! commits it if nobody was faster.

mod commit;
mod create;
mod customers;
mod delete;
mod get;
mod list;
mod options;
mod past;
mod patch;
mod replace;
mod selection;
mod view;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::USER_AGENT;
use model::kinds::{KindName, Scope};
use model::units::Moment;
use model::{Namespace, Resource, ResourceKey};

pub use self::delete::{CONTENTS, FOREGROUND, ORPHAN};
pub use self::options::{ListOptions, WatchOptions};
use self::selection::Selection;
pub use self::view::INITIAL_EVENTS_END;
use super::access::Permit;
use super::answer::Answer;
use super::dispatch::Request;
use super::query::Query;
use super::routes::Endpoint;
use super::state::State;
use crate::objects::request::{FieldValidation, Part, manager_of};
use crate::objects::status::{About, Status};

/// A request about objects, allowed.
#[derive(Debug)]
pub struct Asked {
    permit: Permit,
    kind: KindName,
    version: &'static str,
    namespace: Option<String>,
    name: Option<String>,
    part: Part,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers a request about objects.
pub async fn answer(state: &Arc<State>, request: Request) -> Result<Answer, Status> {
    let endpoint = request.endpoint;
    let asked = Asked::from(request)?;
    let answered = match endpoint {
        _ if asked.kind.is_customer() => customers::answer(state, &asked, endpoint).await,
        Endpoint::List if asked.query.flag("watch")?.unwrap_or(false) => watch::watch(state, &asked).await,
        Endpoint::List => list::list(state, &asked).await,
        Endpoint::Get | Endpoint::GetStatus => get::get(state, &asked).await,
        Endpoint::Create => create::create(state, &asked).await,
        Endpoint::Replace | Endpoint::ReplaceStatus => replace::replace(state, &asked).await,
        Endpoint::Patch | Endpoint::PatchStatus => patch::patch(state, &asked).await,
        Endpoint::Delete => delete::delete(state, &asked).await,
        Endpoint::DeleteCollection => delete::delete_collection(state, &asked).await,
        Endpoint::Health
        | Endpoint::Version
        | Endpoint::CoreVersions
        | Endpoint::Groups
        | Endpoint::Group
        | Endpoint::Resources
        | Endpoint::OpenApiV2
        | Endpoint::OpenApiV3
        | Endpoint::OpenApiV3Document
        | Endpoint::SelfSubjectReview
        | Endpoint::SelfSubjectAccessReview
        | Endpoint::SelfSubjectRulesReview
        | Endpoint::ControlPlanes
        | Endpoint::Proxies
        | Endpoint::MeshPictures
        | Endpoint::RouteTraffic
        | Endpoint::GetQuotas
        | Endpoint::Events => Err(Status::no_such_path()),
    };
    if let (Err(status), true) = (&answered, asked.is_write()) {
        let permit = &asked.permit;
        let outcome = format!("failed: {} {}", status.code(), status.reason());
        state.audit.keep(state.audit.entry(&permit.who().name, permit.wish(), &outcome));
    }
    answered
}

impl Asked {
    fn from(request: Request) -> Result<Asked, Status> {
        let Request { endpoint, place, query, headers, permit, body, user: _, path: _ } = request;
        let (Some(permit), Some(kind), Some(version)) = (permit, place.kind, place.version) else {
            return Err(Status::no_such_path());
        };
        let of_status =
            matches!(endpoint, Endpoint::GetStatus | Endpoint::ReplaceStatus | Endpoint::PatchStatus);
        let part = if of_status { Part::Status } else { Part::Whole };
        if part == Part::Status && model::schema::status(kind).is_none() {
            return Err(Status::no_such_path());
        }
        let (namespace, name) = (place.namespace, place.name);
        Ok(Asked { permit, kind, version, namespace, name, part, query, headers, body })
    }

    fn is_write(&self) -> bool {
        !matches!(self.permit.wish().verb.as_str(), "get" | "list" | "watch")
    }

    fn about(&self) -> About<'_> {
        About::new(self.kind, self.name.as_deref().unwrap_or_default())
    }

    /// What is written, which a create names in its body.
    fn about_named<'a>(&self, admitted: &'a crate::objects::Admitted) -> About<'a> {
        About::new(self.kind, admitted.resource.key.name.as_str())
    }

    /// The object that the path names, as it is now. A name that no object can have is that of no object.
    fn current(&self, state: &State) -> Result<Option<Arc<Resource>>, Status> {
        let Some(key) = self.key() else { return Ok(None) };
        Ok(state.world.now().resources.get(&key).cloned())
    }

    fn key(&self) -> Option<ResourceKey> {
        let namespace: Option<Namespace> = match (self.kind.scope(), &self.namespace) {
            (Scope::Cluster, _) => None,
            (Scope::Namespaced, namespace) => Some(namespace.as_ref()?.parse().ok()?),
        };
        let name = self.name.as_ref()?.parse().ok()?;
        Some(ResourceKey {
            group: self.kind.group().into(),
            kind: self.kind.as_str().into(),
            namespace,
            name,
        })
    }

    /// Who is recorded as the owner of the fields that are written.
    fn manager(&self) -> Result<String, Status> {
        let agent = self.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        manager_of(self.query.text("fieldManager"), agent)
    }

    /// The request as [`crate::objects`] knows it.
    fn request<'a>(&'a self, state: &State, manager: &'a str) -> Result<crate::objects::Request<'a>, Status> {
        Ok(crate::objects::Request {
            kind: self.kind,
            version: self.version,
            namespace: self.namespace.as_deref(),
            name: self.name.as_deref(),
            part: self.part,
            manager,
            validation: FieldValidation::of(self.query.text("fieldValidation"))?,
            now: Moment(state.clock.seconds()),
        })
    }
}
