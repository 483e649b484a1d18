//! What is changed about the fields of a message.

use std::sync::Arc;

/// Name and value of a header field, as bytes.
pub type FieldBytes = (Arc<[u8]>, Arc<[u8]>);

/// Header edits. Names are lower case. Applied as: remove, then set (replacing all values), then add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Fields that are given exactly this value.
    pub set: Vec<FieldBytes>,
    /// Fields that get one more value.
    pub add: Vec<FieldBytes>,
    /// Fields that are taken out.
    pub remove: Vec<Arc<[u8]>>,
}
