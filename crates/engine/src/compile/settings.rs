//! Settings of a Gateway: the defaults, then the parameters of its class, then its own, field by field.

use model::Resources;
use model::kinds::gateway::Gateway;
use model::kinds::gateway_class::GatewayClass;
use model::kinds::gateway_parameters::{self, GatewayParametersSpec};
use model::kinds::{GatewayParameters, KindName, MESH_GROUP};
use model::resources::Typed;

use crate::config::{PathPolicy, Settings, UnderscorePolicy};

/// The parameters a class names, if it names some.
///
/// # Errors
/// A sentence when the reference leads nowhere.
pub(super) fn of_class<'r>(
    class: Typed<'r, GatewayClass>,
    resources: &'r Resources,
) -> Result<Option<&'r GatewayParameters>, String> {
    let Some(reference) = &class.content.spec.parameters_ref else { return Ok(None) };
    let Some(namespace) = &reference.namespace else {
        return Err("`spec.parametersRef.namespace` is missing".to_owned());
    };
    find(&reference.group, &reference.kind, namespace, &reference.name, resources).map(Some)
}

/// The parameters a Gateway names, if it names some.
///
/// # Errors
/// A sentence when the reference leads nowhere.
pub(super) fn of_gateway<'r>(
    gateway: Typed<'r, Gateway>,
    resources: &'r Resources,
) -> Result<Option<&'r GatewayParameters>, String> {
    let infrastructure = gateway.content.spec.infrastructure.as_ref();
    let Some(reference) = infrastructure.and_then(|part| part.parameters_ref.as_ref()) else {
        return Ok(None);
    };
    let namespace = gateway.resource.namespace();
    find(&reference.group, &reference.kind, namespace, &reference.name, resources).map(Some)
}

fn find<'r>(
    group: &str,
    kind: &str,
    namespace: &str,
    name: &str,
    resources: &'r Resources,
) -> Result<&'r GatewayParameters, String> {
    if group != MESH_GROUP || kind != KindName::GatewayParameters.as_str() {
        return Err(format!(
            "parameters of kind `{kind}` in group `{group}` are unknown; use GatewayParameters of `{MESH_GROUP}`"
        ));
    }
    let found = resources.gateway_parameters(namespace, name);
    found
        .map(|typed| typed.content)
        .ok_or_else(|| format!("no GatewayParameters `{namespace}/{name}` exists"))
}

/// Lays parameters over settings; what they leave out stays.
pub(super) fn apply(parameters: &GatewayParameters, settings: &mut Settings) {
    let GatewayParametersSpec { trusted_hops, path_policy, underscores, access_log, limits, tcp } =
        &parameters.spec;
    let gateway_parameters::GatewayLimits {
        request_body,
        idle_timeout,
        head_timeout,
        body_idle_timeout,
        upstream_idle_timeout,
        write_stall_timeout,
        connections,
    } = limits;
    let bounds = &mut settings.limits;
    for (place, written) in [
        (&mut bounds.idle_timeout, idle_timeout),
        (&mut bounds.head_timeout, head_timeout),
        (&mut bounds.body_idle_timeout, body_idle_timeout),
        (&mut bounds.upstream_idle_timeout, upstream_idle_timeout),
        (&mut bounds.write_stall_timeout, write_stall_timeout),
    ] {
        set(place, written.map(|duration| duration.get()));
    }
    let gateway_parameters::TcpBounds { idle_timeout, lifetime, connect_timeout } = tcp;
    let bounds = &mut settings.tcp;
    for (place, written) in [
        (&mut bounds.idle_timeout, idle_timeout),
        (&mut bounds.lifetime, lifetime),
        (&mut bounds.connect_timeout, connect_timeout),
    ] {
        set(place, written.map(|duration| duration.get()));
    }
    set(&mut settings.trusted_hops, *trusted_hops);
    set(&mut settings.path_policy, path_policy.map(path));
    set(&mut settings.underscores, underscores.map(underscore));
    set(&mut settings.access_log, *access_log);
    set(&mut settings.limits.request_body_bytes_max, request_body.map(|bytes| bytes.get()));
    set(&mut settings.limits.connections_max, *connections);
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn path(policy: gateway_parameters::PathPolicy) -> PathPolicy {
    match policy {
        gateway_parameters::PathPolicy::Reject => PathPolicy::Reject,
        gateway_parameters::PathPolicy::Redirect => PathPolicy::Redirect,
        gateway_parameters::PathPolicy::Decode => PathPolicy::Decode,
        gateway_parameters::PathPolicy::Keep => PathPolicy::Keep,
    }
}

fn underscore(policy: gateway_parameters::UnderscorePolicy) -> UnderscorePolicy {
    match policy {
        gateway_parameters::UnderscorePolicy::Reject => UnderscorePolicy::Reject,
        gateway_parameters::UnderscorePolicy::Drop => UnderscorePolicy::Drop,
        gateway_parameters::UnderscorePolicy::Keep => UnderscorePolicy::Keep,
    }
}
