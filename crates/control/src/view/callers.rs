//! Which proxies have to know customers: those that ask callers who they are.
//!
//! A sidecar is shown products of Services that its workload calls, because its routes come from there. Callers are
//! asked beside the provider, so whoever only calls a product is told of nobody's credentials.

use std::sync::Arc;

use discovery::{Interest, View};
use model::kinds::service::Service;
use model::kinds::{ApiBinding, AuthenticationPolicy, KindName};
use model::{Resource, Resources};

use super::Views;
use super::selection::selects;

impl Views {
    /// Whether a proxy that is shown this asks callers for credentials of customers.
    #[must_use]
    pub fn asks_callers(&self, interest: &Interest, view: &View) -> bool {
        let (products, policies) = (view.has_any("APIProduct"), view.has_any("AuthenticationPolicy"));
        match interest {
            Interest::All | Interest::Gateways(_) => products || policies,
            Interest::Workload(place) => {
                let resources = &self.world.now().resources;
                let own = place.split_once('/').and_then(|(home, name)| resources.workload(home, name));
                own.is_some_and(|own| {
                    products && provides(own.resource, resources)
                        || policies && is_guarded(own.resource, resources)
                })
            }
        }
    }
}

/// Whether an API is answered by a Service that leads to a workload.
fn provides(own: &Resource, resources: &Resources) -> bool {
    let services = resources.within::<Service>(own.namespace());
    let services: Vec<Arc<str>> = services
        .filter(|service| selects(service.content, own))
        .map(|service| service.resource.key.name.to_arc())
        .collect();
    let bindings = resources.within::<ApiBinding>(own.namespace());
    let mut backends =
        bindings.flat_map(|binding| binding.content.spec.targets()).flat_map(|target| &target.backend_refs);
    backends.any(|backend| {
        *backend.target.kind == *KindName::Service.as_str() && services.contains(&backend.target.name)
    })
}

/// Whether a policy of a workload's namespace, or of the whole mesh, says how callers prove who they are.
fn is_guarded(own: &Resource, resources: &Resources) -> bool {
    resources.all::<AuthenticationPolicy>().any(|policy| {
        let mut targets = policy.content.spec.target_refs.iter();
        policy.resource.namespace() == own.namespace()
            || targets.any(|target| *target.kind == *KindName::Mesh.as_str())
    })
}

#[cfg(test)]
mod tests {
    use model::yaml;

    use super::*;

    const SHOP: &str = "
kind: Workload
apiVersion: mesh.selvedge.dev/v1alpha1
metadata: {namespace: shop, name: pets-1, labels: {app: pets}}
spec: {address: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Workload
apiVersion: mesh.selvedge.dev/v1alpha1
metadata: {namespace: shop, name: caller-1, labels: {app: caller}}
spec: {address: 10.0.0.2, ports: [{name: http, port: 80}]}
---
kind: Service
apiVersion: v1
metadata: {namespace: shop, name: pets}
spec: {selector: {app: pets}, ports: [{port: 80}]}
---
kind: Service
apiVersion: v1
metadata: {namespace: shop, name: caller}
spec: {selector: {app: caller}, ports: [{port: 80}]}
---
kind: APIBinding
apiVersion: product.selvedge.dev/v1alpha1
metadata: {namespace: shop, name: pets-v1}
spec: {version: pets-v1, default: {backendRefs: [{kind: Service, name: pets, port: 80}]}}
";
    const POLICY: &str = "
---
kind: AuthenticationPolicy
apiVersion: policy.selvedge.dev/v1alpha1
metadata: {namespace: NAMESPACE, name: keys}
spec:
  targetRefs: [{group: '', kind: Service, name: pets}]
  methods: [{apiKey: {in: [{header: x-api-key}]}}]
";

    fn resources(text: &str) -> Resources {
        let read = yaml::read(text, "test.yaml");
        assert!(read.violations.is_empty(), "{}", read.violations);
        let mut resources = Resources::new();
        for resource in read.resources {
            resources.insert(resource);
        }
        resources
    }

    #[test]
    fn whoever_only_calls_a_product_is_told_of_no_credentials() {
        let resources = resources(SHOP);
        let provides = |name| {
            let own = resources.workload("shop", name).expect("a workload");
            provides(own.resource, &resources)
        };

        assert!(provides("pets-1"));
        assert!(!provides("caller-1"));
    }

    #[test]
    fn policies_about_callers_count_in_the_namespace_of_the_workload() {
        for (namespace, counts) in [("shop", true), ("elsewhere", false)] {
            let resources = resources(&format!("{SHOP}{}", POLICY.replace("NAMESPACE", namespace)));
            let own = resources.workload("shop", "pets-1").expect("a workload");
            assert_eq!(is_guarded(own.resource, &resources), counts, "{namespace}");
        }
    }
}
