//! Which objects of a kind are meant.

use model::Resource;

use super::Asked;
use crate::objects::status::Status;

/// Which objects of a kind are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    namespace: Option<String>,
}

impl Selection {
    /// The selection a request asks for.
    pub fn of(asked: &Asked) -> Result<Selection, Status> {
        Ok(Selection { namespace: asked.namespace.clone() })
    }

    /// Whether nothing but a namespace selects.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        true
    }

    /// Whether this object is meant.
    #[must_use]
    pub fn picks(&self, object: &Resource) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| object.namespace() == namespace)
    }
}
