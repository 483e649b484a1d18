//! Patches: a tree and a description of a change become the changed tree.
//!
//! Each of the three languages is a file. None of them can make a tree deeper or larger than a bounded multiple of what
//! was sent, because one of them (`copy` of RFC 6902) could otherwise make a giant of a few lines.

mod json;
mod merge;

pub use json::json;
pub use merge::merge;
use model::kinds::KindName;
use serde_json::Value;

use super::status::Status;

/// Kubernetes' merge patch that knows lists.
///
/// # Errors
/// 415 for kinds that have none.
pub fn strategic(_kind: KindName, _object: Value, _patch: Value) -> Result<Value, Status> {
    Err(Status::unsupported_media_type(&[super::media::JSON_PATCH, super::media::MERGE_PATCH]))
}
