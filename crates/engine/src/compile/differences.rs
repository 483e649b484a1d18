//! What is different since the last compile, as the phases ask for it.

use std::collections::HashSet;
use std::sync::Arc;

use model::kinds::endpoint_slice::EndpointSlice;
use model::kinds::{
    Api, ApiBinding, ApiProduct, ApiRevision, ApiVersion, AuthenticationPolicy, AuthorizationPolicy, Backend,
    BackendTlsPolicy, ConfigMap, CorsPolicy, ExternalAuthorizationPolicy, FaultPolicy, Gateway, GatewayClass,
    GatewayParameters, HttpRoute, IpPolicy, KindType, Mesh, Namespace, Plan, Pod, RateLimitPolicy,
    ReferenceGrant, ResiliencePolicy, Secret, Service, TcpRoute, TelemetryPolicy, TransformPolicy,
    ValidationPolicy, Workload,
};
use model::labels::SERVICE_NAME;
use model::{Resource, Resources};

use super::changes::{Change, Watched};
use super::references::Destination;
use super::resilience::Concerned;
use super::selection::{Selecting, Selection};

/// The kinds that are watched for changes.
#[derive(Debug, Default)]
pub(super) struct Watch {
    api: Watched,
    api_binding: Watched,
    api_product: Watched,
    api_revision: Watched,
    api_version: Watched,
    authentication: Watched,
    authorization: Watched,
    authorizers: Watched,
    backend: Watched,
    config_map: Watched,
    cors: Watched,
    endpoint_slice: Watched,
    fault: Watched,
    gateway: Watched,
    gateway_class: Watched,
    gateway_parameters: Watched,
    http_route: Watched,
    ip: Watched,
    mesh: Watched,
    namespace: Watched,
    plan: Watched,
    pod: Watched,
    policy: Watched,
    rate_limit: Watched,
    reference_grant: Watched,
    resilience: Watched,
    secret: Watched,
    service: Watched,
    tcp_route: Watched,
    telemetry: Watched,
    transform: Watched,
    validation: Watched,
    workload: Watched,
}

/// What is different since the last compile, as the phases ask for it.
#[derive(Debug)]
pub(super) struct Differences {
    /// Anything of which APIs are made.
    pub(super) apis: bool,
    /// Policies about callers, and what they are made of.
    pub(super) authorization: bool,
    pub(super) gateways: bool,
    pub(super) mesh: bool,
    pub(super) services: bool,
    /// Workloads that came, went or were edited.
    pub(super) workloads: Vec<Change>,
    pub(super) grants: bool,
    pub(super) namespaces: bool,
    pub(super) policies: bool,
    pub(super) anchors: bool,
    /// What policies that came, went or were edited are about: those that `resilience` puts together.
    pub(super) resilience: Option<Concerned>,
    /// TelemetryPolicies.
    pub(super) telemetry: bool,
    pub(super) routes: Vec<Change>,
    pub(super) tcp_routes: Vec<Change>,
    /// Services and Backends that came, went or were edited.
    pub(super) destinations: HashSet<Destination>,
    /// Services whose endpoints changed.
    pub(super) endpoints: HashSet<Destination>,
}

impl Watch {
    /// Looks at every kind, and remembers it as it is now.
    pub(super) fn differences(&mut self, resources: &Resources, selection: &mut Selection) -> Differences {
        let backends = real(self.backend.update(shelf::<Backend>(resources)));
        let services = real(self.service.update(shelf::<Service>(resources)));
        let slices = real(self.endpoint_slice.update(shelf::<EndpointSlice>(resources)));
        let pods = real(self.pod.update(shelf::<Pod>(resources)));
        let workloads = real(self.workload.update(shelf::<Workload>(resources)));
        let changes = Selecting { services: &services, pods: &pods, workloads: &workloads };
        let selecting = selection.update(changes, resources);
        let secrets = !real(self.secret.update(shelf::<Secret>(resources))).is_empty();
        let config_maps = !real(self.config_map.update(shelf::<ConfigMap>(resources))).is_empty();
        // Every kind is looked at, whatever the others say: `|` and not `||`.
        // Trust anchors of clients stand in ConfigMaps.
        let gateways = secrets
            | config_maps
            | !self.gateway.update(shelf::<Gateway>(resources)).is_empty()
            | !self.gateway_class.update(shelf::<GatewayClass>(resources)).is_empty()
            | !self.gateway_parameters.update(shelf::<GatewayParameters>(resources)).is_empty();
        let revisions = self.api_revision.update(shelf::<ApiRevision>(resources));
        let mut concerned = self.said(resources).concerned();
        note_described(&mut concerned, &revisions, resources);
        let destinations = sides(&backends).map(|resource| destination(false, resource));
        // The mesh says what its names mean and what holds by default; workloads, which Services look after themselves.
        let mesh = !real(self.mesh.update(shelf::<Mesh>(resources))).is_empty();
        let asks = resources.all::<AuthenticationPolicy>().next().is_some();
        let authentication = !real(self.authentication.update(shelf::<AuthenticationPolicy>(resources))).is_empty()
            // Keys and passwords stand in Secrets; workloads with sidecars look after themselves.
            | (asks && (secrets || !workloads.is_empty()));
        let grants = !self.reference_grant.update(shelf::<ReferenceGrant>(resources)).is_empty();
        // Where somebody is asked hangs on Services, Backends and who may refer to them.
        let asks_others = resources.all::<ExternalAuthorizationPolicy>().next().is_some();
        let authorizers = !real(self.authorizers.update(shelf::<ExternalAuthorizationPolicy>(resources)))
            .is_empty()
            | (asks_others && (grants || !backends.is_empty() || !services.is_empty()));
        let authorization = !real(self.authorization.update(shelf::<AuthorizationPolicy>(resources)))
            .is_empty()
            | authentication
            | authorizers
            | mesh
            | (resources.all::<AuthorizationPolicy>().next().is_some()
                && (!workloads.is_empty() || others_beside_workloads(&[&pods, &slices], resources)));
        let apis = !self.api.update(shelf::<Api>(resources)).is_empty()
            | !self.api_version.update(shelf::<ApiVersion>(resources)).is_empty()
            | !revisions.is_empty()
            | !self.api_binding.update(shelf::<ApiBinding>(resources)).is_empty()
            | !self.api_product.update(shelf::<ApiProduct>(resources)).is_empty()
            | !self.plan.update(shelf::<Plan>(resources)).is_empty();
        Differences {
            apis,
            authorization,
            gateways,
            mesh,
            services: !services.is_empty(),
            workloads,
            grants,
            namespaces: !self.namespace.update(shelf::<Namespace>(resources)).is_empty(),
            policies: !self.policy.update(shelf::<BackendTlsPolicy>(resources)).is_empty(),
            anchors: secrets || config_maps,
            resilience: concerned,
            // What collectors are shown, and who they must be, stands in Secrets and ConfigMaps.
            telemetry: !real(self.telemetry.update(shelf::<TelemetryPolicy>(resources))).is_empty()
                | ((secrets || config_maps) && resources.all::<TelemetryPolicy>().next().is_some()),
            routes: self.http_route.update(shelf::<HttpRoute>(resources)),
            tcp_routes: self.tcp_route.update(shelf::<TcpRoute>(resources)),
            destinations: destinations
                .chain(sides(&services).map(|resource| destination(true, resource)))
                .collect(),
            endpoints: sides(&slices).filter_map(|slice| owner(slice)).chain(selecting).collect(),
        }
    }

    /// Looks at the policies that `resilience` puts together.
    fn said(&mut self, resources: &Resources) -> Said {
        Said {
            resilience: real(self.resilience.update(shelf::<ResiliencePolicy>(resources))),
            faults: real(self.fault.update(shelf::<FaultPolicy>(resources))),
            rates: real(self.rate_limit.update(shelf::<RateLimitPolicy>(resources))),
            cors: real(self.cors.update(shelf::<CorsPolicy>(resources))),
            addresses: real(self.ip.update(shelf::<IpPolicy>(resources))),
            transforms: real(self.transform.update(shelf::<TransformPolicy>(resources))),
            validation: real(self.validation.update(shelf::<ValidationPolicy>(resources))),
        }
    }
}

fn shelf<T: KindType>(resources: &Resources) -> impl Iterator<Item = &Arc<Resource>> {
    resources.all::<T>().map(|typed| typed.resource)
}

/// Of objects whose lines nobody keeps, one that only stands elsewhere in its file has not changed.
fn real(mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|change| !change.is_move());
    changes
}

/// Changes of policies that name their targets.
struct Said {
    resilience: Vec<Change>,
    faults: Vec<Change>,
    rates: Vec<Change>,
    cors: Vec<Change>,
    addresses: Vec<Change>,
    transforms: Vec<Change>,
    validation: Vec<Change>,
}

impl Said {
    /// What they are about; `None` when none has changed.
    fn concerned(&self) -> Option<Concerned> {
        let Said { resilience, faults, rates, cors, addresses, transforms, validation } = self;
        let all = [resilience, faults, rates, cors, addresses, transforms, validation];
        all.into_iter().any(|changes| !changes.is_empty()).then(|| {
            let mut concerned = Concerned::default();
            concerned.note::<ResiliencePolicy>(resilience);
            concerned.note::<FaultPolicy>(faults);
            concerned.note::<RateLimitPolicy>(rates);
            concerned.note::<CorsPolicy>(cors);
            concerned.note_addresses(addresses);
            concerned.note::<TransformPolicy>(transforms);
            concerned.note::<ValidationPolicy>(validation);
            concerned
        })
    }
}

/// Policies that name a revision which is another one now are as good as edited.
fn note_described(concerned: &mut Option<Concerned>, revisions: &[Change], resources: &Resources) {
    for policy in resources.all::<ValidationPolicy>() {
        let Some(by) = &policy.content.spec.description else { continue };
        let named = sides(revisions).any(|revision| {
            revision.namespace() == policy.resource.namespace() && revision.key.name.as_str() == &*by.revision
        });
        if named {
            let edited = Change { before: Some(policy.resource.clone()), after: None };
            concerned.get_or_insert_default().note::<ValidationPolicy>(&[edited]);
        }
    }
}

/// Whether what has no sidecar came, went or is selected by others, where something has one: who protects a Service
/// hangs on it.
fn others_beside_workloads(changes: &[&[Change]], resources: &Resources) -> bool {
    let labels = |side: &Option<Arc<Resource>>| side.as_ref().map(|resource| resource.meta.labels.clone());
    resources.all::<Workload>().next().is_some()
        && changes.iter().copied().flatten().any(|change| labels(&change.before) != labels(&change.after))
}

fn sides(changes: &[Change]) -> impl Iterator<Item = &Arc<Resource>> {
    changes.iter().flat_map(Change::sides)
}

fn destination(service: bool, resource: &Resource) -> Destination {
    Destination { service, namespace: resource.namespace().into(), name: resource.key.name.to_arc() }
}

/// The Service an EndpointSlice belongs to.
fn owner(slice: &Resource) -> Option<Destination> {
    let name = slice.meta.labels.get(SERVICE_NAME)?.clone();
    Some(Destination { service: true, namespace: slice.namespace().into(), name })
}
