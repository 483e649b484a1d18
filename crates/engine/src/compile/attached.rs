//! Policies by what they are about (Gateway API, GEP-713): who is meant, which of two holds, what is told of it.
//!
//! Of two policies of one kind for one target the older holds and the other says `Conflicted`. A target that does not
//! exist is told as `TargetNotFound`; the policy takes effect when it comes. Which fields of which policies come
//! together is for each kind to say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::references::ParentRef;
use model::kinds::service::Service;
use model::kinds::{
    ApiProduct, ApiVersion, Backend, CORE_GROUP, GATEWAY_GROUP, Gateway, HttpRoute, KindType, MESH_GROUP,
    PRODUCT_GROUP, TcpRoute, Workload,
};
use model::labels::Labels;
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use crate::status::{AncestorStatus, Condition, ConditionType, PolicyStatus, Reason};

/// Where policies for a whole mesh stand.
const ROOT_NAMESPACE: &str = "selvedge-system";

/// A kind of policy that names its targets.
pub(super) trait Policy: KindType {
    fn target_refs(&self) -> &[PolicyTargetRef];

    /// Why nobody goes by it at a target that is there, if that is so.
    fn is_idle_at(_target: &Target, _resources: &Resources) -> Option<String> {
        None
    }
}

/// Why nobody goes by a policy that only the sidecars of a Service's replicas know: there are none.
pub(super) fn without_sidecars(target: &Target, resources: &Resources) -> Option<String> {
    let Target { kind: TargetKind::Service, namespace, name } = target else { return None };
    let selector = &resources.service(namespace, name)?.content.spec.selector;
    let selects = |labels: &Labels| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let mut workloads = resources.within::<Workload>(namespace);
    let has_one = workloads
        .any(|workload| workload.content.spec.sidecar.is_some() && selects(&workload.resource.meta.labels));
    (!has_one).then(|| {
        format!(
            "no replica of Service `{namespace}/{name}` has a sidecar, and for a Service only sidecars go by it; \
             target the routes that lead there, or their Gateway"
        )
    })
}

/// Kinds that policies can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TargetKind {
    Gateway,
    Route,
    TcpRoute,
    Service,
    Backend,
    Mesh,
    ApiVersion,
    ApiProduct,
}

impl TargetKind {
    fn of(target: &PolicyTargetRef) -> Option<TargetKind> {
        const ALL: [(&str, &str, TargetKind); 8] = [
            (GATEWAY_GROUP, "Gateway", TargetKind::Gateway),
            (GATEWAY_GROUP, "HTTPRoute", TargetKind::Route),
            (GATEWAY_GROUP, "TCPRoute", TargetKind::TcpRoute),
            (CORE_GROUP, "Service", TargetKind::Service),
            (MESH_GROUP, "Backend", TargetKind::Backend),
            (MESH_GROUP, "Mesh", TargetKind::Mesh),
            (PRODUCT_GROUP, "APIVersion", TargetKind::ApiVersion),
            (PRODUCT_GROUP, "APIProduct", TargetKind::ApiProduct),
        ];
        let found = ALL.iter().find(|(group, kind, _)| *target.group == **group && *target.kind == **kind);
        found.map(|(_, _, kind)| *kind)
    }
}

/// An object that a policy is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) kind: TargetKind,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// Every target of a policy, known kinds only.
pub(super) fn targets<P: Policy>(resource: &Resource) -> impl Iterator<Item = Target> + '_ {
    let references = resource.content::<P>().map_or(&[][..], Policy::target_refs);
    references.iter().filter_map(|reference| {
        let kind = TargetKind::of(reference)?;
        let namespace = if kind == TargetKind::Mesh { "" } else { resource.namespace() };
        Some(Target { kind, namespace: namespace.into(), name: reference.name.clone() })
    })
}

/// All policies of one kind.
#[derive(Debug, Default)]
pub(super) struct Attached {
    holding: HashMap<Target, Vec<Holder>>,
    judged: Vec<Judged>,
}

/// The policy that holds for a target, or for a part of it.
#[derive(Debug)]
struct Holder {
    section: Option<Arc<str>>,
    resource: Arc<Resource>,
}

/// A policy that holds, and for what part of its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    pub(super) section: Option<&'a str>,
    pub(super) resource: &'a Arc<Resource>,
}

#[derive(Debug)]
struct Judged {
    resource: Arc<Resource>,
    /// Positions of targets for which an older policy holds.
    lost: HashSet<usize>,
}

impl Attached {
    /// Judges all policies of a kind, the oldest first.
    pub(super) fn new<P: Policy>(resources: &Resources) -> Attached {
        let mut policies: Vec<Typed<'_, P>> = resources.all().collect();
        policies.sort_by(|left, right| {
            (left.resource.age, &left.resource.key).cmp(&(right.resource.age, &right.resource.key))
        });
        let mut attached = Attached::default();
        policies.into_iter().for_each(|policy| attached.add(policy));
        attached.judged.sort_by(|left, right| left.resource.key.cmp(&right.resource.key));
        attached
    }

    fn add<P: Policy>(&mut self, policy: Typed<'_, P>) {
        let mut lost = HashSet::new();
        let references = policy.content.target_refs().iter();
        for (at, (reference, target)) in references.zip(targets::<P>(policy.resource)).enumerate() {
            if is_misplaced(&target, policy.resource) {
                continue;
            }
            let holders = self.holding.entry(target).or_default();
            if holders.iter().any(|holder| holder.section == reference.section_name) {
                lost.insert(at);
            } else {
                let section = reference.section_name.clone();
                holders.push(Holder { section, resource: policy.resource.clone() });
            }
        }
        self.judged.push(Judged { resource: policy.resource.clone(), lost });
    }

    /// Whether any of them is about something of this kind.
    pub(super) fn are_about(&self, kind: TargetKind) -> bool {
        self.holding.keys().any(|target| target.kind == kind)
    }

    /// What holds for a part of a target, the most specific first: what is about the part, then about the whole.
    pub(super) fn of<P: Policy>(&self, target: &Target, section: Option<&str>) -> impl Iterator<Item = &P> {
        self.held(target, section).filter_map(|held| held.resource.content::<P>())
    }

    /// The same with the objects themselves.
    pub(super) fn held(&self, target: &Target, section: Option<&str>) -> impl Iterator<Item = Held<'_>> {
        let holders = self.holding.get(target).map_or(&[][..], Vec::as_slice);
        let named = section.and_then(|section| {
            holders.iter().find(move |holder| holder.section.as_deref() == Some(section))
        });
        let whole = holders.iter().find(|holder| holder.section.is_none());
        named
            .into_iter()
            .chain(whole)
            .map(|holder| Held { section: holder.section.as_deref(), resource: &holder.resource })
    }

    /// What holds for meshes.
    pub(super) fn of_meshes<P: Policy>(&self) -> impl Iterator<Item = &P> {
        self.held_by_meshes().filter_map(|resource| resource.content::<P>())
    }

    /// The same as objects.
    pub(super) fn held_by_meshes(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let meshes = self.holding.iter().filter(|(target, _)| target.kind == TargetKind::Mesh);
        let mut holders: Vec<&Arc<Resource>> =
            meshes.flat_map(|(_, holders)| holders).map(|holder| &holder.resource).collect();
        holders.sort_by(|left, right| left.key.cmp(&right.key));
        holders.into_iter()
    }

    /// What became of each policy at each of its targets, told of the target itself.
    pub(super) fn statuses<'a, P: Policy>(
        &'a self,
        controller: &'a Arc<str>,
        resources: &'a Resources,
    ) -> impl Iterator<Item = (Arc<Resource>, PolicyStatus)> + 'a {
        self.judged.iter().map(move |judged| {
            let references = judged.resource.content::<P>().map_or(&[][..], Policy::target_refs);
            let targets = targets::<P>(&judged.resource);
            let told = references.iter().zip(targets).enumerate().map(|(at, (reference, target))| {
                let idle = P::is_idle_at(&target, resources);
                let condition = judged.condition(at, reference, &target, resources, idle);
                AncestorStatus {
                    ancestor_ref: ancestor(reference, &target),
                    controller_name: controller.clone(),
                    conditions: vec![condition],
                }
            });
            (judged.resource.clone(), PolicyStatus { ancestors: told.collect() })
        })
    }
}

impl Judged {
    fn condition(
        &self,
        at: usize,
        reference: &PolicyTargetRef,
        target: &Target,
        resources: &Resources,
        idle: Option<String>,
    ) -> Condition {
        let generation = self.resource.meta.generation;
        let no = |reason, text: String| Condition::no(ConditionType::Accepted, reason, text, generation);
        if is_misplaced(target, &self.resource) {
            return no(
                Reason::Invalid,
                format!("a policy for a Mesh must stand in namespace `{ROOT_NAMESPACE}`"),
            );
        }
        if let Err(text) = exists(target, reference.section_name.as_deref(), resources) {
            return no(Reason::TargetNotFound, text);
        }
        if self.lost.contains(&at) {
            let text = format!("an older policy already holds for {} `{}`", reference.kind, reference.name);
            return no(Reason::Conflicted, text);
        }
        if let Some(text) = idle {
            return no(Reason::TargetNotFound, text);
        }
        Condition::yes(ConditionType::Accepted, Reason::Accepted, generation)
    }
}

/// Whoever may write one namespace must not speak for all of a mesh.
fn is_misplaced(target: &Target, policy: &Resource) -> bool {
    target.kind == TargetKind::Mesh && policy.namespace() != ROOT_NAMESPACE
}

fn exists(target: &Target, section: Option<&str>, resources: &Resources) -> Result<(), String> {
    let Target { kind, namespace, name } = target;
    let missing = |kind: &str| format!("no {kind} `{namespace}/{name}` exists");
    match kind {
        TargetKind::Gateway => {
            resources.find::<Gateway>(namespace, name).map(|_| ()).ok_or_else(|| missing("Gateway"))
        }
        TargetKind::Backend => {
            resources.find::<Backend>(namespace, name).map(|_| ()).ok_or_else(|| missing("Backend"))
        }
        TargetKind::ApiVersion => {
            resources.find::<ApiVersion>(namespace, name).map(|_| ()).ok_or_else(|| missing("APIVersion"))
        }
        TargetKind::ApiProduct => {
            resources.find::<ApiProduct>(namespace, name).map(|_| ()).ok_or_else(|| missing("APIProduct"))
        }
        TargetKind::Route => {
            let route =
                resources.find::<HttpRoute>(namespace, name).ok_or_else(|| missing("HTTPRoute"))?.content;
            let names: Vec<&str> = route.spec.rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
            part_of(section, &names, &format!("HTTPRoute `{namespace}/{name}` has no rule"))
        }
        TargetKind::TcpRoute => {
            let route =
                resources.find::<TcpRoute>(namespace, name).ok_or_else(|| missing("TCPRoute"))?.content;
            let names: Vec<&str> = route.spec.rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
            part_of(section, &names, &format!("TCPRoute `{namespace}/{name}` has no rule"))
        }
        TargetKind::Service => {
            let service =
                resources.find::<Service>(namespace, name).ok_or_else(|| missing("Service"))?.content;
            let names: Vec<&str> =
                service.spec.ports.iter().filter_map(|port| port.name.as_deref()).collect();
            part_of(section, &names, &format!("Service `{namespace}/{name}` has no port"))
        }
        TargetKind::Mesh => {
            let key = name.parse().ok().map(|name| ResourceKey {
                group: MESH_GROUP.into(),
                kind: "Mesh".into(),
                namespace: None,
                name,
            });
            let found = key.and_then(|key| resources.get(&key));
            found.map(|_| ()).ok_or_else(|| format!("no Mesh `{name}` exists"))
        }
    }
}

fn part_of(section: Option<&str>, names: &[&str], problem: &str) -> Result<(), String> {
    match section {
        Some(section) if !names.contains(&section) => {
            let known = if names.is_empty() { "none has a name".to_owned() } else { names.join(", ") };
            Err(format!("{problem} named `{section}`; there are: {known}"))
        }
        Some(_) | None => Ok(()),
    }
}

fn ancestor(reference: &PolicyTargetRef, target: &Target) -> ParentRef {
    ParentRef {
        group: reference.group.clone(),
        kind: reference.kind.clone(),
        namespace: (!target.namespace.is_empty()).then(|| target.namespace.clone()),
        name: reference.name.clone(),
        section_name: reference.section_name.clone(),
        port: None,
    }
}
