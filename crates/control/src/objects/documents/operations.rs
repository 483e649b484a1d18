//! What can be done with each kind, and under which path: one list for both versions of OpenAPI.

use model::kinds::{KindName, Scope};
use model::schema;
use serde_json::{Value, json};

use super::names::{GroupVersion, is_built_in};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET of many.
    List,
    /// POST.
    Create,
    /// DELETE of many.
    DeleteCollection,
    /// GET of one.
    Get,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
    /// DELETE of one.
    Delete,
}

/// A path of a kind.
#[derive(Clone, Debug)]
pub struct Path {
    /// The kind.
    pub kind: KindName,
    /// The version.
    pub version: &'static str,
    /// The path, with `{namespace}` and `{name}`.
    pub text: String,
    /// What can be done there.
    pub actions: &'static [Action],
    /// What is behind the kind in names of operations: `Status`, `ForAllNamespaces`.
    pub suffix: &'static str,
    /// Whether `{namespace}` is in it.
    pub in_namespace: bool,
    /// Whether `{name}` is in it.
    pub of_one: bool,
}

const MANY: &[Action] = &[Action::List, Action::Create, Action::DeleteCollection];
const ONE: &[Action] = &[Action::Get, Action::Replace, Action::Patch, Action::Delete];
const STATUS: &[Action] = &[Action::Get, Action::Replace, Action::Patch];

/// All paths of a group version.
pub fn paths(of: GroupVersion) -> Vec<Path> {
    of.kinds().flat_map(|kind| of_kind(of, kind)).collect()
}

fn of_kind(of: GroupVersion, kind: KindName) -> Vec<Path> {
    let (root, plural) = (of.path(), kind.plural());
    let in_namespace = kind.scope() == Scope::Namespaced;
    let home = if in_namespace {
        format!("/{root}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("/{root}/{plural}")
    };
    let path = |text: String, actions, suffix, of_one| Path {
        kind,
        version: of.version,
        text,
        actions,
        suffix,
        in_namespace,
        of_one,
    };
    let mut paths =
        vec![path(home.clone(), MANY, "", false), path(format!("{home}/{{name}}"), ONE, "", true)];
    if schema::status(kind).is_some() {
        paths.push(path(format!("{home}/{{name}}/status"), STATUS, "Status", true));
    }
    if in_namespace {
        let everywhere = path(format!("/{root}/{plural}"), &[Action::List], "ForAllNamespaces", false);
        paths.push(Path { in_namespace: false, ..everywhere });
    }
    paths
}

impl Path {
    /// A name that no other operation of a document has: `listGatewayNetworkingV1NamespacedGateway`.
    pub fn operation_id(&self, action: Action) -> String {
        let group = match self.kind.group() {
            "" => "Core".to_owned(),
            group => {
                let words = group.split('.').filter(|word| !matches!(*word, "k8s" | "io" | "dev"));
                words.map(capital).collect()
            }
        };
        let namespaced = if self.in_namespace { "Namespaced" } else { "" };
        format!("{}{group}{}{namespaced}{}{}", action.verb(), capital(self.version), self.kind, self.suffix)
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

impl Action {
    /// The method, in lower case as documents write it.
    pub fn method(self) -> &'static str {
        match self {
            Action::List | Action::Get => "get",
            Action::Create => "post",
            Action::Replace => "put",
            Action::Patch => "patch",
            Action::Delete | Action::DeleteCollection => "delete",
        }
    }

    /// The word for it in names of operations.
    pub fn verb(self) -> &'static str {
        match self {
            Action::List => "list",
            Action::Create => "create",
            Action::DeleteCollection => "deleteCollection",
            Action::Get => "read",
            Action::Replace => "replace",
            Action::Patch => "patch",
            Action::Delete => "delete",
        }
    }

    /// `x-kubernetes-action`.
    pub fn name(self) -> &'static str {
        match self {
            Action::List => "list",
            Action::Create => "post",
            Action::DeleteCollection => "deletecollection",
            Action::Get => "get",
            Action::Replace => "put",
            Action::Patch => "patch",
            Action::Delete => "delete",
        }
    }

    /// Codes with which it succeeds.
    pub fn codes(self) -> &'static [&'static str] {
        match self {
            Action::List | Action::Get | Action::DeleteCollection => &["200"],
            Action::Create => &["201"],
            Action::Replace => &["200"],
            Action::Patch => &["200", "201"],
            Action::Delete => &["200"],
        }
    }

    /// Query parameters: name, type, what for.
    pub fn parameters(self) -> Vec<Parameter> {
        let picking = || [LABEL_SELECTOR, FIELD_SELECTOR, LIMIT, CONTINUE].into_iter();
        let writing = || [PRETTY, DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION].into_iter();
        let deleting = || [PRETTY, DRY_RUN, GRACE_PERIOD, ORPHAN, PROPAGATION].into_iter();
        match self {
            Action::Get => vec![PRETTY],
            Action::List => {
                let watching = [ALLOW_BOOKMARKS, VERSION, VERSION_MATCH, SEND_INITIAL, TIMEOUT, WATCH];
                std::iter::once(PRETTY).chain(picking()).chain(watching).collect()
            }
            Action::Create | Action::Replace => writing().collect(),
            Action::Patch => writing().chain([FORCE]).collect(),
            Action::Delete => deleting().collect(),
            Action::DeleteCollection => deleting().chain(picking()).collect(),
        }
    }
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// Type of its value.
    pub of: &'static str,
    /// What it is for.
    pub words: &'static str,
}

const fn parameter(name: &'static str, of: &'static str, words: &'static str) -> Parameter {
    Parameter { name, of, words }
}

#[rustfmt::skip] // the table is the point
mod table {
    use super::{Parameter, parameter};

    pub const PRETTY: Parameter = parameter("pretty", "string", "Whether the answer is laid out for people.");
    pub const DRY_RUN: Parameter = parameter("dryRun", "string", "`All`: judge the request and write nothing.");
    pub const FIELD_MANAGER: Parameter = parameter("fieldManager", "string", "Who owns the fields that are written.");
    pub const FIELD_VALIDATION: Parameter = parameter("fieldValidation", "string", "What happens to unknown fields: `Ignore`, `Warn` or `Strict`.");
    pub const FORCE: Parameter = parameter("force", "boolean", "Whether applying takes over the fields of others.");
    pub const GRACE_PERIOD: Parameter = parameter("gracePeriodSeconds", "integer", "Taken and without effect: nothing here runs.");
    pub const ORPHAN: Parameter = parameter("orphanDependents", "boolean", "Whether what the object owns stays.");
    pub const PROPAGATION: Parameter = parameter("propagationPolicy", "string", "What becomes of what the object owns: `Orphan`, `Background` or `Foreground`.");
    pub const LABEL_SELECTOR: Parameter = parameter("labelSelector", "string", "Only objects with such labels.");
    pub const FIELD_SELECTOR: Parameter = parameter("fieldSelector", "string", "Only objects with such fields.");
    pub const LIMIT: Parameter = parameter("limit", "integer", "At most so many objects at once.");
    pub const CONTINUE: Parameter = parameter("continue", "string", "Where the list before this one ended.");
    pub const ALLOW_BOOKMARKS: Parameter = parameter("allowWatchBookmarks", "boolean", "Whether a watch may tell versions without a change.");
    pub const VERSION: Parameter = parameter("resourceVersion", "string", "The version to list or to watch from.");
    pub const VERSION_MATCH: Parameter = parameter("resourceVersionMatch", "string", "How the version is meant: `Exact` or `NotOlderThan`.");
    pub const SEND_INITIAL: Parameter = parameter("sendInitialEvents", "boolean", "Whether a watch begins with all objects.");
    pub const TIMEOUT: Parameter = parameter("timeoutSeconds", "integer", "When a watch ends.");
    pub const WATCH: Parameter = parameter("watch", "boolean", "Whether changes are to follow.");
}
use table::*;

/// Parameters that are no words. What they are sent with is looked at wherever they stand, also where they do nothing:
/// a slip must not be taken for a wish.
pub const TYPED: [Parameter; 8] =
    [FORCE, GRACE_PERIOD, ORPHAN, LIMIT, ALLOW_BOOKMARKS, SEND_INITIAL, TIMEOUT, WATCH];

impl Parameter {
    /// Its schema.
    pub fn schema(self) -> Value {
        match self.of {
            "integer" => json!({"type": "integer", "minimum": 0}),
            of => json!({"type": of}),
        }
    }
}

/// Media types of the patches of a kind.
pub fn patch_types(kind: KindName) -> Vec<&'static str> {
    use crate::objects::media::{APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH};
    let strategic = is_built_in(kind).then_some(STRATEGIC_MERGE_PATCH);
    [APPLY_PATCH, JSON_PATCH, MERGE_PATCH].into_iter().chain(strategic).collect()
}
