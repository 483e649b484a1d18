//! What pages tell, read from what the API answers.
//!
//! Objects are read leniently: a field that is missing or of another shape is shown as nothing, because a page that
//! shows the rest helps more than one that shows an error.

pub mod apis;
pub mod catalogue;
pub mod conditions;
pub mod gateways;
pub mod mesh;
pub mod plane;
pub mod products;
pub mod proxies;
pub mod routes;
pub mod servers;
pub mod usage;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::api::{Asking, Trouble};
use conditions::Condition;

/// The paths of what is asked.
pub const GATEWAYS: &str = "/apis/gateway.networking.k8s.io/v1/gateways";
/// Routes.
pub const ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/httproutes";
/// Versions of APIs.
pub const API_VERSIONS: &str = "/apis/product.selvedge.dev/v1alpha1/apiversions";
/// Products.
pub const PRODUCTS: &str = "/apis/product.selvedge.dev/v1alpha1/apiproducts";
/// Plans.
pub const PLANS: &str = "/apis/product.selvedge.dev/v1alpha1/plans";
/// Applications.
pub const APPLICATIONS: &str = "/apis/product.selvedge.dev/v1alpha1/applications";
/// Subscriptions.
pub const SUBSCRIPTIONS: &str = "/apis/product.selvedge.dev/v1alpha1/subscriptions";
/// Credentials.
pub const CREDENTIALS: &str = "/apis/product.selvedge.dev/v1alpha1/credentials";
/// Proxies.
pub const PROXIES: &str = "/apis/status.selvedge.dev/v1alpha1/proxies";
/// The mesh as a picture.
pub const MESHES: &str = "/apis/status.selvedge.dev/v1alpha1/meshpictures";
/// Rates of routes.
pub const TRAFFIC: &str = "/apis/status.selvedge.dev/v1alpha1/routes";
/// The control plane.
pub const PLANE: &str = "/apis/status.selvedge.dev/v1alpha1/controlplanes/this";
/// Other kinds whose conditions are looked at.
pub const JUDGED: [&str; 9] = [
    "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    "/apis/gateway.networking.k8s.io/v1/backendtlspolicies",
    "/apis/policy.selvedge.dev/v1alpha1/authorizationpolicies",
    "/apis/mesh.selvedge.dev/v1alpha1/backends",
    "/apis/policy.selvedge.dev/v1alpha1/resiliencepolicies",
    "/apis/policy.selvedge.dev/v1alpha1/faultpolicies",
    "/apis/policy.selvedge.dev/v1alpha1/telemetrypolicies",
    "/apis/policy.selvedge.dev/v1alpha1/transformpolicies",
    "/apis/policy.selvedge.dev/v1alpha1/ratelimitpolicies",
];

/// The token is nobody's any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// Things of one kind, or why there are none.
#[derive(Clone, Debug)]
pub struct Section<T> {
    /// The things.
    pub items: Vec<T>,
    /// The moment they show; empty when there is none.
    pub revision: String,
    /// Why they are not all here.
    pub lack: Option<Lack>,
}

/// Why not everything is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// This person may not see it.
    Denied,
    /// There is too much.
    Cut,
    /// It could not be had.
    Failed(String),
}

impl<T> Section<T> {
    /// Reads a list.
    ///
    /// # Errors
    /// When nobody is asking any more.
    pub async fn read(
        asking: Asking<'_>,
        path: &str,
        read: impl Fn(&Value) -> T,
    ) -> Result<Section<T>, Unknown> {
        let lack = match asking.list(path).await {
            Ok(listed) => {
                let items = listed.items.iter().map(read).collect();
                let lack = listed.is_cut.then_some(Lack::Cut);
                return Ok(Section { items, revision: listed.revision, lack });
            }
            Err(Trouble::Unknown) => return Err(Unknown),
            Err(Trouble::Denied) => Lack::Denied,
            Err(Trouble::Absent) => Lack::Failed(path.to_owned()),
            Err(Trouble::Failed(why)) => Lack::Failed(why),
        };
        Ok(Section { items: Vec::new(), revision: String::new(), lack: Some(lack) })
    }
}

/// What all kept objects have.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Kind.
    pub kind: String,
    /// Namespace; empty outside of namespaces.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Annotations, but for what tools keep there for themselves.
    pub annotations: Vec<(String, String)>,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

/// Where `kubectl apply` keeps what it sent: as long as the object, and of use to nobody else.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Meta {
    /// Reads them. `kind` is that of the list, whose objects need not say it.
    #[must_use]
    pub fn of(kind: &str, object: &Value) -> Meta {
        let metadata = &object["metadata"];
        let mut annotations = pairs(&metadata["annotations"]);
        annotations.retain(|(name, _)| name != LAST_APPLIED);
        Meta {
            kind: kind.to_owned(),
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            labels: pairs(&metadata["labels"]),
            annotations,
            conditions: conditions::of(object),
        }
    }

    /// `shop/cart`, or the name alone.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.namespace, &self.name)
    }

    /// What is not as one hopes.
    #[must_use]
    pub fn trouble(&self) -> Vec<&Condition> {
        self.conditions.iter().filter(|condition| !condition.is_good()).collect()
    }

    /// How much is not as one hopes.
    #[must_use]
    pub fn problems(&self) -> usize {
        self.trouble().len()
    }

    /// The page about it.
    #[must_use]
    pub fn page(&self) -> String {
        match self.kind.as_str() {
            "Gateway" => page("gateways", &self.namespace, &self.name),
            "APIVersion" => page("apis", &self.namespace, &self.name),
            "APIProduct" => page("products", &self.namespace, &self.name),
            "Application" => page("applications", &self.namespace, &self.name),
            "HTTPRoute" => page("routes", &self.namespace, &self.name),
            _ => String::new(),
        }
    }
}

/// What is escaped in a segment of a path (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address of the page about an object.
#[must_use]
pub fn page(section: &str, namespace: &str, name: &str) -> String {
    let encode = |text| utf8_percent_encode(text, ESCAPED);
    match namespace {
        "" => format!("/console/{section}/{}", encode(name)),
        namespace => format!("/console/{section}/{}/{}", encode(namespace), encode(name)),
    }
}

/// Where the API has an object. A name cannot lead out of its place, whatever it is made of.
#[must_use]
pub fn object(version: &str, plural: &str, namespace: &str, name: &str) -> String {
    let encode = |text| utf8_percent_encode(text, ESCAPED);
    format!("/apis/{version}/namespaces/{}/{plural}/{}", encode(namespace), encode(name))
}

/// Where the API has the objects of one namespace, of those that it has at a path.
#[must_use]
pub fn within(path: &str, namespace: &str) -> String {
    let (group, plural) = path.rsplit_once('/').unwrap_or((path, ""));
    format!("{group}/namespaces/{}/{plural}", utf8_percent_encode(namespace, ESCAPED))
}

/// A segment of a path, whatever it is made of.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn place(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A word as it stands there; of a number its digits.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    list(value).map(text).collect()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}
