//! What of an object leaves the control plane.
//!
//! A proxy is sent what it acts on: no status, no history, no annotations, of a Secret the keys that are certificates
//! and of a ConfigMap the trust anchors. What is left out cannot leak, and a write that touches only what is left out
//! makes the same bytes, hence the same version, hence no message.

use discovery::messages::Content;
use discovery::object::{Object, ObjectName, TypeName};
use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::secret::{
    CA_CRT, JWKS_JSON, TLS_CRT, TLS_KEY, TYPE_API_KEYS, TYPE_PASSWORDS, TYPE_UPSTREAM_CREDENTIAL,
};
use model::kinds::{Kind, OnRejection};
use model::labels::SERVICE_NAME;
use model::{Resource, ResourceKey};
use serde_json::{Map, Value, json};

/// Types of Secrets that were made for proxies, whatever keys they have.
const WHOLE_SECRETS: [&str; 3] = [TYPE_API_KEYS, TYPE_PASSWORDS, TYPE_UPSTREAM_CREDENTIAL];

/// An object as proxies are sent it.
#[must_use]
pub fn encode(resource: &Resource) -> Object {
    let content = Content {
        json: json(resource).to_string().into_bytes().into(),
        parents: parents(resource),
        denies: resource.kind_name().on_rejection() == OnRejection::DenyTargets,
    };
    Object::new(name(&resource.key), &content)
}

/// How the stream calls an object.
#[must_use]
pub fn name(key: &ResourceKey) -> ObjectName {
    ObjectName { of: TypeName::new(&key.kind), name: key.place().into() }
}

fn json(resource: &Resource) -> Value {
    let mut value = resource.written.value();
    let Value::Object(object) = &mut value else { return value };
    let status = object.remove("status");
    keep_metadata(object, &resource.kind);
    match &resource.kind {
        // They hold nothing that proxies do not ask for.
        Kind::Secret(secret) if WHOLE_SECRETS.contains(&&*secret.secret_type) => {}
        Kind::Secret(_) => {
            let keys = [TLS_CRT, TLS_KEY, CA_CRT, JWKS_JSON];
            keep_fields(object, &["data", "stringData"], &keys);
        }
        Kind::ConfigMap(_) => {
            keep_fields(object, &["data"], &[CA_CRT]);
            object.remove("binaryData");
        }
        Kind::Pod(_) => {
            keep_fields(object, &["spec"], &["serviceAccountName"]);
            object.extend(status.map(|status| ("status".to_owned(), status)));
            keep_fields(object, &["status"], &["podIP"]);
        }
        Kind::Workload(_) => {
            object.extend(status.as_ref().and_then(readiness).map(|status| ("status".to_owned(), status)));
        }
        Kind::Namespace(_)
        | Kind::Service(_)
        | Kind::EndpointSlice(_)
        | Kind::GatewayClass(_)
        | Kind::Gateway(_)
        | Kind::HttpRoute(_)
        | Kind::TcpRoute(_)
        | Kind::ReferenceGrant(_)
        | Kind::BackendTlsPolicy(_)
        | Kind::ResiliencePolicy(_)
        | Kind::FaultPolicy(_)
        | Kind::TelemetryPolicy(_)
        | Kind::TransformPolicy(_)
        | Kind::RateLimitPolicy(_)
        | Kind::IpPolicy(_)
        | Kind::CorsPolicy(_)
        | Kind::ValidationPolicy(_)
        | Kind::Backend(_)
        | Kind::GatewayParameters(_)
        | Kind::AuthenticationPolicy(_)
        | Kind::ExternalAuthorizationPolicy(_)
        | Kind::AuthorizationPolicy(_)
        | Kind::Mesh(_)
        | Kind::Role(_)
        | Kind::ClusterRole(_)
        | Kind::RoleBinding(_)
        | Kind::ClusterRoleBinding(_)
        | Kind::AccessToken(_)
        | Kind::Team(_)
        | Kind::Developer(_)
        | Kind::Application(_)
        | Kind::Subscription(_)
        | Kind::Credential(_)
        | Kind::JoinToken(_)
        | Kind::TrustBundle(_)
        | Kind::Api(_)
        | Kind::ApiVersion(_)
        | Kind::ApiRevision(_)
        | Kind::ApiBinding(_)
        | Kind::ApiProduct(_)
        | Kind::Plan(_) => {}
    }
    value
}

/// Keeps what proxies know an object by.
fn keep_metadata(object: &mut Map<String, Value>, kind: &Kind) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        let labels = has_meaning_in_labels(kind);
        metadata.retain(|field, _| match field.as_str() {
            "name" | "namespace" | "creationTimestamp" => true,
            "labels" => labels,
            _ => false,
        });
    }
}

/// Whether a Workload is ready: the one thing about its status that decides anything. When it was last seen would make
/// a message of every heartbeat.
fn readiness(status: &Value) -> Option<Value> {
    let said = status.get("conditions")?.as_array()?.iter();
    let mut ready = said.filter(|said| said.get("type").and_then(Value::as_str) == Some("Ready"));
    let status = ready.next()?.get("status")?;
    Some(json!({"conditions": [{"type": "Ready", "status": status}]}))
}

/// Kinds whose labels others select by.
fn has_meaning_in_labels(kind: &Kind) -> bool {
    match kind {
        Kind::Namespace(_) | Kind::Pod(_) | Kind::EndpointSlice(_) | Kind::Workload(_) => true,
        Kind::Secret(_)
        | Kind::ConfigMap(_)
        | Kind::Service(_)
        | Kind::GatewayClass(_)
        | Kind::Gateway(_)
        | Kind::HttpRoute(_)
        | Kind::TcpRoute(_)
        | Kind::ReferenceGrant(_)
        | Kind::BackendTlsPolicy(_)
        | Kind::ResiliencePolicy(_)
        | Kind::FaultPolicy(_)
        | Kind::TelemetryPolicy(_)
        | Kind::TransformPolicy(_)
        | Kind::RateLimitPolicy(_)
        | Kind::IpPolicy(_)
        | Kind::CorsPolicy(_)
        | Kind::ValidationPolicy(_)
        | Kind::Backend(_)
        | Kind::GatewayParameters(_)
        | Kind::AuthenticationPolicy(_)
        | Kind::ExternalAuthorizationPolicy(_)
        | Kind::AuthorizationPolicy(_)
        | Kind::Mesh(_)
        | Kind::Role(_)
        | Kind::ClusterRole(_)
        | Kind::RoleBinding(_)
        | Kind::ClusterRoleBinding(_)
        | Kind::AccessToken(_)
        | Kind::Team(_)
        | Kind::Developer(_)
        | Kind::Application(_)
        | Kind::Subscription(_)
        | Kind::Credential(_)
        | Kind::JoinToken(_)
        | Kind::TrustBundle(_)
        | Kind::Api(_)
        | Kind::ApiVersion(_)
        | Kind::ApiRevision(_)
        | Kind::ApiBinding(_)
        | Kind::ApiProduct(_)
        | Kind::Plan(_) => false,
    }
}

fn keep_fields(object: &mut Map<String, Value>, inside: &[&str], keys: &[&str]) {
    for place in inside {
        if let Some(Value::Object(fields)) = object.get_mut(*place) {
            fields.retain(|key, _| keys.contains(&key.as_str()));
        }
    }
}

/// What an object belongs to or is about, `Kind/namespace/name`. It travels beside the object, so that a proxy that
/// cannot read a policy knows whom it was to protect.
fn parents(resource: &Resource) -> Vec<String> {
    let namespace = resource.namespace();
    match &resource.kind {
        Kind::HttpRoute(_) | Kind::TcpRoute(_) | Kind::ApiVersion(_) => {
            let parents = resource.kind.parent_refs().iter().map(|parent| {
                format!(
                    "{}/{}/{}",
                    parent.kind,
                    parent.namespace.as_deref().unwrap_or(namespace),
                    parent.name
                )
            });
            parents.collect()
        }
        Kind::EndpointSlice(_) => {
            let service = resource.meta.labels.get(SERVICE_NAME);
            service.map(|service| format!("Service/{namespace}/{service}")).into_iter().collect()
        }
        Kind::BackendTlsPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::ResiliencePolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::FaultPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::TransformPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::RateLimitPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::IpPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::CorsPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::ValidationPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::AuthenticationPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::ExternalAuthorizationPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::TelemetryPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::AuthorizationPolicy(policy) => targets(namespace, &policy.spec.target_refs),
        Kind::Namespace(_)
        | Kind::Secret(_)
        | Kind::ConfigMap(_)
        | Kind::Service(_)
        | Kind::Pod(_)
        | Kind::GatewayClass(_)
        | Kind::Gateway(_)
        | Kind::ReferenceGrant(_)
        | Kind::Backend(_)
        | Kind::GatewayParameters(_)
        | Kind::Mesh(_)
        | Kind::Workload(_)
        | Kind::Role(_)
        | Kind::ClusterRole(_)
        | Kind::RoleBinding(_)
        | Kind::ClusterRoleBinding(_)
        | Kind::AccessToken(_)
        | Kind::Team(_)
        | Kind::Developer(_)
        | Kind::Application(_)
        | Kind::Subscription(_)
        | Kind::Credential(_)
        | Kind::JoinToken(_)
        | Kind::TrustBundle(_)
        | Kind::Api(_)
        | Kind::ApiRevision(_)
        | Kind::ApiBinding(_)
        | Kind::ApiProduct(_)
        | Kind::Plan(_) => Vec::new(),
    }
}

fn targets(namespace: &str, references: &[PolicyTargetRef]) -> Vec<String> {
    references.iter().map(|target| format!("{}/{namespace}/{}", target.kind, target.name)).collect()
}

#[cfg(test)]
mod tests {
    use model::yaml;
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    fn sent(value: Value) -> (Object, Value) {
        let resource = yaml::read_value(value).expect("a sound object");
        let object = encode(&resource);
        let content = Content::decode(object.content.clone()).expect("our own content");
        let value: Value = serde_json::from_slice(&content.json).expect("JSON");
        yaml::read_value(value.clone()).expect("what is sent can be read again");
        (object, value)
    }

    fn route(metadata: Value, status: Value) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
            "spec": { "parentRefs": [{ "name": "edge" }, { "name": "other", "namespace": "b" }] },
            "status": status,
        })
    }

    #[test]
    fn what_is_only_told_about_an_object_is_no_new_version() {
        let plain = json!({ "name": "r", "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z" });
        let talked_about = json!({
            "name": "r", "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z",
            "resourceVersion": "17", "generation": 3, "uid": "u",
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
            "labels": { "team": "a" },
            "managedFields": [{ "manager": "kubectl" }],
        });

        let (first, value) = sent(route(plain, json!({ "parents": [] })));
        let (second, _) = sent(route(talked_about, json!({ "parents": [] })));

        assert_eq!(first.version, second.version);
        assert_eq!(value.get("status"), None);
        assert_eq!(value["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_route_names_its_gateways() {
        let (object, _) = sent(route(json!({ "name": "r", "namespace": "a" }), json!({ "parents": [] })));
        let content = Content::decode(object.content).expect("our own content");

        assert_eq!(content.parents, ["Gateway/a/edge", "Gateway/b/other"]);
        assert!(!content.denies);
    }

    #[test]
    fn a_secret_is_sent_without_what_is_no_certificate() {
        let (_, value) = sent(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "type": "Opaque",
            "data": { "tls.crt": "aGk=", "password": "aHVudGVyMg==" }, "stringData": { "tls.key": "k", "other": "o" },
        }));

        assert_eq!(value["data"], json!({ "tls.crt": "aGk=" }));
        assert_eq!(value["stringData"], json!({ "tls.key": "k" }));
    }

    #[test]
    fn keys_of_callers_are_sent_as_they_are() {
        let (_, value) = sent(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "type": "policy.selvedge.dev/api-keys",
            "data": { "partner": "aGk=" },
        }));

        assert_eq!(value["data"], json!({ "partner": "aGk=" }));
    }

    #[test]
    fn what_proxies_show_to_others_is_sent_as_it_is() {
        let (_, value) = sent(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" },
            "type": "policy.selvedge.dev/upstream-credential", "data": { "token": "aGk=" },
        }));

        assert_eq!(value["data"], json!({ "token": "aGk=" }));
    }

    #[test]
    fn a_config_map_and_a_pod_are_sent_without_what_nobody_asks_for() {
        let (_, map) = sent(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m" },
            "data": { "ca.crt": "pem", "other": "o" },
        }));
        let (_, pod) = sent(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "labels": { "app": "a" } },
            "spec": { "serviceAccountName": "sa" }, "status": { "podIP": "10.0.0.1" },
        }));

        assert_eq!(map["data"], json!({ "ca.crt": "pem" }));
        assert_eq!(pod["status"], json!({ "podIP": "10.0.0.1" }));
        assert_eq!(pod["metadata"]["labels"], json!({ "app": "a" }));
    }

    #[test]
    fn a_policy_that_must_deny_says_so_beside_itself() {
        let (object, _) = sent(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": { "name": "p", "namespace": "a" },
            "spec": {
                "targetRefs": [{ "group": "", "kind": "Service", "name": "cart" }],
                "validation": { "hostname": "cart.example", "wellKnownCACertificates": "System" },
            },
        }));
        let content = Content::decode(object.content).expect("our own content");

        assert_eq!((content.parents, content.denies), (vec!["Service/a/cart".to_owned()], true));
    }
}
