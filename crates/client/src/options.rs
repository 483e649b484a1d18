//! What can be asked for beside the object itself.

use serde_json::Value;

use crate::address::escape;
use crate::object::Object;

/// Who owns the fields that our `apply` sets, unless another name is given.
pub const FIELD_MANAGER: &str = "selvedge";

/// Which objects of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// By labels, such as `app=shop,tier!=test`.
    pub labels: Option<String>,
    /// By fields, such as `metadata.name=cart`.
    pub fields: Option<String>,
}

/// A whole collection at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The objects, each with its kind.
    pub objects: Vec<Object>,
    /// The revision, for a watch that goes on from it.
    pub resource_version: String,
}

/// How to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Answer with what would be, and change nothing.
    pub dry_run: bool,
}

/// How to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Who owns the fields that are set.
    pub manager: String,
    /// Take over fields that others own.
    pub force: bool,
    /// Answer with what would be, and change nothing.
    pub dry_run: bool,
}

impl Default for ApplyOptions {
    fn default() -> ApplyOptions {
        ApplyOptions { manager: FIELD_MANAGER.to_owned(), force: false, dry_run: false }
    }
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only the object with this `metadata.uid`, not a newer one of the same name.
    pub uid: Option<String>,
    /// Answer with what would be, and change nothing.
    pub dry_run: bool,
}

/// A change to parts of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// JSON Merge Patch (RFC 7396).
    Merge(Value),
    /// JSON Patch (RFC 6902).
    Json(Value),
}

impl Patch {
    pub(crate) fn media_type(&self) -> &'static str {
        match self {
            Patch::Merge(_) => "application/merge-patch+json",
            Patch::Json(_) => "application/json-patch+json",
        }
    }

    pub(crate) fn body(&self) -> &Value {
        match self {
            Patch::Merge(body) | Patch::Json(body) => body,
        }
    }
}

/// A query, in the order in which it was put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Query {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&escape(value));
        }
        self
    }

    pub(crate) fn dry_run(self, dry_run: bool) -> Query {
        self.with("dryRun", dry_run.then_some("All"))
    }

    pub(crate) fn list(options: &ListOptions) -> Query {
        Query::default()
            .with("labelSelector", options.labels.as_deref())
            .with("fieldSelector", options.fields.as_deref())
    }

    pub(crate) fn after(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let options = ListOptions { labels: Some("a=b,c!=d".to_owned()), fields: None };
        assert_eq!(
            Query::list(&options).dry_run(true).after("/x"),
            "/x?labelSelector=a%3Db%2Cc%21%3Dd&dryRun=All"
        );
        assert_eq!(Query::default().after("/x"), "/x");
    }
}
