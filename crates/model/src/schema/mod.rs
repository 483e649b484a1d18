//! Structural schemas: what an object of a kind may look like, and what it looks like when nothing else was said.
//!
//! The rules of the Gateway API are published as schemas, so they are *run* rather than retold: the files in
//! `schemas/` are those of the API (made by `generate.py`) and, in the same language, ours for the core kinds and
//! our own. What this reader of schemas does not understand stops it: a keyword that is silently skipped is a
//! rule that is silently not kept. A schema is compiled once per process; its patterns and rules, which take most of
//! the room, when a value first meets them.

mod check;
mod compile;
mod fill;
mod format;
mod place;
mod prune;
mod rules;
mod transition;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regex::Regex;
use serde_json::{Number, Value};

pub use check::{Fault, Finding};
pub use place::{Merging, PatchStrategy, Place};
pub use prune::prune;
pub use rules::Judge;
pub use transition::check_change;
pub use words::{cut, quoted};

use crate::kinds::KindName;
use crate::path::{FieldPath, Step};
use crate::resource::Lines;
use format::Format;
use rules::Rule;

/// What one place of an object may hold.
#[derive(Debug)]
pub struct Schema {
    shape: Shape,
    default: Option<Value>,
    bounds: Bounds,
    rules: Vec<Rule>,
    /// Rules about a change.
    transitions: Vec<Rule>,
    patch: PatchStrategy,
    one_of: Vec<Schema>,
    any_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

#[derive(Debug)]
enum Shape {
    Object(ObjectShape),
    List(ListShape),
    Text,
    Integer,
    Number,
    Boolean,
    IntOrText,
    Any,
}

#[derive(Debug, Default)]
struct ObjectShape {
    fields: Fields,
    required: Vec<Arc<str>>,
    /// Schema of the values of keys that are no fields; makes the object a map.
    values: Option<Box<Schema>>,
    /// Pattern of the keys of a map.
    keys: Option<Arc<Pattern>>,
    /// Whether unknown fields are let through.
    open: bool,
    size_max: Option<usize>,
    /// Whether it has one owner as a whole.
    atomic: bool,
}

/// Schemas by name, sorted. Objects have few fields and schemas are large, so room is taken for no more than there are.
#[derive(Debug, Default)]
struct Fields(Box<[(Arc<str>, Schema)]>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Schema> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Schema)> {
        self.0.iter().map(|(name, schema)| (name, schema))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl FromIterator<(Arc<str>, Schema)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Schema)>>(fields: I) -> Self {
        let mut fields: Box<[_]> = fields.into_iter().collect();
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        Fields(fields)
    }
}

#[derive(Debug)]
struct ListShape {
    items: Box<Schema>,
    size_min: usize,
    size_max: Option<usize>,
    unique: Unique,
    /// Fields that no two elements may have alike.
    distinct: Vec<String>,
    /// Whether what is told apart for merging may stand there twice.
    duplicates: bool,
}

/// What may not occur twice in a list.
#[derive(Debug)]
enum Unique {
    Nothing,
    Elements,
    Fields(Vec<String>),
}

/// Bounds of a single value.
#[derive(Debug, Default)]
struct Bounds {
    choices: Vec<Value>,
    pattern: Option<Arc<Pattern>>,
    format: Option<Format>,
    length_min: usize,
    length_max: Option<usize>,
    minimum: Option<Number>,
    maximum: Option<Number>,
}

/// An expression that text must match.
#[derive(Debug)]
struct Pattern {
    text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    fn new(text: String) -> Self {
        Pattern { text, regex: OnceLock::new() }
    }

    /// # Panics
    /// When it is no expression, which a test shows that compiles all of them.
    fn is_match(&self, text: &str) -> bool {
        let compiled =
            || Regex::new(&self.text).unwrap_or_else(|fault| panic!("pattern {}: {fault}", self.text));
        self.regex.get_or_init(compiled).is_match(text)
    }
}

impl Schema {
    /// Fills in defaults and drops fields that were written without a value, in the tree and its lines alike.
    pub fn fill(&self, value: &mut Value, lines: &mut Lines) {
        fill::fill(self, value, lines);
    }

    /// Everything that is wrong with a tree whose defaults are filled in.
    #[must_use]
    pub fn check(&self, at: FieldPath, value: &Value, judge: &Judge) -> Vec<Finding> {
        check::check(self, at, value, judge)
    }

    /// Everything that is wrong with a whole object, `metadata` aside, which has a schema of its own.
    #[must_use]
    pub fn check_object(&self, object: &Value, judge: &Judge) -> Vec<Finding> {
        check::check_object(self, object, judge)
    }

    /// The schema of a field, for messages and for tools that describe kinds.
    #[must_use]
    pub fn at(&self, path: &FieldPath) -> Option<&Schema> {
        path.steps().iter().try_fold(self, |schema, step| match (&schema.shape, step) {
            (Shape::Object(object), Step::Field(name)) => {
                object.fields.get(name).or(object.values.as_deref())
            }
            (Shape::List(list), Step::Index(_)) => Some(&*list.items),
            (
                Shape::Object(_)
                | Shape::List(_)
                | Shape::Text
                | Shape::Integer
                | Shape::Number
                | Shape::Boolean
                | Shape::IntOrText
                | Shape::Any,
                _,
            ) => None,
        })
    }

    /// Names of the fields an object of this schema may have, sorted.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let fields = if let Shape::Object(object) = &self.shape { Some(&object.fields) } else { None };
        fields.into_iter().flat_map(Fields::names)
    }
}

/// The schema of a kind: everything but `apiVersion`, `kind`, `metadata` and, for most kinds, `status`.
#[must_use]
pub fn of(kind: KindName) -> &'static Schema {
    static SCHEMAS: OnceLock<BTreeMap<KindName, OnceLock<Schema>>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| KindName::ALL.iter().map(|kind| (*kind, OnceLock::new())).collect());
    schemas[&kind].get_or_init(|| compile::compile(kind.as_str(), text_of(kind)))
}

/// The schema of `metadata`, the same for all kinds.
#[must_use]
pub fn metadata() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| compile::compile("metadata", METADATA))
}

/// The schema of `status` where a kind has one that is written apart from the rest, by controllers.
#[must_use]
pub fn status(kind: KindName) -> Option<&'static Schema> {
    static SCHEMAS: OnceLock<BTreeMap<KindName, OnceLock<Schema>>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| KindName::ALL.iter().map(|kind| (*kind, OnceLock::new())).collect());
    let text = status_text_of(kind)?;
    Some(schemas[&kind].get_or_init(|| compile::compile(kind.as_str(), text)))
}

const METADATA: &str = include_str!("../../schemas/metadata.json");

/// The schema file of a kind.
#[must_use]
pub fn text_of(kind: KindName) -> &'static str {
    match kind {
        KindName::Namespace => include_str!("../../schemas/namespace.json"),
        KindName::Secret => include_str!("../../schemas/secret.json"),
        KindName::ConfigMap => include_str!("../../schemas/configmap.json"),
        KindName::Service => include_str!("../../schemas/service.json"),
        KindName::Pod => include_str!("../../schemas/pod.json"),
        KindName::EndpointSlice => include_str!("../../schemas/endpointslice.json"),
        KindName::GatewayClass => include_str!("../../schemas/gatewayclass.json"),
        KindName::Gateway => include_str!("../../schemas/gateway.json"),
        KindName::HttpRoute => include_str!("../../schemas/httproute.json"),
        KindName::TcpRoute => include_str!("../../schemas/tcproute.json"),
        KindName::ReferenceGrant => include_str!("../../schemas/referencegrant.json"),
        KindName::BackendTlsPolicy => include_str!("../../schemas/backendtlspolicy.json"),
        KindName::Backend => include_str!("../../schemas/backend.json"),
        KindName::GatewayParameters => include_str!("../../schemas/gatewayparameters.json"),
        KindName::ResiliencePolicy => include_str!("../../schemas/resiliencepolicy.json"),
        KindName::FaultPolicy => include_str!("../../schemas/faultpolicy.json"),
        KindName::TransformPolicy => include_str!("../../schemas/transformpolicy.json"),
        KindName::RateLimitPolicy => include_str!("../../schemas/ratelimitpolicy.json"),
        KindName::IpPolicy => include_str!("../../schemas/ippolicy.json"),
        KindName::CorsPolicy => include_str!("../../schemas/corspolicy.json"),
        KindName::ValidationPolicy => include_str!("../../schemas/validationpolicy.json"),
        KindName::AuthenticationPolicy => include_str!("../../schemas/authenticationpolicy.json"),
        KindName::ExternalAuthorizationPolicy => {
            include_str!("../../schemas/externalauthorizationpolicy.json")
        }
        KindName::TelemetryPolicy => include_str!("../../schemas/telemetrypolicy.json"),
        KindName::AuthorizationPolicy => include_str!("../../schemas/authorizationpolicy.json"),
        KindName::Mesh => include_str!("../../schemas/mesh.json"),
        KindName::Workload => include_str!("../../schemas/workload.json"),
        KindName::Role => include_str!("../../schemas/role.json"),
        KindName::RoleBinding => include_str!("../../schemas/rolebinding.json"),
        KindName::ClusterRole => include_str!("../../schemas/clusterrole.json"),
        KindName::ClusterRoleBinding => include_str!("../../schemas/clusterrolebinding.json"),
        KindName::AccessToken => include_str!("../../schemas/accesstoken.json"),
        KindName::JoinToken => include_str!("../../schemas/jointoken.json"),
        KindName::TrustBundle => include_str!("../../schemas/trustbundle.json"),
        KindName::Api => include_str!("../../schemas/api.json"),
        KindName::ApiVersion => include_str!("../../schemas/apiversion.json"),
        KindName::ApiRevision => include_str!("../../schemas/apirevision.json"),
        KindName::ApiBinding => include_str!("../../schemas/apibinding.json"),
        KindName::ApiProduct => include_str!("../../schemas/apiproduct.json"),
        KindName::Plan => include_str!("../../schemas/plan.json"),
        KindName::Team => include_str!("../../schemas/team.json"),
        KindName::Developer => include_str!("../../schemas/developer.json"),
        KindName::Application => include_str!("../../schemas/application.json"),
        KindName::Subscription => include_str!("../../schemas/subscription.json"),
        KindName::Credential => include_str!("../../schemas/credential.json"),
    }
}

/// The schema file of `metadata`.
#[must_use]
pub fn metadata_text() -> &'static str {
    METADATA
}

/// The schema file of the `status` of a kind; `None` for kinds without the status subresource.
#[must_use]
pub fn status_text_of(kind: KindName) -> Option<&'static str> {
    match kind {
        KindName::Namespace => Some(include_str!("../../schemas/namespace.status.json")),
        KindName::Service => Some(include_str!("../../schemas/service.status.json")),
        KindName::Pod => Some(include_str!("../../schemas/pod.status.json")),
        KindName::GatewayClass => Some(include_str!("../../schemas/gatewayclass.status.json")),
        KindName::Gateway => Some(include_str!("../../schemas/gateway.status.json")),
        KindName::HttpRoute => Some(include_str!("../../schemas/httproute.status.json")),
        KindName::TcpRoute => Some(include_str!("../../schemas/tcproute.status.json")),
        // The shape of every policy's status (GEP-713).
        KindName::BackendTlsPolicy
        | KindName::ResiliencePolicy
        | KindName::FaultPolicy
        | KindName::TelemetryPolicy
        | KindName::TransformPolicy
        | KindName::RateLimitPolicy
        | KindName::IpPolicy
        | KindName::CorsPolicy => Some(include_str!("../../schemas/backendtlspolicy.status.json")),
        KindName::ValidationPolicy => Some(include_str!("../../schemas/backendtlspolicy.status.json")),
        KindName::AuthorizationPolicy
        | KindName::AuthenticationPolicy
        | KindName::ExternalAuthorizationPolicy => {
            Some(include_str!("../../schemas/authorizationpolicy.status.json"))
        }
        KindName::Backend => Some(include_str!("../../schemas/backend.status.json")),
        KindName::JoinToken => Some(include_str!("../../schemas/jointoken.status.json")),
        KindName::TrustBundle => Some(include_str!("../../schemas/trustbundle.status.json")),
        KindName::Workload => Some(include_str!("../../schemas/workload.status.json")),
        // A version hangs at Gateways as a route does, and is told the same.
        KindName::ApiVersion => Some(include_str!("../../schemas/httproute.status.json")),
        KindName::ApiRevision | KindName::ApiBinding | KindName::ApiProduct | KindName::Plan => {
            Some(include_str!("../../schemas/backend.status.json"))
        }
        KindName::Team | KindName::Developer => Some(include_str!("../../schemas/membership.status.json")),
        KindName::Application => Some(include_str!("../../schemas/application.status.json")),
        KindName::Subscription => Some(include_str!("../../schemas/subscription.status.json")),
        KindName::Credential => Some(include_str!("../../schemas/credential.status.json")),
        KindName::Secret
        | KindName::ConfigMap
        | KindName::EndpointSlice
        | KindName::ReferenceGrant
        | KindName::GatewayParameters
        | KindName::Mesh
        | KindName::Role
        | KindName::ClusterRole
        | KindName::RoleBinding
        | KindName::ClusterRoleBinding
        | KindName::AccessToken
        | KindName::Api => None,
    }
}
