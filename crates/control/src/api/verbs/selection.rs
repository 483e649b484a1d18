//! Which objects of a kind are meant.

use model::Resource;
use model::kinds::KindName;

use super::Asked;
use crate::objects::selectors::{FieldSelector, LabelSelector};
use crate::objects::status::Status;

/// Which objects of a kind are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    kind: KindName,
    namespace: Option<String>,
    name: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// The selection a request asks for.
    pub fn of(asked: &Asked) -> Result<Selection, Status> {
        let (labels, fields) = (asked.query.text("labelSelector"), asked.query.text("fieldSelector"));
        Ok(Selection {
            kind: asked.kind,
            namespace: asked.namespace.clone(),
            name: asked.name.clone(),
            labels: labels.map(LabelSelector::of).transpose()?.unwrap_or_default(),
            fields: fields.map(|text| FieldSelector::of(asked.kind, text)).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether nothing but a namespace selects.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields == FieldSelector::default() && self.name.is_none()
    }

    /// Whether this object is meant.
    #[must_use]
    pub fn picks(&self, object: &Resource) -> bool {
        self.kind == object.kind_name()
            && self.namespace.as_ref().is_none_or(|namespace| object.namespace() == namespace)
            && self.name.as_ref().is_none_or(|name| object.key.name.as_str() == name)
            && self.labels.matches(&object.meta.labels)
            && self.fields.matches(object)
    }
}
