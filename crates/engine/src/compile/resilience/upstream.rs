//! The destination's side: limits, health, ejection, locality.

use std::sync::Arc;
use std::time::Duration;

use model::kinds::resilience_policy::{
    HealthChecks, OutlierDetection, ResiliencePolicySpec, UpstreamLimits as WrittenLimits,
};
use model::units::GatewayDuration;

use super::{Target, TargetKind, request};
use crate::config::{Fault, HealthCheck, HealthQuestion, Outlier, Resilience, UpstreamLimits};

/// Failures in a row after which an endpoint is left alone.
const CONSECUTIVE_ERRORS_DEFAULT: u32 = 5;
/// Time of good behaviour for which one earlier ejection is forgotten.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(10);
/// How long an endpoint is left alone the first time.
const BASE_EJECTION_DEFAULT: Duration = Duration::from_secs(30);
/// Most endpoints in a hundred that are left alone at once.
const MAX_EJECTION_PERCENT_DEFAULT: u8 = 50;
/// With fewer healthy endpoints in a hundred, all are asked.
const PANIC_THRESHOLD_PERCENT_DEFAULT: u8 = 50;
/// Requests that wait for a connection, where connections are bounded.
const PENDING_DEFAULT: u32 = 1024;
/// Time between two questions.
const CHECK_INTERVAL_DEFAULT: Duration = Duration::from_secs(10);
/// Longest time to an answer.
const CHECK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);
/// Good answers that bring an endpoint back.
const HEALTHY_THRESHOLD_DEFAULT: u32 = 2;
/// Bad ones that take it out.
const UNHEALTHY_THRESHOLD_DEFAULT: u32 = 3;
/// With fewer healthy endpoints nearby in a hundred, some requests go elsewhere.
const OVERFLOW_PERCENT_DEFAULT: u8 = 70;

/// A destination as policies name it.
#[derive(Clone, Copy, Debug)]
pub(in crate::compile) enum Part<'a> {
    /// A port of a Service, by name where it has one.
    Service {
        namespace: &'a Arc<str>,
        name: &'a Arc<str>,
        port: Option<&'a str>,
    },
    Backend {
        namespace: &'a Arc<str>,
        name: &'a Arc<str>,
    },
}

impl<'a> Part<'a> {
    pub(super) fn target(self) -> (Target, Option<&'a str>) {
        let target = |kind, namespace: &Arc<str>, name: &Arc<str>| Target {
            kind,
            namespace: namespace.clone(),
            name: name.clone(),
        };
        match self {
            Part::Service { namespace, name, port } => (target(TargetKind::Service, namespace, name), port),
            Part::Backend { namespace, name } => (target(TargetKind::Backend, namespace, name), None),
        }
    }
}

/// What a policy says of a destination, with every default filled in.
pub(super) fn resilience(spec: &ResiliencePolicySpec, fault: Option<Arc<Fault>>) -> Resilience {
    let outliers = spec.outlier_detection.as_ref();
    let nearby = spec.locality.filter(|locality| locality.prefer_local.unwrap_or(true));
    Resilience {
        timeouts: request::bounds(spec.timeouts),
        retry: spec.retries.as_ref().map(|retries| Arc::new(request::retry(retries))),
        fault,
        limits: spec.limits.as_ref().map(limits).unwrap_or_default(),
        outlier: outliers.map(outlier),
        health: spec.health_checks.as_ref().and_then(health).map(Arc::new),
        panic_threshold_percent: outliers
            .and_then(|outliers| outliers.panic_threshold_percent)
            .unwrap_or(PANIC_THRESHOLD_PERCENT_DEFAULT),
        overflow_percent: nearby
            .map(|locality| locality.overflow_percent.unwrap_or(OVERFLOW_PERCENT_DEFAULT)),
    }
}

fn outlier(written: &OutlierDetection) -> Outlier {
    let duration = |written: Option<GatewayDuration>, default| written.map_or(default, GatewayDuration::get);
    Outlier {
        consecutive_errors: written.consecutive_errors.unwrap_or(CONSECUTIVE_ERRORS_DEFAULT),
        interval: duration(written.interval, INTERVAL_DEFAULT),
        base_ejection: duration(written.base_ejection, BASE_EJECTION_DEFAULT),
        max_ejection_percent: written.max_ejection_percent.unwrap_or(MAX_EJECTION_PERCENT_DEFAULT),
    }
}

fn limits(written: &WrittenLimits) -> UpstreamLimits {
    let WrittenLimits { connections, pending_requests, requests, per_endpoint } = *written;
    UpstreamLimits {
        connections,
        pending: connections.map(|_| pending_requests.unwrap_or(PENDING_DEFAULT)),
        requests,
        endpoint_requests: per_endpoint.and_then(|endpoint| endpoint.requests),
    }
}

fn health(written: &HealthChecks) -> Option<HealthCheck> {
    let HealthChecks { http, grpc, tcp, interval, timeout, healthy_threshold, unhealthy_threshold } = written;
    let ask = match (http, grpc, tcp) {
        (Some(http), ..) => {
            let mut expected = http.expected_statuses.clone();
            expected.sort_unstable();
            let (path, host) = (http.path.clone(), http.host.clone());
            HealthQuestion::Http { path, host, expected: expected.into() }
        }
        (None, Some(grpc), _) => HealthQuestion::Grpc { service: grpc.service.clone().unwrap_or_default() },
        (None, None, Some(_)) => HealthQuestion::Connect,
        (None, None, None) => return None,
    };
    Some(HealthCheck {
        ask,
        interval: interval.map_or(CHECK_INTERVAL_DEFAULT, GatewayDuration::get),
        timeout: timeout.map_or(CHECK_TIMEOUT_DEFAULT, GatewayDuration::get),
        healthy_threshold: healthy_threshold.unwrap_or(HEALTHY_THRESHOLD_DEFAULT),
        unhealthy_threshold: unhealthy_threshold.unwrap_or(UNHEALTHY_THRESHOLD_DEFAULT),
    })
}
