//! The places where callers come in, and the policies that hold there, from the widest to the nearest.

use std::sync::Arc;

use model::Resources;
use model::kinds::KindName;

use super::{AuthenticationBook, Level, effective};
use crate::authentication::Authentication;
use crate::compile::clusters::ClusterBook;
use crate::compile::listeners::ListenerView;
use crate::compile::protection::{Protected, RoutePlace, asks_for_itself, object, port_name};
use crate::compile::references::ClusterKey;
use crate::config::{Backends, Target};

impl AuthenticationBook {
    /// What a listener of a Gateway asks.
    pub(in crate::compile) fn door(&self, view: &ListenerView) -> Option<Level> {
        if self.is_idle() {
            return None;
        }
        let gateway = |section| object(KindName::Gateway, &view.namespace, &view.gateway, section);
        let levels = [
            self.of(&Protected::Mesh),
            self.of(&Protected::Namespace(view.namespace.clone())),
            self.of(&gateway(None)),
            self.of(&gateway(Some(&view.name))),
        ];
        effective(levels).cloned()
    }

    /// What is asked of those who come in to a workload by a port that stands for these ports of Services.
    pub(in crate::compile) fn of_workload(
        &mut self,
        namespace: &Arc<str>,
        services: &[(Arc<str>, u16)],
        resources: &Resources,
    ) -> Option<Arc<Authentication>> {
        if self.is_idle() {
            return None;
        }
        let around = [self.of(&Protected::Mesh), self.of(&Protected::Namespace(namespace.clone()))];
        let mut ways: Vec<Option<Level>> = services
            .iter()
            .map(|(service, port)| {
                let named = port_name(namespace, service, *port, resources);
                let own = self.of_service(namespace, service, named.as_ref());
                effective(around.into_iter().chain(own)).cloned()
            })
            .collect();
        if ways.is_empty() {
            ways.push(effective(around).cloned());
        }
        self.agreed(ways)
    }

    fn of_service(
        &self,
        namespace: &Arc<str>,
        service: &Arc<str>,
        port: Option<&Arc<str>>,
    ) -> [Option<&Level>; 2] {
        let at = |section| self.of(&object(KindName::Service, namespace, service, section));
        [at(None), port.and_then(|port| at(Some(port)))]
    }

    /// What a rule of a route asks that is served at a door.
    pub(in crate::compile) fn of_rule(
        &mut self,
        door: Option<&Level>,
        (route, rule): (RoutePlace<'_>, Option<&Arc<str>>),
        backends: Option<&Backends>,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Option<Arc<Authentication>> {
        if self.is_idle() {
            return None;
        }
        let at = |section| self.of(&object(route.kind, route.namespace, route.name, section));
        let own = [at(None), rule.and_then(|rule| at(Some(rule)))];
        let products = self.of_products(route);
        let targets = backends.iter().flat_map(|backends| backends.choices.iter());
        let mut ways: Vec<Option<Level>> = targets
            .filter_map(|backend| match &backend.target {
                Target::Cluster(slot) => Some(book.key(*slot)),
                Target::Redirect(_) | Target::Invalid { .. } => None,
            })
            .flat_map(|key| {
                let (namespace, service) = self.of_target(key, resources);
                let way = move |product: &Option<&Level>| {
                    let levels = [door, namespace, *product].into_iter().chain(own).chain(service);
                    effective(levels).cloned()
                };
                products.iter().map(way).collect::<Vec<_>>()
            })
            .collect();
        if ways.is_empty() {
            let way = |product: &Option<&Level>| effective([door, *product].into_iter().chain(own)).cloned();
            ways.extend(products.iter().map(way));
        }
        self.agreed(ways)
    }

    /// What holds for the products that a rule's operation is part of; one that says nothing leaves the word to others.
    fn of_products(&self, route: RoutePlace<'_>) -> Vec<Option<&Level>> {
        let products = route.products.iter();
        let of = |product| self.of(&object(KindName::ApiProduct, route.namespace, product, None));
        let said: Vec<Option<&Level>> = products.map(of).filter(Option::is_some).collect();
        if said.is_empty() { vec![None] } else { said }
    }

    /// What holds for the namespace of a backend and for the backend itself. Those who stand beside its workloads ask
    /// there.
    fn of_target(&self, key: &ClusterKey, resources: &Resources) -> (Option<&Level>, [Option<&Level>; 2]) {
        let of_namespace = |name: &Arc<str>| self.of(&Protected::Namespace(name.clone()));
        match key {
            ClusterKey::Service { namespace, name, port } => {
                let service = resources.service(namespace, name);
                if service.is_some_and(|service| asks_for_itself(service, resources)) {
                    return (None, [None; 2]);
                }
                let named = port_name(namespace, name, *port, resources);
                let own = self.of_service(namespace, name, named.as_ref());
                (of_namespace(namespace), own)
            }
            ClusterKey::Backend { namespace, .. } => (of_namespace(namespace), [None; 2]),
            ClusterKey::Application { .. } => (None, [None; 2]),
        }
    }
}
