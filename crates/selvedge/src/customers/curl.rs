//! A `curl` line for somebody who has just got a key: which address a product is served at.
//!
//! It is read from the objects, as far as this user may see them. What cannot be told is left out rather than guessed:
//! a line that does not work is worse than none.

use client::{Client, Collection, Object};
use model::kinds::KindName;
use serde_json::Value;

use crate::commands::api::described;
use crate::product::sample::sample;
use crate::shell::{host_of, quoted, reachable};

/// A request that a product answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The URL.
    url: String,
    /// Where the host of the URL is found, `HOST:PORT:ADDRESS`, when names do not lead there yet.
    resolve: Option<String>,
    /// Fields to send with it.
    fields: Vec<String>,
}

impl Served {
    /// The line.
    pub fn line(&self, key: &str) -> String {
        let mut line = format!("curl -H {}", quoted(&format!("x-api-key: {key}")));
        for field in &self.fields {
            line.push_str(&format!(" -H {}", quoted(field)));
        }
        if let Some(resolve) = &self.resolve {
            line.push_str(&format!(" --resolve {}", quoted(resolve)));
        }
        format!("{line} {}", quoted(&self.url))
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
    let listener = listener(version, gateway)?;
    let port = listener.get("port")?.as_u64()?;
    let address = gateway.0.pointer("/status/addresses/0/value").and_then(Value::as_str)?;
    // A name is called as it is; an address as one that answers here.
    let address = address.parse().map_or_else(|_| address.to_owned(), |ip| host_of(reachable(ip)));
    let host = version.0.pointer("/spec/hostnames/0").or_else(|| listener.get("hostname"));
    let host = host.and_then(Value::as_str).map(|host| host.replace('*', "any"));
    let path = format!("{}{}", base(version), path);
    let mut served = Served { url: String::new(), resolve: None, fields: Vec::new() };
    match (listener.get("protocol")?.as_str()?, host) {
        ("HTTP", host) => {
            served.url = format!("http://{address}:{port}{path}");
            served.fields.extend(host.map(|host| format!("host: {host}")));
        }
        // The certificate is for the name, so the name is what is called.
        ("HTTPS", Some(host)) => {
            served.url = format!("https://{host}:{port}{path}");
            served.resolve = Some(format!("{host}:{port}:{address}"));
        }
        _ => return None,
    }
    select(version, &mut served);
    Some(served)
}

/// The listener that the version names, or the first that speaks HTTP; one in cleartext before others.
fn listener<'a>(version: &Object, gateway: &'a Object) -> Option<&'a Value> {
    let parent = version.0.pointer("/spec/parentRefs/0")?;
    let named = |listener: &&Value| {
        parent.get("sectionName").is_none_or(|name| listener.get("name") == Some(name))
            && parent.get("port").is_none_or(|port| listener.get("port") == Some(port))
    };
    let listeners = gateway.0.pointer("/spec/listeners")?.as_array()?;
    let speaking = |protocol: &'static str| {
        listeners
            .iter()
            .filter(named)
            .find(move |listener| listener.get("protocol").and_then(Value::as_str) == Some(protocol))
    };
    speaking("HTTP").or_else(|| speaking("HTTPS"))
}

/// The path below which the operations of a version hang.
fn base(version: &Object) -> String {
    let written = version.0.pointer("/spec/basePath").and_then(Value::as_str);
    let base = written.map_or_else(|| format!("/{}", version.text("/spec/api")), str::to_owned);
    let selector = version.text("/spec/selector/path");
    format!("{}{selector}", base.trim_end_matches('/'))
}

/// What tells requests for this version from those for others, where its path does not.
fn select(version: &Object, served: &mut Served) {
    let text = |pointer: &str| version.text(pointer);
    if !text("/spec/selector/header/name").is_empty() {
        let field = (text("/spec/selector/header/name"), text("/spec/selector/header/value"));
        served.fields.push(format!("{}: {}", field.0, field.1));
    }
    if !text("/spec/selector/mediaType").is_empty() {
        served.fields.push(format!("accept: {}", text("/spec/selector/mediaType")));
    }
    if !text("/spec/selector/query/name").is_empty() {
        let mark = if served.url.contains('?') { '&' } else { '?' };
        let (name, value) = (text("/spec/selector/query/name"), text("/spec/selector/query/value"));
        served.url.push_str(&format!("{mark}{name}={value}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(spec: Value, listeners: Value, address: &str) -> Option<String> {
        let mut version = json!({ "spec": { "api": "petstore", "parentRefs": [{ "name": "edge" }] } });
        if let (Value::Object(whole), Value::Object(spec)) = (&mut version["spec"], spec) {
            whole.extend(spec);
        }
        let gateway = json!({
            "spec": { "listeners": listeners }, "status": { "addresses": [{ "value": address }] },
        });
        served_by(&Object(version), &Object(gateway), "/pets").map(|served| served.line("sk_live_x"))
    }

    fn http() -> Value {
        json!([{ "name": "http", "protocol": "HTTP", "port": 8080 }])
    }

    #[test]
    fn the_line_names_address_port_path_and_host() {
        let spec = json!({ "hostnames": ["petstore.example"], "selector": { "path": "/v1" } });

        assert_eq!(
            line(spec, http(), "127.0.0.1").as_deref(),
            Some(
                "curl -H 'x-api-key: sk_live_x' -H 'host: petstore.example' http://127.0.0.1:8080/petstore/v1/pets"
            )
        );
    }

    #[test]
    fn what_listens_everywhere_is_called_here() {
        for (address, host) in [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("edge.example", "edge.example")] {
            let line = line(json!({}), http(), address).expect("all is there");
            // A shell would take the brackets of an IPv6 address for a pattern.
            let url = quoted(&format!("http://{host}:8080/petstore/pets"));
            assert!(line.ends_with(&format!(" {url}")), "{line}");
        }
    }

    #[test]
    fn the_listener_is_the_one_that_is_named_and_speaks_http() {
        let listeners = || {
            json!([
                { "name": "db", "protocol": "TCP", "port": 5432 },
                { "name": "tls", "protocol": "HTTPS", "port": 8443, "hostname": "*.shop.example" },
                { "name": "http", "protocol": "HTTP", "port": 8080 },
            ])
        };
        let named = |name: &str| json!({ "parentRefs": [{ "name": "edge", "sectionName": name }] });

        let plain = line(json!({}), listeners(), "10.0.0.7").expect("it speaks HTTP");
        assert!(plain.ends_with(" http://10.0.0.7:8080/petstore/pets"), "{plain}");
        let tls = line(named("tls"), listeners(), "10.0.0.7").expect("it speaks HTTP");
        assert!(
            tls.ends_with(
                " --resolve any.shop.example:8443:10.0.0.7 https://any.shop.example:8443/petstore/pets"
            ),
            "{tls}"
        );
        assert_eq!(line(named("db"), listeners(), "10.0.0.7"), None);
    }

    #[test]
    fn a_version_that_is_chosen_by_something_else_than_its_path_is_chosen() {
        let header = json!({ "selector": { "header": { "name": "x-version", "value": "2" } } });
        assert!(line(header, http(), "127.0.0.1").expect("a line").contains(" -H 'x-version: 2' "));
        let query = json!({ "selector": { "query": { "name": "v", "value": "2" } } });
        assert!(line(query, http(), "127.0.0.1").expect("a line").ends_with("/petstore/pets?v=2'"));
        let media = json!({ "selector": { "mediaType": "application/vnd.pets.v2+json" } });
        let line = line(media, http(), "127.0.0.1").expect("a line");
        assert!(line.contains(" -H 'accept: application/vnd.pets.v2+json' "), "{line}");
    }
}
