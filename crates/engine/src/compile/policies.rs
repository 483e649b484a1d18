//! BackendTLSPolicy: who speaks TLS to a Service, and what happens when nobody can say how.
//!
//! A policy that is broken refuses the traffic of its target. It never falls back to the system's roots, to no
//! verification, or to cleartext.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::backend_tls_policy::{BackendTlsPolicy, BackendTlsValidation, SubjectAltName};
use model::kinds::references::{LocalObjectRef, ParentRef};
use model::kinds::{CORE_GROUP, GATEWAY_GROUP};
use model::resources::Typed;
use model::{Resource, Resources};

use super::certificates::{Anchors, Certificates, Remembered};
use super::listeners::join;
use crate::config::UpstreamTls;
use crate::status::{AncestorStatus, Condition, ConditionType, PolicyStatus, Reason};

/// What is known about TLS towards a target: the settings, or that it must be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Speak it.
    Speak(Arc<UpstreamTls>),
    /// Refuse, with the reason for the log.
    Refuse(&'static str),
}

/// How a validation turned out.
#[derive(Debug)]
pub(super) struct Validated {
    pub(super) tls: Tls,
    /// Why the settings as a whole are not accepted.
    pub(super) refused: Option<(Reason, String)>,
    /// References that do not resolve.
    pub(super) unresolved: Option<(Reason, String)>,
}

/// What is asked of a backend's certificate, from a policy or from a Backend.
pub(super) struct Validation<'a> {
    pub(super) namespace: &'a str,
    pub(super) hostname: &'a Arc<str>,
    pub(super) ca_certificate_refs: &'a [LocalObjectRef],
    pub(super) subject_alt_names: &'a [SubjectAltName],
    pub(super) well_known: Option<&'a str>,
    /// Whether Secrets may hold trust anchors.
    pub(super) secrets: bool,
}

/// Why traffic is refused when TLS towards a backend is not usable.
pub(super) const BACKEND_TLS_INVALID: &str = "backend_tls_invalid";

/// Reads what is asked of a backend's certificate.
pub(super) fn validate(
    asked: &Validation<'_>,
    resources: &Resources,
    remembered: &mut Remembered,
    certificates: &mut dyn Certificates,
) -> Validated {
    let system = match asked.well_known {
        None => false,
        Some("System") => true,
        Some(other) => {
            let message = format!("`wellKnownCACertificates: {other}` is unknown; use `System`");
            return refuse((Reason::Invalid, message), None);
        }
    };
    let references = asked.ca_certificate_refs;
    let Anchors { roots, problems } =
        remembered.anchors(asked.namespace, references, asked.secrets, resources, certificates);
    let unresolved = join(problems);
    if roots.is_empty() && !(system && references.is_empty()) {
        let message = match &unresolved {
            Some((_, text)) => text.clone(),
            None => "neither `caCertificateRefs` nor `wellKnownCACertificates` is given".to_owned(),
        };
        return refuse((Reason::NoValidCACertificate, message), unresolved);
    }
    let names = asked.subject_alt_names.iter().map(|name| match name {
        SubjectAltName::Hostname { hostname } => hostname.clone(),
        SubjectAltName::Uri { uri } => uri.clone(),
    });
    let tls = UpstreamTls {
        hostname: asked.hostname.clone(),
        subject_alt_names: names.collect(),
        roots,
        client_certificate: None,
    };
    Validated { tls: Tls::Speak(Arc::new(tls)), refused: None, unresolved }
}

fn refuse(why: (Reason, String), unresolved: Option<(Reason, String)>) -> Validated {
    Validated { tls: Tls::Refuse(BACKEND_TLS_INVALID), refused: Some(why), unresolved }
}

/// Namespace and name.
pub(super) type ServicePlace = (Arc<str>, Arc<str>);

/// The port a policy holds for by name, `None` for all, and what it says.
type Winner = (Option<Arc<str>>, Tls);

/// All policies, judged.
#[derive(Debug, Default)]
pub(super) struct PolicyTable {
    /// Winners by Service, then by port name; `None` is the whole Service.
    by_service: HashMap<ServicePlace, Vec<Winner>>,
    judged: Vec<JudgedPolicy>,
}

#[derive(Debug)]
struct JudgedPolicy {
    resource: Arc<Resource>,
    targets: Vec<ServicePlace>,
    accepted: Result<(), (Reason, String)>,
    unresolved: Option<(Reason, String)>,
}

impl PolicyTable {
    /// Judges all policies, the oldest first: of two for one target it wins.
    pub(super) fn new(
        resources: &Resources,
        remembered: &mut Remembered,
        certificates: &mut dyn Certificates,
    ) -> Self {
        let mut policies: Vec<Typed<'_, BackendTlsPolicy>> = resources.all().collect();
        policies.sort_by(|left, right| {
            (left.resource.age, &left.resource.key).cmp(&(right.resource.age, &right.resource.key))
        });
        let mut table = PolicyTable::default();
        for policy in policies {
            table.add(policy, resources, remembered, certificates);
        }
        table.judged.sort_by(|left, right| left.resource.key.cmp(&right.resource.key));
        table
    }

    fn add(
        &mut self,
        policy: Typed<'_, BackendTlsPolicy>,
        resources: &Resources,
        remembered: &mut Remembered,
        certificates: &mut dyn Certificates,
    ) {
        let namespace: Arc<str> = policy.resource.namespace().into();
        let spec = &policy.content.spec;
        let BackendTlsValidation {
            ca_certificate_refs,
            well_known_ca_certificates,
            hostname,
            subject_alt_names,
        } = &spec.validation;
        let asked = Validation {
            namespace: &namespace,
            hostname,
            ca_certificate_refs,
            subject_alt_names,
            well_known: well_known_ca_certificates.as_deref(),
            secrets: false,
        };
        let validated = validate(&asked, resources, remembered, certificates);
        let mut targets = Vec::new();
        let mut lost = Vec::new();
        for target in &spec.target_refs {
            if *target.group != *CORE_GROUP || *target.kind != *"Service" {
                continue;
            }
            let place = (namespace.clone(), target.name.clone());
            let winners = self.by_service.entry(place.clone()).or_default();
            if winners.iter().any(|(section, _)| *section == target.section_name) {
                lost.push(target.name.to_string());
            } else {
                winners.push((target.section_name.clone(), validated.tls.clone()));
            }
            targets.push(place);
        }
        let conflict = (!lost.is_empty()).then(|| {
            (Reason::Conflicted, format!("an older policy already holds for Service {}", lost.join(", ")))
        });
        let accepted = conflict.or(validated.refused).map_or(Ok(()), Err);
        let resource = policy.resource.clone();
        self.judged.push(JudgedPolicy { resource, targets, accepted, unresolved: validated.unresolved });
    }

    /// TLS for one port of a Service: a policy for the port before one for the whole Service.
    pub(super) fn find(
        &self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        port_name: Option<&str>,
    ) -> Option<&Tls> {
        let winners = self.by_service.get(&(namespace.clone(), name.clone()))?;
        let own =
            port_name.and_then(|port| winners.iter().find(|(section, _)| section.as_deref() == Some(port)));
        own.or_else(|| winners.iter().find(|(section, _)| section.is_none())).map(|(_, tls)| tls)
    }

    /// Every Service that some policy is about.
    pub(super) fn targets(&self) -> HashSet<&ServicePlace> {
        self.judged.iter().flat_map(|policy| &policy.targets).collect()
    }

    /// Statuses, given the Gateways through which each Service is reached.
    pub(super) fn statuses(
        &self,
        controller: &Arc<str>,
        gateways_of: &HashMap<ServicePlace, BTreeSet<ServicePlace>>,
    ) -> Vec<(Arc<Resource>, PolicyStatus)> {
        let status = |policy: &JudgedPolicy| {
            let gateways: BTreeSet<ServicePlace> = policy
                .targets
                .iter()
                .filter_map(|target| gateways_of.get(target))
                .flatten()
                .cloned()
                .collect();
            let conditions = policy.conditions();
            let ancestors = gateways.into_iter().map(|(namespace, name)| AncestorStatus {
                ancestor_ref: gateway_ref(namespace, name),
                controller_name: controller.clone(),
                conditions: conditions.clone(),
            });
            (policy.resource.clone(), PolicyStatus { ancestors: ancestors.collect() })
        };
        self.judged.iter().map(status).collect()
    }
}

impl JudgedPolicy {
    fn conditions(&self) -> Vec<Condition> {
        let generation = self.resource.meta.generation;
        let accepted = match &self.accepted {
            Ok(()) => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation),
            Err((reason, text)) => Condition::no(ConditionType::Accepted, *reason, text, generation),
        };
        let resolved = match &self.unresolved {
            None => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
            Some((reason, text)) => Condition::no(ConditionType::ResolvedRefs, *reason, text, generation),
        };
        vec![accepted, resolved]
    }
}

fn gateway_ref(namespace: Arc<str>, name: Arc<str>) -> ParentRef {
    ParentRef {
        group: GATEWAY_GROUP.into(),
        kind: "Gateway".into(),
        namespace: Some(namespace),
        name,
        section_name: None,
        port: None,
    }
}
