//! Who owns which field: server-side apply and the record that every write leaves.

use serde_json::Value;

use super::request::Request;
use super::status::Status;

/// Records that a request wrote what differs between two states of an object.
pub fn updated(_request: &Request<'_>, _before: Option<&Value>, _after: &mut Value) {}

/// Whether a body may be applied at all.
///
/// # Errors
/// 400 when it says who owns its fields.
pub fn check_config(_request: &Request<'_>, config: &Value) -> Result<(), Status> {
    if config.pointer("/metadata/managedFields").is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// The object after a body was applied to it.
///
/// # Errors
/// 409 when others own what it changes, unless forced.
pub fn applied(
    _request: &Request<'_>,
    live: Option<&Value>,
    config: Value,
    _force: bool,
) -> Result<Value, Status> {
    super::patch::merge(live.cloned().unwrap_or(Value::Object(serde_json::Map::new())), config)
}

/// Whether two states of an object differ in nothing but the moments at which fields were written.
#[must_use]
pub fn same_but_times(before: &Value, after: &Value) -> bool {
    before == after
}
