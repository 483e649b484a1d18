//! A `curl` line for somebody who has just got a key: which address a product is served at.
//!
//! It is read from the objects, as far as this user may see them. What cannot be told is left out rather than guessed:
//! a line that does not work is worse than none.

use client::{Client, Collection, Object};
use model::kinds::KindName;
use serde_json::Value;

use crate::commands::api::described;
use crate::product::sample::sample;

/// Where a product answers: `http://HOST:PORT/base`, and the host to name when that is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The URL.
    pub url: String,
    /// The host of the API, where the URL has an address instead.
    pub host: Option<String>,
}

impl Served {
    /// The line.
    pub fn line(&self, key: &str) -> String {
        let host = self.host.as_ref().map(|host| format!(" -H 'host: {host}'")).unwrap_or_default();
        format!("curl -H 'x-api-key: {key}'{host} {}", self.url)
    }
}

/// Where a product is served, if that can be told: at an operation of its first version that can be read as it stands.
pub async fn served(client: &Client, namespace: &str, product: &str) -> Option<Served> {
    let product = client.get(&Collection::within(KindName::ApiProduct, namespace), product).await.ok()?;
    let part = product.0.pointer("/spec/apis/0")?;
    let versions = Collection::within(KindName::ApiVersion, namespace);
    let version = client.get(&versions, part.get("version")?.as_str()?).await.ok()?;
    let parent = version.0.pointer("/spec/parentRefs/0")?;
    let place = parent.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
    let gateways = Collection::within(KindName::Gateway, place);
    let gateway = client.get(&gateways, parent.get("name")?.as_str()?).await.ok()?;
    let description = described(client, namespace, Some(version.text("/spec/revision"))).await.ok()??;
    let listed = part.get("operations").and_then(Value::as_array);
    let path = sample(&description, |key| listed.is_none_or(|listed| listed.iter().any(|one| one == key)))?;
    served_by(&version, &gateway, &path)
}

fn served_by(version: &Object, gateway: &Object, path: &str) -> Option<Served> {
    let listener = gateway.0.pointer("/spec/listeners/0")?;
    let scheme = if listener.get("protocol")?.as_str()? == "HTTPS" { "https" } else { "http" };
    let port = listener.get("port")?.as_u64()?;
    let address = gateway.0.pointer("/status/addresses/0/value").and_then(Value::as_str)?;
    let api = version.text("/spec/api");
    let base = version.0.pointer("/spec/basePath").and_then(Value::as_str);
    let base = base.map_or_else(|| format!("/{api}"), str::to_owned);
    let selector = version.0.pointer("/spec/selector/path").and_then(Value::as_str).unwrap_or_default();
    let host = version.0.pointer("/spec/hostnames/0").and_then(Value::as_str);
    let path = format!("{}{selector}{path}", base.trim_end_matches('/'));
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    Some(Served { url: format!("{scheme}://{address}:{port}{path}"), host: host.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_line_names_address_port_path_and_host() {
        let version = Object(json!({ "spec": {
            "api": "petstore", "hostnames": ["petstore.example"], "selector": { "path": "/v1" },
        }}));
        let gateway = Object(json!({
            "spec": { "listeners": [{ "protocol": "HTTP", "port": 8080 }] },
            "status": { "addresses": [{ "value": "127.0.0.1" }] },
        }));

        let served = served_by(&version, &gateway, "/pets").expect("all is there");

        assert_eq!(
            served.line("sk_live_x"),
            "curl -H 'x-api-key: sk_live_x' -H 'host: petstore.example' http://127.0.0.1:8080/petstore/v1/pets"
        );
    }
}
