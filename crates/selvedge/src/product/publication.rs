//! The objects that make an API of a description: pure, so that what a command will write can be shown and tested.

use apis::{Description, Document};
use aws_lc_rs::digest::{SHA256, digest};
use model::kinds::KindName;
use serde_json::{Value, json};

/// Hexadecimal digits of the digest by which a revision is named.
const DIGEST_DIGITS: usize = 10;

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Namespace of all objects.
    pub namespace: String,
    /// Name of the API.
    pub api: String,
    /// What people call the version.
    pub label: String,
    /// `namespace/name` of the Gateway, or its name in the same namespace.
    pub gateway: String,
    /// Name of the document.
    pub file: String,
    /// Its text.
    pub text: String,
    /// What is laid over it.
    pub overlays: Vec<Document>,
    /// What people call the API.
    pub title: String,
    /// How its free plan is had.
    pub free: Free,
}

/// How a free plan is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// By everybody, as often as they like.
    Open,
    /// With a key or an identity of the mesh, within limits.
    Subscribed,
}

impl Publication {
    /// What a description says of itself, as far as nobody says otherwise.
    #[must_use]
    pub fn new(description: &Description, file: &str, text: &str) -> Publication {
        let stem = file.rsplit('/').next().unwrap_or(file);
        let stem = stem.split('.').next().unwrap_or(stem);
        let generic = ["openapi", "swagger", "api", "index", "spec", "description"];
        let said =
            if generic.contains(&stem.to_ascii_lowercase().as_str()) { &description.title } else { stem };
        Publication {
            namespace: "default".to_owned(),
            api: slug(said),
            label: label(&description.version),
            gateway: "selvedge".to_owned(),
            file: file.rsplit('/').next().unwrap_or(file).to_owned(),
            text: text.to_owned(),
            overlays: Vec::new(),
            title: description.title.to_string(),
            free: Free::Open,
        }
    }

    /// Name of the version.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}-{}", self.api, slug(&self.label))
    }

    /// Name of the free plan.
    #[must_use]
    pub fn plan(&self) -> String {
        format!("{}-free", self.api)
    }

    /// Name of the revision: the same texts are the same revision, whoever publishes them and how often.
    #[must_use]
    pub fn revision(&self) -> String {
        let mut texts = self.text.clone();
        for overlay in &self.overlays {
            texts.push('\0'); // which no text has
            texts.push_str(&overlay.text);
        }
        let digest = digest(&SHA256, texts.as_bytes());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}", self.version(), &hex[..DIGEST_DIGITS])
    }

    /// Where it is called, behind the host.
    #[must_use]
    pub fn base(&self) -> String {
        format!("/{}/{}", self.api, self.label)
    }

    /// The objects that are made once and then belong to people, in the order in which they can be made.
    #[must_use]
    pub fn once(&self) -> Vec<(KindName, Value)> {
        let (api, version) = (self.api.as_str(), self.version());
        let mut plan = json!({ "product": api, "version": 1, "state": "Published", "title": "Free" });
        match self.free {
            Free::Open => plan["credentials"] = json!([]),
            Free::Subscribed => {
                plan["credentials"] = json!(["APIKey", "SPIFFE"]);
                plan["rates"] = json!([{ "requests": 50, "per": "1s" }]);
            }
        }
        vec![
            (
                KindName::Api,
                self.object(KindName::Api, api, json!({ "title": self.title, "visibility": "Public" })),
            ),
            (
                KindName::ApiBinding,
                self.object(
                    KindName::ApiBinding,
                    &version,
                    json!({ "version": version, "default": { "mock": {} } }),
                ),
            ),
            (
                KindName::ApiProduct,
                self.object(
                    KindName::ApiProduct,
                    api,
                    json!({
                        "title": self.title, "state": "Published", "apis": [{ "version": version }],
                    }),
                ),
            ),
            (KindName::Plan, self.object(KindName::Plan, &self.plan(), plan)),
        ]
    }

    /// The revision.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut spec = json!({
            "api": self.api, "version": self.version(),
            "documents": [{ "name": self.file, "content": self.text }],
        });
        if !self.overlays.is_empty() {
            let overlay = |one: &Document| json!({ "name": &*one.name, "content": &*one.text });
            spec["overlays"] = self.overlays.iter().map(overlay).collect();
        }
        self.object(KindName::ApiRevision, &self.revision(), spec)
    }

    /// The version, when there is none yet.
    #[must_use]
    pub fn first_version(&self) -> Value {
        let (namespace, gateway) =
            self.gateway.split_once('/').map_or((None, self.gateway.as_str()), |(one, two)| (Some(one), two));
        let mut parent = json!({ "name": gateway });
        if let Some(namespace) = namespace {
            parent["namespace"] = namespace.into();
        }
        self.object(
            KindName::ApiVersion,
            &self.version(),
            json!({
                "api": self.api, "label": self.label, "state": "Published", "revision": self.revision(),
                "basePath": format!("/{}", self.api), "selector": { "path": format!("/{}", self.label) },
                "parentRefs": [parent],
            }),
        )
    }

    fn object(&self, kind: KindName, name: &str, spec: Value) -> Value {
        json!({
            "apiVersion": kind.api_version(), "kind": kind.as_str(),
            "metadata": { "namespace": self.namespace, "name": name }, "spec": spec,
        })
    }
}

/// `v1` of `1.2.3`, `2024-01-01` of itself.
fn label(version: &str) -> String {
    let major = version.trim().trim_start_matches(['v', 'V']).split('.').next().unwrap_or_default();
    if !major.is_empty() && major.len() <= 4 && major.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("v{major}");
    }
    let kept: String = version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let kept = kept.trim_matches('-');
    if kept.is_empty() { "v1".to_owned() } else { kept.chars().take(32).collect() }
}

/// A name out of what people wrote: one label of a DNS name.
fn slug(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name: String = name.chars().take(40).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "api".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_people_wrote() {
        assert_eq!(slug("Swagger Petstore (2)"), "swagger-petstore-2");
        assert_eq!(slug("\u{5ba0}\u{7269}"), "api");
        assert_eq!(label("1.0.7"), "v1");
        assert_eq!(label("v2"), "v2");
        assert_eq!(label("2024-01-01"), "2024-01-01");
        assert_eq!(label(""), "v1");
    }
}
