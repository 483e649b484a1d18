//! Swaps what answers behind a URL, whole or for some operations.

use client::{Client, Object, Patch, WriteOptions};
use model::kinds::KindName;
use serde_json::{Value, json};

use super::collection;
use crate::exit::{Exit, Failure};
use crate::remote::failure;

/// What is to answer.
#[derive(Clone, Debug)]
pub enum Answering {
    /// We do.
    Mock,
    /// An address: `http://host:port/path`.
    Upstream(Upstream),
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `host:port`.
    pub authority: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// What the paths of operations stand behind; `/` for nothing.
    pub path: String,
}

impl std::str::FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address; write it like http://127.0.0.1:9000/base");
        let url: http::Uri = text.parse().map_err(|_| wrong())?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority =
            url.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        if url.query().is_some() {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = url.path().trim_end_matches('/');
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Upstream { authority: format!("{}:{port}", authority.host()), tls, path })
    }
}

/// Swaps what answers a version.
///
/// # Errors
/// What the control plane refuses; operations that the version does not have.
pub async fn bind(
    client: &Client,
    version: &Object,
    answering: &Answering,
    operations: &[String],
) -> Result<(), Failure> {
    let namespace = version.namespace().unwrap_or_default();
    let target = target(client, version, answering).await?;
    let bindings = collection(KindName::ApiBinding, namespace);
    let listed = client.list(&bindings, &client::ListOptions::default()).await.map_err(failure)?;
    let found = listed.objects.into_iter().find(|object| object.text("/spec/version") == version.name());
    match found {
        Some(binding) => {
            let spec = changed(binding.0.pointer("/spec").cloned().unwrap_or_default(), &target, operations);
            let patch = Patch::Json(json!([{ "op": "replace", "path": "/spec", "value": spec }]));
            client
                .patch(&bindings, binding.name(), &patch, WriteOptions::default())
                .await
                .map_err(failure)?;
        }
        None => {
            let spec = changed(json!({ "version": version.name() }), &target, operations);
            let object = json!({
                "apiVersion": KindName::ApiBinding.api_version(), "kind": "APIBinding",
                "metadata": { "namespace": namespace, "name": version.name() }, "spec": spec,
            });
            client.create(&bindings, &object, WriteOptions::default()).await.map_err(failure)?;
        }
    }
    Ok(())
}

/// The target, and the Backend that it names.
async fn target(client: &Client, version: &Object, answering: &Answering) -> Result<Value, Failure> {
    let Answering::Upstream(upstream) = answering else { return Ok(json!({ "mock": {} })) };
    let namespace = version.namespace().unwrap_or_default();
    let kind = KindName::Backend;
    let name = backend_name(version.name(), upstream);
    let mut spec = json!({ "endpoints": [upstream.authority] });
    if upstream.tls {
        let host = upstream.authority.rsplit_once(':').map_or(upstream.authority.as_str(), |(host, _)| host);
        spec["tls"] = json!({ "hostname": host, "wellKnownCACertificates": "System" });
    }
    let object = json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(),
        "metadata": { "namespace": namespace, "name": name }, "spec": spec,
    });
    let backends = collection(kind, namespace);
    match client.create(&backends, &object, WriteOptions::default()).await {
        Ok(_) => {}
        Err(error) if error.status().is_some_and(client::Status::is_conflict) => {}
        Err(error) => return Err(failure(error)),
    }
    let reference = json!({ "group": kind.group(), "kind": kind.as_str(), "name": name });
    Ok(json!({ "backendRefs": [reference], "path": upstream.path }))
}

/// One Backend for each address, so that going back is only another reference.
fn backend_name(version: &str, upstream: &Upstream) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let address: String = upstream.authority.chars().map(fits).collect();
    format!("{version}-{}{}", address.trim_matches('-'), if upstream.tls { "-tls" } else { "" })
}

/// A binding with another target: for all that is not bound apart, or for some operations.
fn changed(mut spec: Value, target: &Value, operations: &[String]) -> Value {
    if operations.is_empty() {
        spec["default"] = target.clone();
        return spec;
    }
    let mut kept: Vec<Value> = spec["operations"].as_array().cloned().unwrap_or_default();
    for one in &mut kept {
        if let Some(named) = one["operations"].as_array_mut() {
            named.retain(|key| !operations.iter().any(|operation| key == operation.as_str()));
        }
    }
    kept.retain(|one| one["operations"].as_array().is_some_and(|named| !named.is_empty()));
    let mut own = target.clone();
    own["operations"] = operations.into();
    kept.push(own);
    spec["operations"] = kept.into();
    spec
}

/// Operations by the names that people give them: keys, or with the names of parameters.
///
/// # Errors
/// One that the description does not have, with those that it has.
pub fn operations(description: &apis::Description, wanted: &[String]) -> Result<Vec<String>, Failure> {
    let known = |word: &String| {
        let (method, path) = word.trim().split_once(' ').unwrap_or(("", word));
        let key = match apis::Template::parse(path.trim()) {
            Ok(template) => format!("{} {}", method.to_ascii_uppercase(), template.erased()),
            Err(_) => word.trim().to_owned(),
        };
        let keys = || description.operations.iter().map(|operation| operation.key.as_str());
        match keys().find(|found| **found == *key || *found == word.trim()) {
            Some(found) => Ok(found.to_owned()),
            None => {
                let hint = model::suggest::did_you_mean(&key, keys())
                    .unwrap_or_else(|| format!("there are: {}", keys().collect::<Vec<_>>().join(", ")));
                Err(Failure::new(Exit::Missing, format!("there is no operation `{word}`"), hint))
            }
        }
    };
    wanted.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_and_a_path() {
        let read = |text: &str| text.parse::<Upstream>();

        let plain = read("http://127.0.0.1:9000").expect("an address");
        assert_eq!(
            (plain.authority.as_str(), plain.path.as_str(), plain.tls),
            ("127.0.0.1:9000", "/", false)
        );
        let tls = read("https://pets.example/v2/").expect("an address");
        assert_eq!((tls.authority.as_str(), tls.path.as_str(), tls.tls), ("pets.example:443", "/v2", true));
        for text in ["pets", "ftp://a", "http://a?b", "http://kim@a", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_operation_is_bound_once() {
        let mock = json!({ "mock": {} });
        let other = json!({ "backendRefs": [{ "name": "a" }] });
        let spec = changed(json!({ "version": "p" }), &mock, &[]);
        let spec = changed(spec, &other, &["GET /a".to_owned(), "GET /b".to_owned()]);

        let spec = changed(spec, &mock, &["GET /a".to_owned()]);

        assert_eq!(spec["default"], mock);
        assert_eq!(
            spec["operations"],
            json!([
                { "backendRefs": [{ "name": "a" }], "operations": ["GET /b"] },
                { "mock": {}, "operations": ["GET /a"] },
            ])
        );
    }
}
