//! TelemetryPolicy: which requests are traced, and who is told.
//!
//! A policy for a Gateway, or for a Service and so for the sidecars of its replicas, holds as a whole before one for
//! the mesh, so that one without `tracing` ends what the mesh asks for. The collector is named by URL and not by a
//! Service: what tells of failures must not depend on what may fail. One whose certificate nobody can verify as the
//! policy asks, or for which there is no credential, is told nothing: never less protected than was asked for.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::http_filter::Fraction;
use model::kinds::telemetry_policy::{self, OtlpProtocol, Sampling, TelemetryPolicy};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use super::attached::{self, Attached, Policy, Target, TargetKind};
use super::certificates::Anchors;
use super::credentials;
use super::listeners::{Lookup, Problem, join};
use super::references::Destination;
use crate::config::{Collector, CollectorProtocol, Tracing, UpstreamTls};
use crate::status::{Condition, ConditionType, ObjectStatus, Reason};

/// Where spans are posted to at a collector that is named without a path (OTLP, section "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
/// The call by which spans are told (`opentelemetry/proto/collector/trace/v1/trace_service.proto`).
const CALL: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Requests traced of a hundred where the policy does not say.
const PERCENT_DEFAULT: u32 = 1;
/// Labels of a Workload that name the application, the first that is there.
const NAMING_LABELS: [&str; 2] = ["app.kubernetes.io/name", "app"];

impl Policy for TelemetryPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }

    fn is_idle_at(target: &Target, resources: &Resources) -> Option<String> {
        attached::without_sidecars(target, resources)
    }
}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct TelemetryBook {
    policies: Attached,
    /// By policy: who is told, and what of it is not to be had.
    collectors: HashMap<ResourceKey, (Arc<Collector>, Option<Problem>)>,
}

impl TelemetryBook {
    pub(super) fn new(lookup: &mut Lookup<'_>) -> TelemetryBook {
        let resources = lookup.resources;
        let tracing = |policy: Typed<'_, TelemetryPolicy>| {
            let tracing = policy.content.spec.tracing.as_ref()?;
            let (collector, problem) = collector(tracing, policy.resource.namespace(), lookup);
            Some((policy.resource.key.clone(), (Arc::new(collector), problem)))
        };
        TelemetryBook {
            policies: Attached::new::<TelemetryPolicy>(resources),
            collectors: resources.all().filter_map(tracing).collect(),
        }
    }

    /// What holds for the requests that come in by a Gateway.
    pub(super) fn of_gateway(&self, gateway: &Resource) -> Option<Arc<Tracing>> {
        let (namespace, name): (Arc<str>, _) = (gateway.namespace().into(), gateway.key.name.to_arc());
        let target = Target { kind: TargetKind::Gateway, namespace: namespace.clone(), name: name.clone() };
        let own = self.policies.held(&target, None).map(|held| held.resource).next();
        let instance = format!("gateway/{namespace}/{name}").into();
        self.compiled(own.or_else(|| self.of_mesh())?, name, namespace, instance)
    }

    /// What holds for the requests that come in and go out by the proxy beside a Workload, which these Services select.
    /// Of several that say something the first by name holds.
    pub(super) fn of_workload(
        &self,
        workload: &Resource,
        mut services: Vec<Destination>,
    ) -> Option<Arc<Tracing>> {
        services.sort_by(|left, right| left.name.cmp(&right.name));
        let said = services.into_iter().find_map(|Destination { namespace, name, .. }| {
            let target = Target { kind: TargetKind::Service, namespace, name };
            self.policies.held(&target, None).map(|held| held.resource).next()
        });
        let (namespace, own): (Arc<str>, _) = (workload.namespace().into(), workload.key.name.to_arc());
        let label = NAMING_LABELS.iter().find_map(|label| workload.meta.labels.get(*label));
        let name = label.map_or_else(|| own.clone(), Clone::clone);
        let instance = format!("{namespace}/{own}").into();
        self.compiled(said.or_else(|| self.of_mesh())?, name, namespace, instance)
    }

    fn of_mesh(&self) -> Option<&Arc<Resource>> {
        self.policies.held_by_meshes().next()
    }

    fn compiled(
        &self,
        policy: &Resource,
        service: Arc<str>,
        namespace: Arc<str>,
        instance: Arc<str>,
    ) -> Option<Arc<Tracing>> {
        let tracing = policy.content::<TelemetryPolicy>()?.spec.tracing.as_ref()?;
        let (collector, _) = self.collectors.get(&policy.key)?;
        let (numerator, denominator) = share(tracing.sampling);
        let resource = Arc::new([
            ("service.name", service),
            ("service.namespace", namespace.clone()),
            ("service.instance.id", instance),
            ("k8s.namespace.name", namespace),
            ("telemetry.sdk.name", "selvedge".into()),
            ("telemetry.sdk.language", "rust".into()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").into()),
        ]);
        Some(Arc::new(Tracing { collector: collector.clone(), numerator, denominator, resource }))
    }

    /// What became of each policy.
    pub(super) fn statuses(
        &self,
        controller: &Arc<str>,
        resources: &Resources,
    ) -> Vec<(Arc<Resource>, ObjectStatus)> {
        let told = self.policies.statuses::<TelemetryPolicy>(controller, resources);
        let with_collector = |(resource, mut status): (Arc<Resource>, crate::status::PolicyStatus)| {
            let problem = self.collectors.get(&resource.key).and_then(|(_, problem)| problem.as_ref());
            if let Some((reason, text)) = problem {
                let text = format!("{text}; the collector is told nothing");
                let generation = resource.meta.generation;
                for ancestor in &mut status.ancestors {
                    let kind = ConditionType::ResolvedRefs;
                    ancestor.conditions.push(Condition::no(kind, *reason, text.clone(), generation));
                }
            }
            (resource, ObjectStatus::Policy(status))
        };
        told.map(with_collector).collect()
    }
}

/// Who is told, and what of it is not to be had.
fn collector(
    tracing: &telemetry_policy::Tracing,
    namespace: &str,
    lookup: &mut Lookup<'_>,
) -> (Collector, Option<Problem>) {
    let telemetry_policy::Tracing { endpoint, protocol, headers, credential, tls: _, sampling: _ } = tracing;
    let (tls, untrusted) = tls(tracing, namespace, lookup);
    let (credential, lacking) =
        credential.as_ref().map(|written| credentials::of(written, namespace, lookup.resources)).unzip();
    let problem = untrusted.or_else(|| lacking.flatten().map(|problem| (Reason::Invalid, problem)));
    let headers = headers.iter().map(|field| (field.name.to_ascii_lowercase().into(), field.value.clone()));
    let (protocol, endpoint) = match protocol {
        OtlpProtocol::HttpProtobuf => (CollectorProtocol::HttpProtobuf, with_path(endpoint)),
        OtlpProtocol::Grpc => {
            (CollectorProtocol::Grpc, format!("{}{CALL}", endpoint.trim_end_matches('/')).into())
        }
    };
    let refuse = problem.is_some();
    (Collector { endpoint, protocol, tls, headers: headers.collect(), credential, refuse }, problem)
}

/// Who must answer at an `https` endpoint. Anchors that cannot all be read are none: what is left of them is not what
/// was asked for.
fn tls(
    tracing: &telemetry_policy::Tracing,
    namespace: &str,
    lookup: &mut Lookup<'_>,
) -> (Option<Arc<UpstreamTls>>, Option<Problem>) {
    let Some(place) = tracing.endpoint.strip_prefix("https://") else { return (None, None) };
    let authority = place.split('/').next().unwrap_or(place);
    let said = tracing.tls.as_ref();
    let hostname = said.and_then(|tls| tls.hostname.clone()).unwrap_or_else(|| host(authority).into());
    let references = said.map_or(&[][..], |tls| &tls.ca_certificate_refs);
    let Lookup { resources, remembered, certificates } = lookup;
    let Anchors { roots, problems } =
        remembered.anchors(namespace, references, true, resources, *certificates);
    let tls = UpstreamTls { hostname, subject_alt_names: Vec::new(), roots, client_certificate: None };
    (Some(Arc::new(tls)), join(problems))
}

/// The host of an authority without its port; an address of IPv6 without brackets.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn share(sampling: Option<Sampling>) -> (u32, u32) {
    match sampling {
        Some(Sampling { fraction: Some(Fraction { numerator, denominator }), .. }) => {
            (numerator.min(denominator), denominator.max(1))
        }
        Some(Sampling { percent: Some(percent), .. }) => (u32::from(percent.min(100)), 100),
        Some(Sampling { percent: None, fraction: None }) | None => (PERCENT_DEFAULT, 100),
    }
}

fn with_path(endpoint: &Arc<str>) -> Arc<str> {
    let (_, place) = endpoint.split_once("://").unwrap_or(("", endpoint));
    match place.split_once('/') {
        Some((_, path)) if !path.is_empty() => endpoint.clone(),
        Some(_) | None => format!("{}{PATH}", endpoint.trim_end_matches('/')).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_without_a_path_is_asked_at_the_usual_one() {
        for (written, meant) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://a/otlp/v1/traces", "https://a/otlp/v1/traces"),
        ] {
            assert_eq!(&*with_path(&written.into()), meant);
        }
    }

    #[test]
    fn the_host_of_an_authority_has_no_port_and_no_brackets() {
        for (authority, meant) in [("a.example:4317", "a.example"), ("a", "a"), ("[::1]:4317", "::1")] {
            assert_eq!(host(authority), meant);
        }
    }

    #[test]
    fn one_request_of_a_hundred_is_traced_where_nothing_is_said() {
        assert_eq!(share(None), (1, 100));
        assert_eq!(share(Some(Sampling { percent: Some(0), fraction: None })), (0, 100));
        let fraction = Some(Fraction { numerator: 1, denominator: 1000 });
        assert_eq!(share(Some(Sampling { percent: None, fraction })), (1, 1000));
    }
}
