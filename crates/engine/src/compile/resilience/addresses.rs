//! From where somebody may come: every policy about a rule, about what is around it, and about the Services that it
//! leads to.
//!
//! All of them hold. Who stands before a Service asks what is said of it as well as who stands beside its replicas: the
//! one knows the client, the other sees those who come by another way.

use std::sync::Arc;

use model::Resources;
use model::kinds::IpPolicy;

use super::super::attached::{Attached, Target, TargetKind};
use super::super::beside::port_name;
use super::super::clusters::ClusterBook;
use super::super::references::ClusterKey;
use super::{GatewaySide, Part, ResilienceBook, RulePlace, all, some};
use crate::config::{self, AddressRule, Backends};

/// Every policy at a target, or at a part of it and the whole.
pub(super) fn at(policies: &Attached, target: &Target, section: Option<&str>) -> Vec<AddressRule> {
    let held = policies.held(target, section);
    held.filter_map(|held| {
        let spec = &held.resource.content::<IpPolicy>()?.spec;
        Some(AddressRule::new(held.resource.key.place().into(), &spec.allow, &spec.deny))
    })
    .collect()
}

impl ResilienceBook {
    /// Whether it is said of any Service from where it may be reached.
    pub(in crate::compile) fn keeps_services(&self) -> bool {
        self.addresses.are_about(TargetKind::Service)
    }

    /// From where connections may come that a route of connections takes from a listener.
    pub(in crate::compile) fn addresses_of_connections(
        &self,
        place: &RulePlace,
        section: Option<&str>,
        gateway: &GatewaySide,
    ) -> Option<Arc<[AddressRule]>> {
        all(&self.addresses, place, section, at, gateway.addresses.as_ref())
    }

    /// What is said already, and what is said of the Services among these backends.
    pub(in crate::compile) fn addresses_towards(
        &self,
        said: Option<Arc<[AddressRule]>>,
        backends: &Backends,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Option<Arc<[AddressRule]>> {
        if !self.keeps_services() {
            return said;
        }
        let keys = backends.choices.iter().filter_map(|backend| match &backend.target {
            config::Target::Cluster(slot) => Some(book.key(*slot)),
            config::Target::Redirect(_) | config::Target::Invalid { .. } => None,
        });
        let ports: Vec<_> = keys
            .filter_map(|key| match key {
                ClusterKey::Service { namespace, name, port } => {
                    Some((namespace, name, port_name(namespace, name, *port, resources)))
                }
                ClusterKey::Backend { .. } | ClusterKey::Application { .. } => None,
            })
            .collect();
        let parts = ports.iter().map(|(namespace, name, port)| Part::Service {
            namespace,
            name,
            port: port.as_deref(),
        });
        self.addresses_at(said, parts)
    }

    /// What is said already, and what is said of these ports of Services.
    pub(in crate::compile) fn addresses_at<'p>(
        &self,
        said: Option<Arc<[AddressRule]>>,
        parts: impl Iterator<Item = Part<'p>>,
    ) -> Option<Arc<[AddressRule]>> {
        let known = said.as_deref().unwrap_or_default();
        let mut more: Vec<AddressRule> = Vec::new();
        for (target, section) in parts.map(Part::target) {
            for rule in at(&self.addresses, &target, section) {
                // Two ports of a Service share what holds for all of it, and a policy may have several targets.
                if !known.contains(&rule) && !more.contains(&rule) {
                    more.push(rule);
                }
            }
        }
        if more.is_empty() {
            return said;
        }
        some(known.iter().cloned().chain(more).collect())
    }
}
