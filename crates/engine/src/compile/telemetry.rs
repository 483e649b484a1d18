//! TelemetryPolicy: which requests are traced, and who is told.
//!
//! A policy for a Gateway, or for a Service and so for the sidecars of its replicas, holds as a whole before one for
//! the mesh, so that one without `tracing` ends what the mesh asks for. The collector is named by URL and not by a
//! Service: what tells of failures must not depend on what may fail.

use std::sync::Arc;

use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::http_filter::Fraction;
use model::kinds::telemetry_policy::{self, Sampling, TelemetryPolicy};
use model::{Resource, Resources};

use super::attached::{self, Attached, Policy, Target, TargetKind};
use super::references::Destination;
use crate::config::Tracing;
use crate::status::ObjectStatus;

/// Where spans are posted to at a collector that is named without a path (OTLP, section "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
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
}

impl TelemetryBook {
    pub(super) fn new(resources: &Resources) -> TelemetryBook {
        TelemetryBook { policies: Attached::new::<TelemetryPolicy>(resources) }
    }

    /// What holds for the requests that come in by a Gateway.
    pub(super) fn of_gateway(&self, gateway: &Resource) -> Option<Arc<Tracing>> {
        let (namespace, name): (Arc<str>, _) = (gateway.namespace().into(), gateway.key.name.to_arc());
        let target = Target { kind: TargetKind::Gateway, namespace: namespace.clone(), name: name.clone() };
        let own = self.policies.of::<TelemetryPolicy>(&target, None).next();
        let instance = format!("gateway/{namespace}/{name}").into();
        compiled(own.or_else(|| self.of_mesh())?, name, namespace, instance)
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
            self.policies.of::<TelemetryPolicy>(&target, None).next()
        });
        let (namespace, own): (Arc<str>, _) = (workload.namespace().into(), workload.key.name.to_arc());
        let label = NAMING_LABELS.iter().find_map(|label| workload.meta.labels.get(*label));
        let name = label.map_or_else(|| own.clone(), Clone::clone);
        let instance = format!("{namespace}/{own}").into();
        compiled(said.or_else(|| self.of_mesh())?, name, namespace, instance)
    }

    fn of_mesh(&self) -> Option<&TelemetryPolicy> {
        self.policies.of_meshes().next()
    }

    /// What became of each policy.
    pub(super) fn statuses(
        &self,
        controller: &Arc<str>,
        resources: &Resources,
    ) -> Vec<(Arc<Resource>, ObjectStatus)> {
        let told = self.policies.statuses::<TelemetryPolicy>(controller, resources);
        told.map(|(resource, status)| (resource, ObjectStatus::Policy(status))).collect()
    }
}

fn compiled(
    policy: &TelemetryPolicy,
    service: Arc<str>,
    namespace: Arc<str>,
    instance: Arc<str>,
) -> Option<Arc<Tracing>> {
    let telemetry_policy::Tracing { endpoint, sampling } = policy.spec.tracing.as_ref()?;
    let (numerator, denominator) = share(*sampling);
    let resource = Arc::new([
        ("service.name", service),
        ("service.namespace", namespace.clone()),
        ("service.instance.id", instance),
        ("k8s.namespace.name", namespace),
        ("telemetry.sdk.name", "selvedge".into()),
        ("telemetry.sdk.language", "rust".into()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").into()),
    ]);
    Some(Arc::new(Tracing { endpoint: with_path(endpoint), numerator, denominator, resource }))
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
    fn one_request_of_a_hundred_is_traced_where_nothing_is_said() {
        assert_eq!(share(None), (1, 100));
        assert_eq!(share(Some(Sampling { percent: Some(0), fraction: None })), (0, 100));
        let fraction = Some(Fraction { numerator: 1, denominator: 1000 });
        assert_eq!(share(Some(Sampling { percent: None, fraction })), (1, 1000));
    }
}
