//! ExternalAuthorizationPolicies by what they are for, and which of them are asked at a place.
//!
//! All of them, as of AuthorizationPolicies: whoever writes a route must not be able to take away what its Gateway
//! asks. From the widest to the nearest, so that a nearer one is shown what a wider one has said. Where they are asked
//! is where AuthorizationPolicies are: at the door that is nearest to what they protect.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::kinds::external_authorization_policy::{
    ExternalAuthorizationPolicy, ExternalAuthorizationPolicySpec, FailureMode, GrpcAuthorizer, HttpAuthorizer,
};
use model::kinds::references::BackendObjectRef;
use model::kinds::{KindName, KindType};
use model::resources::Typed;
use model::units::GatewayDuration;
use model::{ResourceKey, Resources};

use super::clusters::ClusterBook;
use super::listeners::ListenerView;
use super::protection::{Protected, RoutePlace, asks_for_itself, object, port_name, protected};
use super::references::{ClusterKey, Resolution, Resolved, referrer};
use crate::config::{Authorizer, AuthorizerQuestion, Backends, ClusterSlot, FieldNames, ShownBody, Target};
use crate::status::Reason;

const TIMEOUT_DEFAULT: Duration = Duration::from_millis(200);
const STATUS_ON_ERROR_DEFAULT: u16 = 403;

/// Those who are asked at a place, in the order in which they are. Equal entries are the same by pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Vec<Arc<Authorizer>>);

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }
}

impl Eq for Asked {}

impl Asked {
    /// As it stands in a rule.
    pub(super) fn of(rule: Option<&Arc<[Arc<Authorizer>]>>) -> Asked {
        Asked(rule.map(|all| all.to_vec()).unwrap_or_default())
    }

    /// As it stands in a rule.
    pub(super) fn to_rule(&self) -> Option<Arc<[Arc<Authorizer>]>> {
        (!self.0.is_empty()).then(|| self.0.as_slice().into())
    }

    fn add(&mut self, more: &[Arc<Authorizer>]) {
        for authorizer in more {
            if !self.0.iter().any(|known| Arc::ptr_eq(known, authorizer)) {
                self.0.push(authorizer.clone());
            }
        }
    }
}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct AuthorizerBook {
    by_protected: HashMap<Protected, Vec<Arc<Authorizer>>>,
    made: BTreeMap<ResourceKey, Made>,
    /// Clusters that are kept in use because somebody there is asked.
    held: Vec<ClusterSlot>,
}

#[derive(Debug)]
struct Made {
    authorizer: Arc<Authorizer>,
    /// Why its reference leads nowhere.
    unresolved: Option<(Reason, String)>,
}

impl AuthorizerBook {
    /// Takes all policies in as they are now, and keeps what they lead to in use.
    pub(super) fn update(&mut self, resources: &Resources, book: &mut ClusterBook) {
        let before = std::mem::take(&mut self.made);
        self.by_protected.clear();
        for policy in resources.all::<ExternalAuthorizationPolicy>() {
            let (made, unresolved) = compile(policy, resources, book);
            let key = &policy.resource.key;
            let kept = before.get(key).filter(|old| *old.authorizer == made);
            let authorizer = kept.map_or_else(|| Arc::new(made), |old| old.authorizer.clone());
            for (_, target) in protected(policy.resource.namespace(), &policy.content.spec.target_refs) {
                self.by_protected.entry(target).or_default().push(authorizer.clone());
            }
            self.made.insert(key.clone(), Made { authorizer, unresolved });
        }
        let held: Vec<ClusterSlot> = self.made.values().filter_map(|made| made.authorizer.cluster).collect();
        held.iter().for_each(|slot| book.retain(*slot));
        std::mem::replace(&mut self.held, held).into_iter().for_each(|slot| book.release(slot));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.by_protected.is_empty()
    }

    /// Why the authorizer of a policy cannot be asked, if it cannot.
    pub(super) fn unresolved(&self, policy: &ResourceKey) -> Option<&(Reason, String)> {
        self.made.get(policy)?.unresolved.as_ref()
    }

    fn at(&self, protected: &Protected) -> &[Arc<Authorizer>] {
        self.by_protected.get(protected).map_or(&[], Vec::as_slice)
    }

    fn add_object(
        &self,
        asked: &mut Asked,
        kind: KindName,
        (namespace, name): (&Arc<str>, &Arc<str>),
        section: Option<&Arc<str>>,
    ) {
        asked.add(self.at(&object(kind, namespace, name, None)));
        if let Some(section) = section {
            asked.add(self.at(&object(kind, namespace, name, Some(section))));
        }
    }

    /// Who is asked about all that comes in by a listener of a Gateway.
    pub(super) fn door(&self, view: &ListenerView) -> Asked {
        let mut asked = Asked::default();
        if self.is_idle() {
            return asked;
        }
        asked.add(self.at(&Protected::Mesh));
        asked.add(self.at(&Protected::Namespace(view.namespace.clone())));
        let gateway = (&view.namespace, &view.gateway);
        self.add_object(&mut asked, KindName::Gateway, gateway, Some(&view.name));
        asked
    }

    /// Who is asked about what comes in to a workload by a port that stands for these ports of Services.
    pub(super) fn of_workload(
        &self,
        namespace: &Arc<str>,
        services: &[(Arc<str>, u16)],
        resources: &Resources,
    ) -> Asked {
        let mut asked = Asked::default();
        if self.is_idle() {
            return asked;
        }
        asked.add(self.at(&Protected::Mesh));
        asked.add(self.at(&Protected::Namespace(namespace.clone())));
        for (service, port) in services {
            let named = port_name(namespace, service, *port, resources);
            self.add_object(&mut asked, KindName::Service, (namespace, service), named.as_ref());
        }
        asked
    }

    /// Who is asked about the requests of a rule of a route that is served at a door.
    pub(super) fn of_rule(
        &self,
        door: &Asked,
        (route, rule): (RoutePlace<'_>, Option<&Arc<str>>),
        backends: Option<&Backends>,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Asked {
        let mut asked = door.clone();
        if self.is_idle() {
            return asked;
        }
        for product in route.products {
            self.add_object(&mut asked, KindName::ApiProduct, (route.namespace, product), None);
        }
        self.add_object(&mut asked, route.kind, (route.namespace, route.name), rule);
        for backend in backends.iter().flat_map(|backends| &backends.choices) {
            if let Target::Cluster(slot) = &backend.target {
                self.add_backend(&mut asked, book.key(*slot), resources);
            }
        }
        asked
    }

    /// Those who stand beside all workloads of a Service ask for themselves.
    fn add_backend(&self, asked: &mut Asked, key: &ClusterKey, resources: &Resources) {
        match key {
            ClusterKey::Service { namespace, name, port } => {
                let service = resources.service(namespace, name);
                if service.is_some_and(|service| asks_for_itself(service, resources)) {
                    return;
                }
                asked.add(self.at(&Protected::Namespace(namespace.clone())));
                let named = port_name(namespace, name, *port, resources);
                self.add_object(asked, KindName::Service, (namespace, name), named.as_ref());
            }
            ClusterKey::Backend { namespace, .. } => {
                asked.add(self.at(&Protected::Namespace(namespace.clone())));
            }
            ClusterKey::Application { .. } => {}
        }
    }
}

fn compile(
    policy: Typed<'_, ExternalAuthorizationPolicy>,
    resources: &Resources,
    book: &mut ClusterBook,
) -> (Authorizer, Option<(Reason, String)>) {
    let ExternalAuthorizationPolicySpec {
        target_refs: _,
        grpc,
        http,
        include_request_body,
        timeout,
        failure_mode,
        status_on_error,
    } = &policy.content.spec;
    let namespace = policy.resource.namespace();
    let reference = policy.content.spec.backend_ref();
    let found = reference.map(|reference| resolve(reference, namespace, resources, book));
    let (cluster, unresolved) = match found {
        Some(Ok(slot)) => (Some(if grpc.is_some() { book.over_http2(slot) } else { slot }), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, Some((Reason::Invalid, "neither `grpc` nor `http` is set".to_owned()))),
    };
    let authorizer = Authorizer {
        policy: policy.resource.key.place().into(),
        cluster,
        authority: reference.map(|reference| authority(reference, namespace)).unwrap_or_default(),
        question: question(grpc.as_ref(), http.as_ref()),
        body: include_request_body
            .map(|body| ShownBody { bytes_max: body.max_bytes as usize, partly: body.allow_partial }),
        timeout: timeout.map_or(TIMEOUT_DEFAULT, GatewayDuration::get),
        passes_on_failure: *failure_mode == FailureMode::Allow,
        status_on_error: status_on_error.unwrap_or(STATUS_ON_ERROR_DEFAULT),
    };
    (authorizer, unresolved)
}

fn resolve(
    reference: &BackendObjectRef,
    namespace: &str,
    resources: &Resources,
    book: &mut ClusterBook,
) -> Result<ClusterSlot, (Reason, String)> {
    let from = referrer(ExternalAuthorizationPolicy::NAME, namespace);
    let resolved = Resolved::of(from, std::iter::once(reference), resources, book);
    match resolved.get(reference) {
        Some(Resolution::Cluster(slot)) => Ok(*slot),
        Some(Resolution::Invalid(broken, why)) => Err((broken.reason(), why.clone())),
        None => Err((Reason::Invalid, "its authorizer is not known".to_owned())),
    }
}

fn authority(reference: &BackendObjectRef, namespace: &str) -> Arc<str> {
    format!("{}.{}", reference.name, reference.namespace.as_deref().unwrap_or(namespace)).into()
}

fn question(grpc: Option<&GrpcAuthorizer>, http: Option<&HttpAuthorizer>) -> AuthorizerQuestion {
    match (grpc, http) {
        (Some(grpc), _) => {
            let GrpcAuthorizer {
                backend_ref: _,
                allowed_request_headers,
                context_extensions,
                include_peer_certificate,
            } = grpc;
            AuthorizerQuestion::Grpc {
                shown: allowed_request_headers.as_deref().map(names),
                context: context_extensions
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                with_certificate: *include_peer_certificate,
            }
        }
        (None, Some(http)) => {
            let HttpAuthorizer {
                backend_ref: _,
                path_prefix,
                allowed_request_headers,
                allowed_upstream_headers,
                allowed_client_headers,
                allowed_client_headers_on_success,
            } = http;
            let prefix = path_prefix.as_deref().unwrap_or_default().trim_end_matches('/');
            AuthorizerQuestion::Http {
                prefix: prefix.into(),
                shown: names(allowed_request_headers),
                to_upstream: names(allowed_upstream_headers),
                to_client: allowed_client_headers.as_deref().map(names),
                to_client_on_success: names(allowed_client_headers_on_success),
            }
        }
        // Its reference leads nowhere, so it is never asked.
        (None, None) => {
            AuthorizerQuestion::Grpc { shown: None, context: Box::default(), with_certificate: false }
        }
    }
}

fn names(written: &[Arc<str>]) -> FieldNames {
    written.iter().map(|name| name.to_ascii_lowercase().as_bytes().into()).collect()
}
