//! What the schemas and their rules forbid, told as Kubernetes tells it.

use model::kinds::KindName;
use model::path::FieldPath;
use model::schema::{self, Fault, Finding, Judge};
use model::violation::Problem;
use model::{Resource, yaml};
use serde_json::Value;

use super::body::{BODY_BYTES_MAX, BODY_DEPTH_MAX};
use super::request::Part;
use super::status::{About, Cause, Status};

/// Judges an object as it is to be kept, defaults filled in. Of one whose status alone is written, the rest is what it
/// was, and was judged when it was written.
///
/// # Errors
/// 422 with everything that is wrong, 413 when it has grown too large to keep.
pub fn object(
    kind: KindName,
    object: &Value,
    before: Option<&Value>,
    part: Part,
) -> Result<Resource, Status> {
    bounded(object)?;
    let mut found = Vec::new();
    let judge = Judge::new();
    if let (Some(schema), Some(status)) = (schema::status(kind), object.get("status")) {
        found.extend(schema.check(FieldPath::root().field("status"), status, &judge));
    }
    let is_rest_as_it_was = part == Part::Status && schema::status(kind).is_some();
    if is_rest_as_it_was && found.is_empty() {
        let whole = |Problem { problem, remedy }| {
            let fault = Finding { fault: Fault::Invalid, field: FieldPath::root(), problem, remedy };
            refusal(kind, object, &[fault])
        };
        return yaml::read_judged(kind, object.clone()).map_err(whole);
    }
    if let Some(before) = before {
        found.extend(schema::check_change(kind, before, object, &judge));
    }
    match yaml::read_known(kind, object.clone()) {
        Ok(resource) if found.is_empty() => Ok(resource),
        Ok(_) => Err(refusal(kind, object, &found)),
        Err(more) => {
            found.splice(0..0, more);
            Err(refusal(kind, object, &found))
        }
    }
}

/// A patch can make much of little.
fn bounded(object: &Value) -> Result<(), Status> {
    let mut counted = Counted(0);
    // Writing into a counter cannot fail.
    let _counted = serde_json::to_writer(&mut counted, object);
    if counted.0 > BODY_BYTES_MAX {
        return Err(Status::request_entity_too_large(BODY_BYTES_MAX));
    }
    if depth(object) > BODY_DEPTH_MAX {
        return Err(Status::unprocessable(format!(
            "the object is nested deeper than {BODY_DEPTH_MAX} levels"
        )));
    }
    Ok(())
}

struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How deep lists and objects are nested.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn refusal(kind: KindName, object: &Value, found: &[Finding]) -> Status {
    let causes: Vec<Cause> = found.iter().map(cause).collect();
    Status::invalid(About::new(kind, name_of(object)), &causes)
}

/// The name of an object, as far as it has one.
pub fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// A finding as Kubernetes words it: what sort of fault it is, then ours.
fn cause(finding: &Finding) -> Cause {
    let (reason, words) = match finding.fault {
        Fault::Missing => ("FieldValueRequired", "Required value"),
        Fault::Unknown => ("FieldValueForbidden", "Forbidden"),
        Fault::Type => ("FieldValueTypeInvalid", "Invalid value"),
        Fault::Choice => ("FieldValueNotSupported", "Unsupported value"),
        Fault::TooLong => ("FieldValueTooLong", "Too long"),
        Fault::TooMany => ("FieldValueTooMany", "Too many"),
        Fault::Duplicate => ("FieldValueDuplicate", "Duplicate value"),
        Fault::Invalid => ("FieldValueInvalid", "Invalid value"),
    };
    let message = match &finding.remedy {
        Some(remedy) => format!("{words}: {} ({remedy})", finding.problem),
        None => format!("{words}: {}", finding.problem),
    };
    let field = finding.field.to_string();
    Cause { reason, field: if field.is_empty() { "<nil>".to_owned() } else { field }, message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_is_a_cause_with_its_field() {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "checkout", "namespace": "shop"},
            "spec": {"rules": [{"matches": [{"path": {"type": "Prefix", "value": "/"}}], "timeouts": {"request": "1"}}]},
            "status": {"parents": 3},
        });

        let status = object(KindName::HttpRoute, &route, None, Part::Whole).expect_err("three faults");

        let body = status.body();
        let causes = body["details"]["causes"].as_array().expect("causes");
        let fields: Vec<_> = causes.iter().map(|cause| (&cause["field"], &cause["reason"])).collect();
        assert_eq!(
            fields,
            [
                (&json!("spec.rules[0].matches[0].path.type"), &json!("FieldValueNotSupported")),
                (&json!("spec.rules[0].timeouts.request"), &json!("FieldValueInvalid")),
                (&json!("status.parents"), &json!("FieldValueTypeInvalid")),
            ]
        );
        assert_eq!(status.code(), 422);
    }

    #[test]
    fn what_may_not_change_is_a_cause_as_well() {
        let class = |name: &str| {
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                "metadata": {"name": "c"}, "spec": {"controllerName": name},
            })
        };

        let status = object(KindName::GatewayClass, &class("a.b/d"), Some(&class("a.b/c")), Part::Whole)
            .expect_err("is for good");

        assert!(
            status.message().ends_with("is invalid: spec.controllerName: Invalid value: Value is immutable")
        );
    }
}
