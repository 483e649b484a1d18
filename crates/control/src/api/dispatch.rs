//! The way of a request, in its order: path, person, permission, room, body, endpoint, and how it is written.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, Method, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use model::kinds::{CORE_GROUP, KindName};

use super::access::{Credentials, Permit, User, Wish};
use super::answer::{Answer, Body, Style};
use super::beside::Fault;
use super::query::Query;
use super::routes::{self, Access, Endpoint, Lookup, Place, Route};
use super::state::State;
use super::tls::ClientName;
use super::{documents, events, review, telling, verbs};
use crate::objects::selectors::FieldSelector;
use crate::objects::status::{About, Status};

/// A request whose sender is known and may ask it.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub endpoint: Endpoint,
    /// Of what.
    pub place: Place,
    /// Parameters.
    pub query: Query,
    /// Fields.
    pub headers: HeaderMap,
    /// Who asks; nobody on the few paths that are open to anyone.
    pub user: Option<Arc<User>>,
    /// That they may, for objects.
    pub permit: Option<Permit>,
    /// The body.
    pub body: Bytes,
    /// The path as it was sent.
    pub path: String,
}

/// A body that is read once its sender is known: one from the wire, or the empty one of who asks from inside.
pub trait Sent: http_body::Body<Data = Bytes, Error: Into<Fault>> + Send {}

impl<B: http_body::Body<Data = Bytes, Error: Into<Fault>> + Send> Sent for B {}

/// Answers a request, whatever it is.
pub async fn answer<B: Sent>(
    state: &Arc<State>,
    certificate: Option<&ClientName>,
    request: http::Request<B>,
) -> http::Response<Body> {
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let pretty = query.as_ref().ok().and_then(|query| query.flag("pretty").ok().flatten()).unwrap_or(false);
    let style = Style::of(&head.headers, pretty, state.limits.gzip_bytes_min);
    let answer = match query {
        Ok(query) => admit(state, certificate, head, query, body).await,
        Err(status) => Err(status),
    };
    let response = style.write(answer.unwrap_or_else(Answer::from));
    if is_head { without_body(response) } else { response }
}

/// What HEAD is answered: how long the body would be, and no body (RFC 9110, section 9.3.2). A watch ends with it.
fn without_body(response: http::Response<Body>) -> http::Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Some(bytes) = http_body::Body::size_hint(&body).exact() {
        head.headers.insert(CONTENT_LENGTH, bytes.into());
    }
    http::Response::from_parts(head, Body::default())
}

/// Everything before the endpoint, up to the body.
async fn admit<B: Sent>(
    state: &Arc<State>,
    certificate: Option<&ClientName>,
    head: Parts,
    query: Query,
    body: B,
) -> Result<Answer, Status> {
    let path = head.uri.path();
    if path.len() + head.uri.query().map_or(0, str::len) > state.limits.target_bytes_max {
        return Err(Status::bad_request("the path and its query are too long"));
    }
    let found = routes::find(&head.method, path);
    let user = person(state, certificate, &head, &found)?;
    let (route, place) = match found {
        Lookup::Found(route, place) => (route, place),
        Lookup::OtherMethods(methods) => return Ok(other_methods(&methods)),
        Lookup::Nothing => return Err(Status::no_such_path()),
    };
    let permit = permit(state, user.as_ref(), route, &place, &query)?;
    let (endpoint, path) = (route.endpoint, path.to_owned());
    let request =
        Request { endpoint, place, query, headers: head.headers, user, permit, body: Bytes::new(), path };
    carry_out(state, request, body).await
}

/// The rest: room, body and endpoint, within their time.
async fn carry_out<B: Sent>(state: &Arc<State>, mut request: Request, body: B) -> Result<Answer, Status> {
    let _place = state.admit()?;
    let answering = async {
        request.body = read(state, &request.headers, body).await?;
        endpoint(state, request).await
    };
    let timed = tokio::time::timeout(state.limits.request_timeout, answering).await;
    timed.unwrap_or_else(|_| Err(Status::timeout("request did not complete within the allotted timeout")))
}

async fn endpoint(state: &Arc<State>, request: Request) -> Result<Answer, Status> {
    match request.endpoint {
        Endpoint::Health => Ok(documents::health(state)),
        Endpoint::Version => Ok(documents::version()),
        Endpoint::CoreVersions => Ok(documents::core_versions(&request)),
        Endpoint::Groups => Ok(documents::groups(&request)),
        Endpoint::Group => documents::group(&request),
        Endpoint::Resources => documents::resources(&request),
        Endpoint::OpenApiV2 => Ok(documents::open_api_v2(&request)),
        Endpoint::OpenApiV3 => Ok(documents::open_api_v3()),
        Endpoint::OpenApiV3Document => documents::open_api_v3_document(&request),
        Endpoint::SelfSubjectReview => review::myself(&request),
        Endpoint::SelfSubjectAccessReview => review::may_i(state, &request),
        Endpoint::SelfSubjectRulesReview => review::what_may_i(state, &request),
        Endpoint::ControlPlanes => telling::control_planes(state, &request),
        Endpoint::MeshPictures => telling::pictures(state, &request),
        Endpoint::Proxies => telling::proxies(state, &request),
        Endpoint::RouteTraffic => telling::routes(state, &request),
        Endpoint::Events => events::events(state, &request),
        Endpoint::List
        | Endpoint::Create
        | Endpoint::DeleteCollection
        | Endpoint::Get
        | Endpoint::Replace
        | Endpoint::Patch
        | Endpoint::Delete
        | Endpoint::GetStatus
        | Endpoint::ReplaceStatus
        | Endpoint::PatchStatus
        | Endpoint::GetQuotas => verbs::answer(state, request).await,
    }
}

/// Who asks. Nobody learns which paths exist before having said who they are.
fn person(
    state: &State,
    certificate: Option<&ClientName>,
    head: &Parts,
    found: &Lookup,
) -> Result<Option<Arc<User>>, Status> {
    let credentials = Credentials::of(&head.headers, certificate);
    if let Some(user) = state.authenticator.authenticate(&credentials) {
        if head.headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
            let why = "impersonation is not supported; use credentials of the user whom you mean";
            return Err(Status::bad_request(why));
        }
        return Ok(Some(Arc::new(user)));
    }
    match found {
        Lookup::Found(Route { access: Access::Anyone, .. }, _) => Ok(None),
        Lookup::Found(..) | Lookup::OtherMethods(_) | Lookup::Nothing => {
            let wish = Wish {
                verb: head.method.as_str().into(),
                resource: head.uri.path().into(),
                ..Wish::default()
            };
            state.audit.keep(state.audit.entry("system:anonymous", &wish, "denied"));
            Err(Status::unauthorized())
        }
    }
}

fn permit(
    state: &State,
    user: Option<&Arc<User>>,
    route: &Route,
    place: &Place,
    query: &Query,
) -> Result<Option<Permit>, Status> {
    let verb = match (route.access, user) {
        (Access::Anyone, _) | (Access::Authenticated, Some(_)) => return Ok(None),
        (Access::Verb(verb), Some(_)) => verb,
        (Access::Authenticated | Access::Verb(_), None) => return Err(Status::unauthorized()),
    };
    // What we tell about ourselves is about Gateways, the picture of the mesh about Workloads: whoever may read those
    // may read it.
    let about_us = route.endpoint.tells_about_us();
    let kind = match route.endpoint {
        Endpoint::MeshPictures => Some(KindName::Workload),
        _ if about_us => Some(KindName::Gateway),
        _ => place.kind,
    };
    let (group, resource) = match kind {
        Some(kind) => (kind.group(), kind.plural()),
        None if route.endpoint == Endpoint::Events => (CORE_GROUP, events::EVENTS),
        None => return Err(Status::unauthorized()),
    };
    let Some(user) = user else { return Err(Status::unauthorized()) };
    let name = place.name.clone().filter(|_| !about_us);
    let can_watch = matches!(route.endpoint, Endpoint::List | Endpoint::Events);
    let is_watch = can_watch && query.flag("watch")?.unwrap_or(false);
    let is_status =
        matches!(route.endpoint, Endpoint::GetStatus | Endpoint::ReplaceStatus | Endpoint::PatchStatus);
    let wish = Wish {
        verb: if is_watch { "watch" } else { verb }.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: if is_status { "status" } else { "" }.to_owned(),
        namespace: place.namespace.clone(),
        name: name.clone().or_else(|| only_name(kind?, route, query)),
    };
    let entry = state.audit.entry(&user.name, &wish, "denied");
    let asked = Permit::ask(&*state.authorizer, Arc::clone(user), wish);
    asked.map(Some).map_err(|why| {
        state.audit.keep(entry);
        match kind {
            Some(kind) => Status::forbidden(About::new(kind, name.as_deref().unwrap_or_default()), &why),
            None => Status::forbidden_resource(resource, &why),
        }
    })
}

/// The one object that a list or watch is narrowed to: whoever may see only this one may ask for it so.
fn only_name(kind: KindName, route: &Route, query: &Query) -> Option<String> {
    let text = query.text("fieldSelector").filter(|_| route.endpoint == Endpoint::List)?;
    FieldSelector::of(kind, text).ok()?.name().map(str::to_owned)
}

fn other_methods(methods: &[Method]) -> Answer {
    let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
    Answer::from(Status::method_not_allowed()).with(ALLOW, &allowed.join(", "))
}

/// Takes a body and throws it away. Many clients read nothing before they have sent all of theirs, and would be told
/// by a broken connection only that something went wrong. Who asks before sending is told at once.
async fn pass_over<B: Sent>(state: &State, headers: &HeaderMap, body: B) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut body = pin!(Limited::new(body, state.limits.body_bytes_passed_over_max));
    while let Some(Ok(_thrown_away)) = body.frame().await {}
}

/// The body, unless it is too long; what says so beforehand is kept nowhere.
async fn read<B: Sent>(state: &State, headers: &HeaderMap, body: B) -> Result<Bytes, Status> {
    let most = state.limits.body_bytes_max;
    let told = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > most) {
        pass_over(state, headers, body).await;
        return Err(Status::request_entity_too_large(most));
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(fault) if fault.is::<http_body_util::LengthLimitError>() => {
            Err(Status::request_entity_too_large(most))
        }
        Err(_) => Err(Status::bad_request("the body ended early")),
    }
}
