//! Compiles resources into one immutable config and the conditions of every resource.
//!
//! The compiler lives as long as the control plane and remembers what it has done: what did not change is
//! shared by pointer with the config before, and numbers that were given out keep their meaning. One compile is
//! a sequence of phases, each of which looks only at what the kinds it reads have changed.

mod apis;
mod attach;
mod attached;
mod authentication;
mod authorizers;
mod beside;
mod callers;
mod certificates;
mod changes;
mod clusters;
mod credentials;
mod differences;
mod endpoints;
mod filters;
mod frontend;
mod gateways;
mod listeners;
mod policies;
mod policy_status;
mod ports;
mod protection;
mod reachable;
mod references;
mod resilience;
mod routes;
mod rules;
mod selection;
mod service_parents;
mod settings;
mod sidecar;
mod slots;
mod tables;
mod tcp_routes;
mod telemetry;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{Resource, Resources};

pub use certificates::{Certificates, PairState};
pub use endpoints::CONNECT_TIMEOUT_DEFAULT;
pub use protection::{Inbound, Protection, inbound};
pub use reachable::{Behind, Reachable};

use apis::ApiBook;
pub use apis::ShimInUse;
use callers::Shown;
use certificates::Remembered;
use changes::Change;
use clusters::{ClusterBook, Sources};
use differences::{Differences, Watch};
use gateways::GatewayPlan;
use listeners::{ListenerView, Lookup};
use policies::{PolicyTable, ServicePlace};
use ports::{Content, Ports};
use protection::{MeshDefaults, PolicyBook};
use references::ClusterKey;
use resilience::ResilienceBook;
use routes::{Around, Routes, Workshop};
use selection::Selection;
use sidecar::{Sidecar, Ways};
use tables::Tables;
use tcp_routes::TcpRoutes;
use telemetry::TelemetryBook;

use crate::config::{Config, Port, Sources as RuleSources};
use crate::mesh::MeshView;
use crate::mesh::addresses::ServiceBlock;
use crate::status::{Conditions, ObjectConditions, ObjectStatus};

/// What a compiler must be told once.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// Classes with this controller name are ours, in practice `selvedge.dev/gateway-controller`.
    pub controller_name: String,
    /// Where Gateways without addresses listen.
    pub default_binds: Vec<IpAddr>,
    /// Whose eyes the resources are seen with.
    pub perspective: Perspective,
}

/// For whom a config is compiled. The resources are the same for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Perspective {
    /// Whoever serves the Gateways.
    #[default]
    Gateways,
    /// The proxy beside one Workload: what comes in to it, and what it may reach.
    Sidecar {
        /// Namespace of the Workload.
        namespace: Arc<str>,
        /// Name of the Workload.
        workload: Arc<str>,
    },
}

/// The result of one compile.
#[derive(Debug)]
pub struct Compiled {
    /// What proxies run on.
    pub config: Arc<Config>,
    /// What became of every object.
    pub conditions: Conditions,
    /// Shims that carry traffic, to be proved where nobody waits for it.
    pub shims: Arc<[ShimInUse]>,
}

/// Compiles one state of the resources after the other.
#[derive(Debug)]
pub struct Compiler {
    controller: Arc<str>,
    default_binds: Vec<IpAddr>,
    epoch: u64,
    watched: Watch,
    remembered: Remembered,
    plans: Vec<GatewayPlan>,
    shown: Shown,
    classes: Vec<(Arc<Resource>, ObjectStatus)>,
    views: Vec<ListenerView>,
    policies: PolicyTable,
    resilience: ResilienceBook,
    telemetry: TelemetryBook,
    protection: PolicyBook,
    selection: Selection,
    book: ClusterBook,
    tables: Tables,
    routes: Routes,
    apis: ApiBook,
    tcp_routes: TcpRoutes,
    rule_sources: Arc<RuleSources>,
    ports: Ports,
    mesh: Option<MeshView>,
    /// Whom it is compiled for, when that is the proxy beside a Workload.
    sidecar: Option<Sidecar>,
    /// Whether anybody is to run on the config.
    serves: bool,
}

impl Compiler {
    /// A compiler that has seen nothing yet.
    #[must_use]
    pub fn new(options: CompileOptions) -> Self {
        let sidecar = match options.perspective {
            Perspective::Gateways => None,
            Perspective::Sidecar { namespace, workload } => Some(Sidecar::new(namespace, workload)),
        };
        Compiler {
            controller: options.controller_name.into(),
            default_binds: options.default_binds,
            epoch: 0,
            watched: Watch::default(),
            remembered: Remembered::default(),
            plans: Vec::new(),
            shown: Shown::default(),
            classes: Vec::new(),
            views: Vec::new(),
            policies: PolicyTable::default(),
            resilience: ResilienceBook::default(),
            telemetry: TelemetryBook::default(),
            protection: PolicyBook::default(),
            selection: Selection::default(),
            book: ClusterBook::default(),
            tables: Tables::default(),
            routes: Routes::default(),
            apis: ApiBook::default(),
            tcp_routes: TcpRoutes::default(),
            rule_sources: Arc::default(),
            ports: Ports::default(),
            mesh: None,
            sidecar,
            serves: true,
        }
    }

    /// Only says what became of each object: its configs lead no request anywhere. For who tells people and leaves
    /// serving to others; of many routes, their tables take most of the room.
    #[must_use]
    pub fn judging_only(mut self) -> Self {
        self.serves = false;
        self
    }

    /// Lets a sidecar open Services at their own ports below 1024 too; for a process that may listen there.
    #[must_use]
    pub fn binding_low_ports(mut self) -> Self {
        self.sidecar.iter_mut().for_each(Sidecar::bind_low_ports);
        self
    }

    /// Has a sidecar find Services in this block; for machines on which several sidecars run.
    #[must_use]
    pub fn placing_services(mut self, block: ServiceBlock) -> Self {
        self.sidecar.iter_mut().for_each(|sidecar| sidecar.place_services(block));
        self
    }

    /// Compiles the resources as they are now.
    pub fn compile(&mut self, resources: &Resources, certificates: &mut dyn Certificates) -> Compiled {
        self.epoch += 1;
        let mut differences = self.watched.differences(resources, &mut self.selection);
        self.judge_resilience(&differences, resources);
        if differences.telemetry {
            let mut lookup = Lookup { resources, remembered: &mut self.remembered, certificates };
            self.telemetry = TelemetryBook::new(&mut lookup);
        }
        self.follow_mesh(&mut differences, resources);
        let listeners_changed = match self.sidecar {
            None => self.plan_gateways(&differences, resources, certificates),
            Some(_) => self.plan_sidecar(&differences, resources),
        };
        self.judge_policies(&differences, resources, certificates);
        self.compile_routes(differences, listeners_changed, resources);
        let of_sidecar = self.build_sidecar(resources);
        let mut sources = Sources {
            resources,
            selection: &self.selection,
            mesh: self.mesh.as_ref(),
            policies: &self.policies,
            resilience: &self.resilience,
            shown: &self.shown,
            remembered: &mut self.remembered,
            certificates,
        };
        let clusters = self.book.refresh(&mut sources);
        let backends = clusters::backend_statuses(&mut sources);
        let content = Content {
            tables: &mut self.tables,
            tcp_routes: &mut self.tcp_routes,
            slots: &mut self.routes.rule_slots,
        };
        let ports = of_sidecar.unwrap_or_else(|| self.ports.build(&self.plans, content));
        let own = self.sidecar.as_ref().and_then(|sidecar| sidecar.status(resources));
        let conditions = self.conditions(backends.into_iter().chain(own).collect(), resources);
        let names = self.sidecar.as_ref().map(Sidecar::names).unwrap_or_default();
        let (sources, policies) = (self.rule_sources.clone(), self.protection.all());
        let key_sources = self.protection.authentication.sources();
        let config = Config { epoch: self.epoch, ports, clusters, sources, names, policies, key_sources };
        Compiled { config: Arc::new(config), conditions, shims: self.apis.shims().clone() }
    }

    /// Takes in what the mesh is. Members are known by its name, so all of them are other ones when that changes; and
    /// whether there is one decides whether routes may have Services as parents.
    fn follow_mesh(&mut self, differences: &mut Differences, resources: &Resources) {
        let mesh = if differences.mesh { MeshView::of(resources) } else { self.mesh.clone() };
        if mesh != self.mesh {
            self.mesh = mesh;
            self.book.touch_all();
            differences.authorization = true;
        }
        if differences.authorization {
            self.protection.update(resources, MeshDefaults::of(self.mesh.as_ref()));
            self.protection.authorizers.update(resources, &mut self.book);
        }
    }

    /// Finds out again what a sidecar listens on where something that it is made of changed. Returns whether routes see
    /// other places than before.
    fn plan_sidecar(&mut self, differences: &Differences, resources: &Resources) -> bool {
        let Some(sidecar) = &mut self.sidecar else { return false };
        let own = differences.workloads.iter().flat_map(Change::sides);
        let own = own.into_iter().any(|workload| sidecar.is(workload));
        if own {
            self.book.touch_applications();
        }
        if own || differences.telemetry || differences.services {
            sidecar.trace(resources, &self.selection, &self.telemetry);
        }
        if !own && !differences.mesh && !differences.services {
            return differences.namespaces;
        }
        let views = sidecar.plan(resources, &self.selection, self.mesh.as_ref());
        let changed = views != self.views;
        self.views = views;
        changed || differences.namespaces || differences.mesh
    }

    /// The ports of a sidecar, and what they lead to kept in use.
    fn build_sidecar(&mut self, resources: &Resources) -> Option<Vec<Arc<Port>>> {
        let sidecar = self.sidecar.as_mut()?;
        let slots = &mut self.routes.rule_slots;
        Some(sidecar.build(Ways {
            tables: &mut self.tables,
            connections: &self.tcp_routes,
            slots,
            book: &mut self.book,
            protection: &mut self.protection,
            resilience: &self.resilience,
            apis: &self.apis,
            resources,
        }))
    }

    /// Judges classes and Gateways again where something they are made of changed. Returns whether routes see
    /// other listeners than before.
    fn plan_gateways(
        &mut self,
        differences: &Differences,
        resources: &Resources,
        certificates: &mut dyn Certificates,
    ) -> bool {
        let spoken_of = differences.resilience.as_ref().is_some_and(|concerned| concerned.gateways);
        let Differences { gateways, grants, telemetry, mesh, namespaces, .. } = *differences;
        if !(gateways || grants || telemetry || mesh || spoken_of) {
            return namespaces;
        }
        self.classes = gateways::judge_classes(&self.controller, resources);
        let mut lookup = Lookup { resources, remembered: &mut self.remembered, certificates };
        self.plans = gateways::judge(&self.controller, &self.default_binds, &mut lookup);
        for plan in &mut self.plans {
            if let Some(tracing) = self.telemetry.of_gateway(&plan.resource) {
                Arc::make_mut(&mut plan.settings).tracing = Some(tracing);
            }
        }
        self.remembered.retain(resources);
        let shown = gateways::shown(&self.plans);
        if shown != self.shown {
            self.shown = shown;
            self.book.touch_callers();
        }
        let listeners = self.plans.iter().flat_map(|plan| &plan.listeners);
        let mut views: Vec<ListenerView> = listeners.map(|listener| listener.view.clone()).collect();
        for view in &mut views {
            view.says = self.resilience.gateway(&view.namespace, &view.gateway);
        }
        let changed = views != self.views;
        self.views = views;
        changed || namespaces || mesh
    }

    fn judge_policies(
        &mut self,
        differences: &Differences,
        resources: &Resources,
        certificates: &mut dyn Certificates,
    ) {
        if differences.policies || differences.anchors {
            self.policies = PolicyTable::new(resources, &mut self.remembered, certificates);
            self.book.touch_all();
        }
    }

    fn judge_resilience(&mut self, differences: &Differences, resources: &Resources) {
        let Some(concerned) = &differences.resilience else { return };
        self.resilience = ResilienceBook::new(resources, &mut self.apis);
        match concerned.meshes {
            true => self.book.touch_all(),
            false => self.book.touch(&concerned.destinations),
        }
    }

    fn compile_routes(&mut self, mut differences: Differences, listeners: bool, resources: &Resources) {
        self.book.touch(&differences.destinations);
        self.book.touch(&differences.endpoints);
        if differences.apis {
            differences.routes.extend(self.apis.update(resources));
        }
        let concerned = differences.resilience.unwrap_or_default();
        let around = Around {
            listeners,
            grants: differences.grants,
            destinations: differences.destinations,
            spoken_of: concerned.routes,
            products: concerned.products,
            kept: concerned.kept,
            authorization: differences.authorization,
        };
        let mut shop = Workshop {
            controller: &self.controller,
            resources,
            views: &self.views,
            resilience: &self.resilience,
            book: &mut self.book,
            tables: &mut self.tables,
            sources: &mut self.rule_sources,
            protection: &mut self.protection,
            apis: &self.apis,
            beside_the_caller: self.sidecar.is_some(),
            serves: self.serves,
        };
        self.routes.update(differences.routes, &around, &mut shop);
        let slots = &mut self.routes.rule_slots;
        self.tcp_routes.update(differences.tcp_routes, &around, slots, &mut shop);
        if listeners {
            let known: HashSet<&str> = self.views.iter().map(|view| &*view.unique).collect();
            self.tables.retain(|name| known.contains(name));
            self.tcp_routes.retain(|name| known.contains(name));
        }
    }

    /// All statuses, by kind, namespace and name.
    fn conditions(&self, backends: Vec<(Arc<Resource>, ObjectStatus)>, resources: &Resources) -> Conditions {
        let attached = self.attached_routes();
        let mut gateways: Vec<_> = self
            .plans
            .iter()
            .map(|plan| {
                let status = plan.status(|listener| attached.get(listener).copied().unwrap_or(0));
                (plan.resource.clone(), ObjectStatus::Gateway(status))
            })
            .collect();
        gateways.sort_by(|left, right| left.0.key.cmp(&right.0.key));
        let policies = self.policies.statuses(&self.controller, &self.gateways_by_service());
        let authorization = policy_status::statuses(&self.controller, resources, &self.protection);
        let policies = policies
            .into_iter()
            .chain(authorization)
            .map(|(resource, status)| (resource, ObjectStatus::Policy(status)));
        let fresh = |(resource, status)| ObjectConditions { resource, status: Arc::new(status) };
        let routes = self.routes.iter().map(|route| (route.written(), &route.status));
        let routes = routes
            .chain(self.tcp_routes.iter().map(|route| (&route.resource, &route.status)))
            .filter(|(_, status)| has_parents(status))
            .map(|(resource, status)| ObjectConditions {
                resource: resource.clone(),
                status: status.clone(),
            });
        let before = self.classes.iter().cloned().chain(gateways).map(fresh);
        let attached = self.resilience.statuses(&self.controller, resources);
        let telling = self.telemetry.statuses(&self.controller, resources);
        let policies = policies.chain(backends).chain(attached).chain(telling);
        let after = policies.chain(self.apis.statuses()).map(fresh);
        Conditions::new(before.chain(routes).chain(after).collect())
    }

    /// Accepted routes by listener.
    fn attached_routes(&self) -> HashMap<&str, u32> {
        let mut counts = HashMap::new();
        let accepted = self.routes.iter().filter(|route| route.is_accepted()).map(|route| &route.attachment);
        for attachment in accepted.chain(self.tcp_routes.iter().map(|route| &route.attachment)) {
            let listeners: BTreeSet<&str> = attachment.listeners().map(|name| &**name).collect();
            for listener in listeners {
                *counts.entry(listener).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Gateways with routes that lead to a Service, for the Services that policies are about.
    fn gateways_by_service(&self) -> HashMap<ServicePlace, BTreeSet<ServicePlace>> {
        let targets = self.policies.targets();
        let mut gateways: HashMap<ServicePlace, BTreeSet<ServicePlace>> = HashMap::new();
        if targets.is_empty() {
            return gateways;
        }
        let of_listener: HashMap<&Arc<str>, &ListenerView> =
            self.views.iter().map(|view| (&view.unique, view)).collect();
        let of_requests =
            self.routes.iter().flat_map(|route| route.clusters().map(|slot| (slot, &route.attachment)));
        let of_bytes =
            self.tcp_routes.iter().flat_map(|route| route.clusters().map(|slot| (slot, &route.attachment)));
        for (slot, attachment) in of_requests.chain(of_bytes) {
            let ClusterKey::Service { namespace, name, port: _ } = self.book.key(slot) else { continue };
            let service = (namespace.clone(), name.clone());
            if targets.contains(&service) {
                let views = attachment.listeners().filter_map(|listener| of_listener.get(listener));
                let places = views.map(|view| (view.namespace.clone(), view.gateway.clone()));
                gateways.entry(service).or_default().extend(places);
            }
        }
        gateways
    }
}

fn has_parents(status: &ObjectStatus) -> bool {
    matches!(status, ObjectStatus::Route(route) if !route.parents.is_empty())
}
