//! What single kinds ask for beyond their schemas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::kinds::KindName;
use model::kinds::secret::TYPE_AUTHORITY;
use model::labels::NAMESPACE_NAME;
use model::life;
use serde_json::{Map, Value, json};

use super::judge::name_of;
use super::status::{About, Cause, Status};

/// Brings an object into the form in which it is kept.
pub fn normalise(kind: KindName, object: &mut Value) {
    match kind {
        KindName::Secret => fold_string_data(object),
        KindName::Namespace => mark_namespace(object),
        KindName::ConfigMap
        | KindName::Service
        | KindName::Pod
        | KindName::EndpointSlice
        | KindName::GatewayClass
        | KindName::Gateway
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy
        | KindName::AuthorizationPolicy
        | KindName::Backend
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Workload
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::Api
        | KindName::ApiVersion
        | KindName::ApiRevision
        | KindName::ApiBinding
        | KindName::ApiProduct
        | KindName::Plan => {}
    }
}

/// The status that a new object has before anybody reports one.
pub fn first_status(kind: KindName) -> Option<Value> {
    (kind == KindName::Namespace).then(|| json!({"phase": "Active"}))
}

/// `stringData` is a way of writing `data`; it is never kept.
fn fold_string_data(object: &mut Value) {
    let Value::Object(map) = object else { return };
    if !map.get("stringData").is_some_and(|written| {
        written.is_null() || written.as_object().is_some_and(|entries| entries.values().all(Value::is_string))
    }) {
        return; // absent, or of a wrong type, which the judge reports
    }
    let Some(Value::Object(written)) = map.shift_remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Value::Object(data) = data {
        for (key, text) in written {
            data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
        }
    }
}

/// Selectors pick namespaces by their name through this label, so it cannot be left out or lie.
fn mark_namespace(object: &mut Value) {
    let name = name_of(object).to_owned();
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    if let (Value::Object(labels), false) = (labels, name.is_empty()) {
        labels.insert(NAMESPACE_NAME.to_owned(), name.into());
    }
}

/// Refuses whatever people or loops want to do with an object that the authorities of a mesh write for themselves: what
/// is trusted, and the keys of those who are, are not to be had by writing an object.
///
/// # Errors
/// 403.
pub fn keep_reserved(kind: KindName, object: &Value) -> Result<(), Status> {
    let why = match kind {
        KindName::TrustBundle => "the control plane writes it; `selvedge mesh` changes what is trusted",
        KindName::Secret if object.get("type").and_then(Value::as_str) == Some(TYPE_AUTHORITY) => {
            "the control plane keeps the authorities of its meshes in it"
        }
        _ => return Ok(()),
    };
    Err(Status::forbidden(About::new(kind, name_of(object)), why))
}

/// Refuses changes of what a kind keeps for good.
///
/// # Errors
/// 422 with a cause for each.
pub fn keep_for_good(kind: KindName, before: &Value, after: &Value) -> Result<(), Status> {
    let mut causes = Vec::new();
    let mut same = |field: &'static str, why: &str| {
        if before.get(field).unwrap_or(&Value::Null) != after.get(field).unwrap_or(&Value::Null) {
            let message = format!("Invalid value: {why}");
            causes.push(Cause { reason: "FieldValueInvalid", field: field.to_owned(), message });
        }
    };
    match kind {
        KindName::Secret => {
            same("type", "field is immutable");
            if before.get("immutable") == Some(&Value::Bool(true)) {
                ["immutable", "data"].iter().for_each(|field| same(field, IMMUTABLE));
            }
        }
        KindName::ConfigMap => {
            if before.get("immutable") == Some(&Value::Bool(true)) {
                ["immutable", "data", "binaryData"].iter().for_each(|field| same(field, IMMUTABLE));
            }
        }
        KindName::EndpointSlice => same("addressType", "field is immutable"),
        KindName::ApiVersion | KindName::ApiProduct | KindName::Plan => {
            causes.extend(life::check(kind, before, after).into_iter().map(|forbidden| Cause {
                reason: "FieldValueInvalid",
                field: forbidden.field.to_owned(),
                message: format!("Invalid value: {}", forbidden.why),
            }));
        }
        KindName::Namespace
        | KindName::Service
        | KindName::Pod
        | KindName::GatewayClass
        | KindName::Gateway
        | KindName::HttpRoute
        | KindName::TcpRoute
        | KindName::ReferenceGrant
        | KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy
        | KindName::ValidationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy
        | KindName::TelemetryPolicy
        | KindName::AuthorizationPolicy
        | KindName::Backend
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Workload
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::Team
        | KindName::Developer
        | KindName::Application
        | KindName::Subscription
        | KindName::Credential
        | KindName::JoinToken
        | KindName::TrustBundle
        | KindName::Api
        | KindName::ApiRevision
        | KindName::ApiBinding => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(About::new(kind, name_of(after)), &causes)) }
}

const IMMUTABLE: &str = "field is immutable when `immutable` is set";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_data_becomes_data_and_wins_over_it() {
        let mut secret = json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"b": "new", "c": ""}});

        normalise(KindName::Secret, &mut secret);

        assert_eq!(secret, json!({"data": {"a": "eA==", "b": "bmV3", "c": ""}}));
    }

    #[test]
    fn a_namespace_carries_its_name() {
        let mut namespace =
            json!({"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "lie"}}});

        normalise(KindName::Namespace, &mut namespace);

        assert_eq!(namespace["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "shop"}));
    }

    #[test]
    fn what_was_made_immutable_stays() {
        let before =
            json!({"metadata": {"name": "a"}, "type": "Opaque", "immutable": true, "data": {"a": "eA=="}});
        let mut after = before.clone();
        assert_eq!(keep_for_good(KindName::Secret, &before, &after), Ok(()));

        after["data"] = json!({});
        after["immutable"] = json!(false);
        after["type"] = json!("other");
        let status = keep_for_good(KindName::Secret, &before, &after).expect_err("is for good");

        assert_eq!(status.body()["details"]["causes"].as_array().map(Vec::len), Some(3));
        assert_eq!(keep_for_good(KindName::Service, &before, &after), Ok(()));
    }
}
