//! What anybody may read about, without saying who they are: versions of Public APIs that clients were promised, with
//! their descriptions, where they are called, and the plans that are offered.
//!
//! Everything else at this address asks who is there, so this is a table of its own: what it shows is picked field by
//! field, and nothing that an object is given later becomes public by that. What is not public is not there, so nobody
//! can tell a private API from none. It says nothing about who may call what it shows.
//!
//! | path below `/catalogue.selvedge.dev/v1/` | |
//! |---|---|
//! | `apis` | all of them, without their descriptions |
//! | `apis/NAMESPACE/VERSION` | one of them |

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use model::Resources;
use model::kinds::api::Visibility;
use model::kinds::api_product::ProductState;
use model::kinds::api_version::VersionState;
use model::kinds::plan::PlanState;
use model::kinds::{Api, ApiProduct, ApiRevision, ApiVersion, Gateway, Plan};
use model::resources::Typed;
use serde_json::{Map, Value, json};

use crate::api::Inside;
use crate::api::beside::{Answered, Beside, Door as Way, Told, Who, document};
use crate::objects::media::JSON;
use crate::objects::status::Status;
use crate::world::World;

/// What all paths begin with.
pub const ROOT: &str = "/catalogue.selvedge.dev/v1/";
/// What is answered below it.
const WAYS: &[Way] = &[
    Way::new("GET", "/catalogue.selvedge.dev/v1/apis", Who::Anyone),
    Way::new("GET", "/catalogue.selvedge.dev/v1/apis/{name}/{name}", Who::Anyone),
];
/// Fields of a version that its clients need.
const VERSION: [&str; 9] =
    ["api", "label", "state", "hostnames", "basePath", "selector", "deprecatedAt", "sunset", "successor"];
/// Fields of a plan that its subscribers agree to.
const PLAN: [&str; 7] = ["product", "state", "title", "credentials", "approval", "rates", "quotas"];

/// Serves it.
#[derive(Debug)]
pub struct Door {
    world: Arc<World>,
}

impl Door {
    /// Serves the catalogue of a world.
    #[must_use]
    pub fn new(world: &Arc<World>) -> Door {
        Door { world: Arc::clone(world) }
    }

    fn answered(&self, method: &Method, path: &str) -> (StatusCode, Value) {
        let found = match *method {
            Method::GET => self.found(path).ok_or_else(Status::no_such_path),
            _ => Err(Status::method_not_allowed()),
        };
        match found {
            Ok(found) => (StatusCode::OK, found),
            Err(status) => {
                let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (code, status.body())
            }
        }
    }

    fn found(&self, path: &str) -> Option<Value> {
        let resources = self.world.now().resources;
        let segments: Vec<&str> = path.strip_prefix(ROOT)?.split('/').collect();
        match segments.as_slice() {
            ["apis"] => {
                let versions = resources.all::<ApiVersion>();
                let items: Vec<Value> = versions.filter_map(|version| entry(&resources, &version)).collect();
                Some(json!({ "kind": "List", "metadata": {}, "items": items }))
            }
            ["apis", namespace, name] => {
                let version = resources.find::<ApiVersion>(namespace, name)?;
                let mut entry = entry(&resources, &version)?;
                let revision = version.content.spec.revision.as_deref();
                let revision = revision.and_then(|name| resources.find::<ApiRevision>(namespace, name));
                if let Some(revision) = revision {
                    let written = revision.resource.written.value();
                    entry["revision"] = json!({
                        "metadata": { "uid": revision.resource.meta.uid },
                        "spec": picked(&written["spec"], &["documents", "overlays"]),
                    });
                }
                Some(entry)
            }
            _ => None,
        }
    }
}

/// A version as anybody may read of it; `None` when nobody may.
fn entry(resources: &Resources, version: &Typed<'_, ApiVersion>) -> Option<Value> {
    let (spec, namespace) = (&version.content.spec, version.resource.namespace());
    let api = resources.find::<Api>(namespace, &spec.api)?;
    let is_promised = matches!(spec.state, VersionState::Published | VersionState::Deprecated);
    if api.content.spec.visibility != Visibility::Public || !is_promised {
        return None;
    }
    let name = version.resource.key.name.as_str();
    let written = version.resource.written.value();
    Some(json!({
        "metadata": { "namespace": namespace, "name": name },
        "spec": picked(&written["spec"], &VERSION),
        "title": api.resource.written.value()["spec"]["title"],
        "parentRefs": written["spec"]["parentRefs"],
        "gateways": gateways(resources, namespace, &written["spec"]["parentRefs"]),
        "plans": plans(resources, namespace, name),
    }))
}

/// Where the Gateways listen at which it is called.
fn gateways(resources: &Resources, namespace: &str, parents: &Value) -> Vec<Value> {
    let parents = parents.as_array().into_iter().flatten();
    let named = parents.filter(|parent| parent["kind"].as_str().is_none_or(|kind| kind == "Gateway"));
    let found = named.filter_map(|parent| {
        let place = parent["namespace"].as_str().unwrap_or(namespace);
        resources.find::<Gateway>(place, parent["name"].as_str()?)
    });
    let shown = found.map(|gateway| {
        let written = gateway.resource.written.value();
        let listeners = written["spec"]["listeners"].as_array().into_iter().flatten();
        let listeners: Vec<Value> =
            listeners.map(|one| picked(one, &["name", "protocol", "port", "hostname"])).collect();
        json!({
            "metadata": { "namespace": gateway.resource.namespace(), "name": gateway.resource.key.name.as_str() },
            "spec": { "listeners": listeners },
            "status": { "addresses": written["status"]["addresses"] },
        })
    });
    shown.collect()
}

/// Plans by which somebody gets to it who has none yet.
fn plans(resources: &Resources, namespace: &str, version: &str) -> Vec<Value> {
    let offered = |name: &str| {
        let product = &resources.find::<ApiProduct>(namespace, name)?.content.spec;
        let has = product.apis.iter().any(|api| *api.version == *version);
        (product.state == ProductState::Published && has).then_some(product)
    };
    let published = resources.within::<Plan>(namespace);
    let published = published.filter(|plan| plan.content.spec.state == PlanState::Published);
    let shown = published.filter_map(|plan| {
        let product = offered(&plan.content.spec.product)?;
        Some(json!({
            "metadata": { "namespace": namespace, "name": plan.resource.key.name.as_str() },
            "spec": picked(&plan.resource.written.value()["spec"], &PLAN),
            "page": product.page,
        }))
    });
    shown.collect()
}

fn picked(object: &Value, fields: &[&str]) -> Value {
    let found = fields.iter().filter_map(|field| Some(((*field).to_owned(), object.get(field)?.clone())));
    Value::Object(found.collect::<Map<String, Value>>())
}

impl Beside for Door {
    fn doors(&self) -> &'static [Way] {
        WAYS
    }

    fn answer(&self, request: Request<Incoming>, _api: Inside) -> Answered<'_> {
        let (code, found) = self.answered(request.method(), request.uri().path());
        Box::pin(std::future::ready(document(code.as_u16(), JSON, found.to_string(), None)))
    }

    fn tell<'a>(&'a self, request: &'a Request<()>) -> Option<Told<'a>> {
        let (code, found) = self.answered(request.method(), request.uri().path());
        Some(Box::pin(std::future::ready((code, Bytes::from(found.to_string())))))
    }
}
