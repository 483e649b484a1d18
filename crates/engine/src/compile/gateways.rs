//! Classes and Gateways: who is ours, where to listen, and which listeners get in each other's way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::kinds::GatewayClass;
use model::kinds::gateway::{AddressType, Gateway, GatewayAddress};
use model::resources::Typed;
use model::{Resource, Resources};

use super::callers::{self, Own, Shown};
use super::frontend;
use super::listeners::{Family, Judged, Lookup};
use super::settings;
use crate::config::{BindAddress, ClientValidation, Settings};
use crate::matching::HostPattern;
use crate::status::{
    ClassStatus, Condition, ConditionStatus, ConditionType, GatewayStatus, ListenerStatus, ObjectStatus,
    Reason, SUPPORTED_FEATURES, StatusAddress,
};

/// A Gateway of ours, judged.
#[derive(Debug)]
pub(super) struct GatewayPlan {
    pub(super) resource: Arc<Resource>,
    pub(super) listeners: Vec<Judged>,
    /// Where it listens; empty when it is not accepted.
    pub(super) addresses: Vec<IpAddr>,
    /// Type and value as asked for, in the order of `addresses`.
    pub(super) settings: Arc<Settings>,
    /// Why the Gateway as a whole is not accepted.
    pub(super) refused: Option<(ConditionStatus, Reason, String)>,
    /// The certificate it shows to backends, if it names one.
    pub(super) own: Option<Own>,
    /// Whether some port lets clients in that it could not verify.
    pub(super) insecure: bool,
}

/// Statuses of our classes.
pub(super) fn judge_classes(controller: &str, resources: &Resources) -> Vec<(Arc<Resource>, ObjectStatus)> {
    let ours = resources.gateway_classes().filter(|class| *class.content.spec.controller_name == *controller);
    ours.map(|class| {
        let generation = class.resource.meta.generation;
        let condition = match settings::of_class(class, resources) {
            Ok(_) => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation),
            Err(problem) => {
                Condition::no(ConditionType::Accepted, Reason::InvalidParameters, problem, generation)
            }
        };
        let status = ClassStatus { conditions: vec![condition], supported_features: SUPPORTED_FEATURES };
        (class.resource.clone(), ObjectStatus::Class(status))
    })
    .collect()
}

/// What each Gateway that names a certificate of its own shows to backends.
pub(super) fn shown(plans: &[GatewayPlan]) -> Shown {
    let own = plans.iter().filter_map(|plan| plan.own.as_ref());
    own.map(|own| (own.caller.clone(), own.pair.clone())).collect()
}

/// Judges all Gateways of ours, the oldest first: where two want the same, it was there before.
pub(super) fn judge(controller: &str, default_binds: &[IpAddr], lookup: &mut Lookup<'_>) -> Vec<GatewayPlan> {
    let resources = lookup.resources;
    let mut gateways: Vec<_> = resources.gateways().collect();
    gateways.sort_by(|left, right| {
        (left.resource.age, &left.resource.key).cmp(&(right.resource.age, &right.resource.key))
    });
    let mut claims = Claims::default();
    let mut plans = Vec::new();
    for gateway in gateways {
        let class = resources.gateway_class(&gateway.content.spec.gateway_class_name);
        if class.is_some_and(|class| *class.content.spec.controller_name != *controller) {
            continue;
        }
        let mut plan = plan(gateway, class, default_binds, lookup);
        conflicts_within(&mut plan.listeners);
        claims.settle(&mut plan);
        plans.push(plan);
    }
    plans
}

fn plan(
    gateway: Typed<'_, Gateway>,
    class: Option<Typed<'_, GatewayClass>>,
    default_binds: &[IpAddr],
    lookup: &mut Lookup<'_>,
) -> GatewayPlan {
    let spec = &gateway.content.spec;
    let listeners = spec.listeners.iter().map(|listener| Judged::new(gateway, listener, lookup)).collect();
    let mut plan = GatewayPlan {
        resource: gateway.resource.clone(),
        listeners,
        addresses: Vec::new(),
        settings: Arc::default(),
        refused: None,
        own: callers::own(gateway, lookup),
        insecure: frontend::is_insecure(gateway.content),
    };
    let Some(class) = class else {
        let message = format!("no GatewayClass `{}` exists", spec.gateway_class_name);
        plan.refused = Some((ConditionStatus::Unknown, Reason::Pending, message));
        return plan;
    };
    match merged_settings(gateway, class, lookup.resources) {
        Ok(settings) => plan.settings = Arc::new(settings),
        Err(problem) => plan.refused = Some((ConditionStatus::False, Reason::InvalidParameters, problem)),
    }
    match addresses(&spec.addresses, default_binds) {
        Ok(addresses) if plan.refused.is_none() => plan.addresses = addresses,
        Ok(_) => {}
        Err(problem) => plan.refused = Some((ConditionStatus::False, Reason::UnsupportedAddress, problem)),
    }
    plan
}

fn merged_settings(
    gateway: Typed<'_, Gateway>,
    class: Typed<'_, GatewayClass>,
    resources: &Resources,
) -> Result<Settings, String> {
    let mut merged = Settings::default();
    let of_class = settings::of_class(class, resources)
        .map_err(|problem| format!("GatewayClass `{}`: {problem}", class.resource.key.name))?;
    for parameters in of_class.into_iter().chain(settings::of_gateway(gateway, resources)?) {
        settings::apply(parameters, &mut merged);
    }
    Ok(merged)
}

fn addresses(asked: &[GatewayAddress], default_binds: &[IpAddr]) -> Result<Vec<IpAddr>, String> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut problems = Vec::new();
    if asked.is_empty() {
        found.extend_from_slice(default_binds);
    }
    for address in asked {
        let value = address.value.as_deref().filter(|value| !value.is_empty());
        match (&address.address_type, value) {
            (AddressType::IpAddress, None) => found.extend_from_slice(default_binds),
            (AddressType::IpAddress, Some(text)) => match text.parse() {
                Ok(ip) => found.push(ip),
                Err(_) => problems.push(format!("`{text}` is not an IP address")),
            },
            (AddressType::Hostname, _) => {
                problems.push("addresses of type `Hostname` cannot be bound; use IPAddress".to_owned());
            }
            (AddressType::Other(kind), _) => problems.push(format!("addresses of type `{kind}` are unknown")),
        }
    }
    let mut distinct = Vec::new();
    for ip in found {
        if !distinct.contains(&ip) {
            distinct.push(ip);
        }
    }
    if problems.is_empty() { Ok(distinct) } else { Err(problems.join("; ")) }
}

/// Two listeners of one Gateway that cannot be told apart are both refused: neither may be picked.
fn conflicts_within(listeners: &mut [Judged]) {
    let found: Vec<Option<(Reason, String)>> = (0..listeners.len())
        .map(|at| {
            let others = listeners.iter().enumerate().filter(|(other, _)| *other != at);
            others.into_iter().find_map(|(_, other)| conflict(&listeners[at], other))
        })
        .collect();
    for (listener, conflict) in listeners.iter_mut().zip(found) {
        listener.conflict = conflict;
    }
}

fn conflict(listener: &Judged, other: &Judged) -> Option<(Reason, String)> {
    let unknown = listener.family == Family::Unknown || other.family == Family::Unknown;
    let apart = (listener.family == Family::Udp) != (other.family == Family::Udp);
    if listener.view.port != other.view.port || unknown || apart {
        return None;
    }
    let named = |what: &str| format!("listener `{}` has the same port and {what}", other.view.name);
    if listener.family != other.family {
        return Some((Reason::ProtocolConflict, named("another protocol")));
    }
    (listener.view.hostname == other.view.hostname).then(|| (Reason::HostnameConflict, named("hostname")))
}

/// What older Gateways already listen on.
#[derive(Debug, Default)]
struct Claims {
    by_address: BTreeMap<BindAddress, Claim>,
}

#[derive(Debug)]
struct Claim {
    family: Family,
    client_validation: Option<Arc<ClientValidation>>,
    /// Hostnames with the listener that has them.
    hostnames: Vec<(HostPattern, Arc<str>)>,
}

impl Claims {
    /// Decides which listeners of a Gateway are served, and takes their places.
    fn settle(&mut self, plan: &mut GatewayPlan) {
        for at in 0..plan.listeners.len() {
            let listener = &plan.listeners[at];
            let conflict = plan.addresses.iter().find_map(|ip| self.taken(*ip, listener));
            let listener = &mut plan.listeners[at];
            if listener.conflict.is_none() {
                listener.conflict = conflict;
            }
            if listener.refused.is_none() {
                listener.refused = listener.conflict.clone();
            }
            listener.view.served = listener.refused.is_none() && !plan.addresses.is_empty();
        }
        for listener in plan.listeners.iter().filter(|listener| listener.view.served) {
            for ip in &plan.addresses {
                let address = BindAddress { ip: *ip, port: listener.view.port };
                let new = || Claim {
                    family: listener.family,
                    client_validation: listener.client_validation.clone(),
                    hostnames: Vec::new(),
                };
                let claim = self.by_address.entry(address).or_insert_with(new);
                claim.hostnames.push((listener.view.hostname.clone(), listener.view.unique.clone()));
            }
        }
    }

    fn taken(&self, ip: IpAddr, listener: &Judged) -> Option<(Reason, String)> {
        let address = BindAddress { ip, port: listener.view.port };
        let claim = self.by_address.get(&address)?;
        if listener.family == Family::Udp || listener.family == Family::Unknown {
            return None;
        }
        let BindAddress { ip, port } = address;
        if claim.family != listener.family {
            let message = format!("an older Gateway uses port {port} of {ip} with another protocol");
            return Some((Reason::ProtocolConflict, message));
        }
        if claim.family == Family::Tcp {
            let message = format!("an older Gateway takes the connections of port {port} of {ip}");
            return Some((Reason::ProtocolConflict, message));
        }
        if claim.client_validation != listener.client_validation {
            let message = format!("an older Gateway verifies the clients of port {port} of {ip} differently");
            return Some((Reason::ProtocolConflict, message));
        }
        let (_, holder) = claim.hostnames.iter().find(|(hostname, _)| *hostname == listener.view.hostname)?;
        let message = format!("the older listener `{holder}` has the same hostname on port {port} of {ip}");
        Some((Reason::HostnameConflict, message))
    }
}

impl GatewayPlan {
    /// The status, given how many routes each listener has.
    pub(super) fn status(&self, attached: impl Fn(&str) -> u32) -> GatewayStatus {
        let generation = self.resource.meta.generation;
        let mut conditions = vec![self.accepted(generation), self.programmed(generation)];
        conditions.extend(self.own.as_ref().map(|own| match &own.problem {
            None => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
            Some((reason, text)) => Condition::no(ConditionType::ResolvedRefs, *reason, text, generation),
        }));
        if self.insecure {
            let kind = ConditionType::InsecureFrontendValidationMode;
            conditions.push(
                Condition::yes(kind, Reason::ConfigurationChanged, generation)
                    .saying("clients are let in without a valid certificate (AllowInsecureFallback)"),
            );
        }
        let addresses = self.addresses.iter();
        GatewayStatus {
            addresses: addresses
                .map(|ip| StatusAddress { kind: "IPAddress", value: ip.to_string() })
                .collect(),
            conditions,
            listeners: self
                .listeners
                .iter()
                .map(|listener| ListenerStatus {
                    name: listener.view.name.clone(),
                    supported_kinds: listener.supported_kinds.clone(),
                    attached_routes: attached(&listener.view.unique),
                    conditions: listener_conditions(listener, generation),
                })
                .collect(),
        }
    }

    fn accepted(&self, generation: u64) -> Condition {
        if let Some((status, reason, message)) = &self.refused {
            return Condition::new(ConditionType::Accepted, *status, *reason, message.clone(), generation);
        }
        let refused: Vec<&str> = self
            .listeners
            .iter()
            .filter(|listener| listener.refused.is_some())
            .map(|listener| &*listener.view.name)
            .collect();
        let message = format!("not valid: {}", refused.join(", "));
        if refused.is_empty() {
            Condition::yes(ConditionType::Accepted, Reason::Accepted, generation)
        } else if refused.len() < self.listeners.len() {
            Condition::yes(ConditionType::Accepted, Reason::ListenersNotValid, generation).saying(message)
        } else {
            Condition::no(ConditionType::Accepted, Reason::ListenersNotValid, message, generation)
        }
    }

    fn programmed(&self, generation: u64) -> Condition {
        if let Some((ConditionStatus::Unknown, reason, message)) = &self.refused {
            let unknown = ConditionStatus::Unknown;
            return Condition::new(ConditionType::Programmed, unknown, *reason, message.clone(), generation);
        }
        if self.listeners.iter().any(|listener| listener.view.served) {
            return Condition::yes(ConditionType::Programmed, Reason::Programmed, generation);
        }
        Condition::no(ConditionType::Programmed, Reason::Invalid, "nothing is listened on", generation)
    }
}

fn listener_conditions(listener: &Judged, generation: u64) -> Vec<Condition> {
    let accepted = match &listener.refused {
        None => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation),
        Some((reason, text)) => Condition::no(ConditionType::Accepted, *reason, text, generation),
    };
    let conflicted = match &listener.conflict {
        None => Condition::no(ConditionType::Conflicted, Reason::NoConflicts, "", generation),
        Some((reason, text)) => Condition::yes(ConditionType::Conflicted, *reason, generation).saying(text),
    };
    let resolved = match &listener.unresolved {
        None => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
        Some((reason, text)) => Condition::no(ConditionType::ResolvedRefs, *reason, text, generation),
    };
    let useless = listener.view.tls && listener.certificates.is_empty();
    let programmed = if !listener.view.served {
        Condition::no(ConditionType::Programmed, Reason::Invalid, "it is not listened on", generation)
    } else if useless {
        let text = "there is no usable certificate, so every handshake is refused";
        Condition::no(ConditionType::Programmed, Reason::Invalid, text, generation)
    } else {
        Condition::yes(ConditionType::Programmed, Reason::Programmed, generation)
    };
    vec![accepted, conflicted, programmed, resolved]
}
