//! `Status`: how the Kubernetes API says no, in the words that its clients look for.
//!
//! Clients decide by `reason` and `code`, people read `message`, and controllers follow `details.causes` to the field.
//! Everything in this module that can refuse something refuses with one of these.

use std::fmt;

use model::kinds::KindName;
use serde_json::{Map, Value, json};

/// Most causes that are sent. A list with ten thousand wrong elements needs no ten thousand messages.
pub const CAUSES_MAX: usize = 100;

/// Why something was not done. Small, because it is the error of almost every function here.
#[derive(Clone, Debug, PartialEq)]
pub struct Status(Box<Content>);

#[derive(Clone, Debug, PartialEq)]
struct Content {
    code: u16,
    reason: &'static str,
    message: String,
    details: Map<String, Value>,
}

/// One cause of a refusal: what is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// A word of Kubernetes: `FieldValueInvalid`, `FieldManagerConflict`, ...
    pub reason: &'static str,
    /// The field as Kubernetes spells it: `spec.rules[0].name`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Cause {
    fn value(&self) -> Value {
        let mut cause = Map::new();
        for (name, text) in [("reason", self.reason), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                cause.insert(name.to_owned(), text.into());
            }
        }
        Value::Object(cause)
    }
}

/// What an answer is about: a kind of objects and, mostly, one of them.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The kind.
    pub kind: KindName,
    /// The object; empty when none is meant.
    pub name: &'a str,
}

impl<'a> About<'a> {
    /// An object of a kind.
    #[must_use]
    pub fn new(kind: KindName, name: &'a str) -> Self {
        About { kind, name }
    }

    /// `httproutes.gateway.networking.k8s.io "checkout"`.
    fn quoted(self) -> String {
        format!("{} {:?}", resource_of(self.kind), self.name)
    }

    fn details(self, kind: &str) -> Map<String, Value> {
        let mut details = Map::new();
        for (field, text) in [("name", self.name), ("group", self.kind.group()), ("kind", kind)] {
            if !text.is_empty() {
                details.insert(field.to_owned(), text.into());
            }
        }
        details
    }
}

/// A kind as messages call it: `httproutes.gateway.networking.k8s.io`.
#[must_use]
pub fn resource_of(kind: KindName) -> String {
    match kind.group() {
        "" => kind.plural().to_owned(),
        group => format!("{}.{group}", kind.plural()),
    }
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Status(Box::new(Content { code, reason, message: message.into(), details: Map::new() }))
    }

    fn about(mut self, about: About<'_>) -> Self {
        self.0.details = about.details(about.kind.plural());
        self
    }

    fn caused(mut self, causes: &[Cause]) -> Self {
        if !causes.is_empty() {
            let causes: Vec<Value> = causes.iter().take(CAUSES_MAX).map(Cause::value).collect();
            self.0.details.insert("causes".to_owned(), causes.into());
        }
        self
    }

    /// Says more precisely why.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.0.message = format!("{}: {why}", self.0.message);
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.0.details.insert("retryAfterSeconds".to_owned(), seconds.into());
        self
    }

    /// There is no such object.
    #[must_use]
    pub fn not_found(about: About<'_>) -> Self {
        Status::new(404, "NotFound", format!("{} not found", about.quoted())).about(about)
    }

    /// There is no such path.
    #[must_use]
    pub fn no_such_path() -> Self {
        Status::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// There is one of this name.
    #[must_use]
    pub fn already_exists(about: About<'_>) -> Self {
        Status::new(409, "AlreadyExists", format!("{} already exists", about.quoted())).about(about)
    }

    /// A name was made up and is taken; asking again makes another.
    #[must_use]
    pub fn generated_name_taken(about: About<'_>) -> Self {
        let message = format!(
            "{} already exists, the server was not able to generate a unique name for the object",
            about.quoted()
        );
        Status::new(409, "AlreadyExists", message).about(about).retry_after(1)
    }

    /// The object is not what the request assumes.
    #[must_use]
    pub fn conflict(about: About<'_>, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {}: {why}", about.quoted());
        Status::new(409, "Conflict", message).about(about)
    }

    /// Somebody else wrote the object since it was read.
    #[must_use]
    pub fn modified(about: About<'_>) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Status::conflict(about, why)
    }

    /// Other field managers own what was applied.
    #[must_use]
    pub fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        Status::new(409, "Conflict", message).caused(causes)
    }

    /// The object breaks the rules of its kind.
    #[must_use]
    pub fn invalid(about: About<'_>, causes: &[Cause]) -> Self {
        let texts: Vec<String> = causes.iter().take(CAUSES_MAX).map(Cause::text).collect();
        let more = causes.len().saturating_sub(CAUSES_MAX);
        let mut words = match texts.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            _ => format!("[{}]", texts.join(", ")),
        };
        if more > 0 {
            words.push_str(&format!(" and {more} more"));
        }
        let group = about.kind.group();
        let kind = if group.is_empty() { about.kind.to_string() } else { format!("{}.{group}", about.kind) };
        let mut status = Status::new(422, "Invalid", format!("{kind} {:?} is invalid: {words}", about.name));
        status.0.details = about.details(about.kind.as_str());
        status.caused(causes)
    }

    /// A parameter of the request is wrong.
    #[must_use]
    pub fn invalid_options(cause: &Cause) -> Self {
        Status::new(422, "Invalid", format!("the parameters of the request are invalid: {}", cause.text()))
            .caused(std::slice::from_ref(cause))
    }

    /// A patch that cannot be applied to this object.
    #[must_use]
    pub fn unprocessable(message: impl Into<String>) -> Self {
        let message =
            format!("the server rejected our request due to an error in our request: {}", message.into());
        Status::new(422, "Invalid", message)
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Status::new(400, "BadRequest", message)
    }

    /// Nobody knows who asks.
    #[must_use]
    pub fn unauthorized() -> Self {
        Status::new(401, "Unauthorized", "Unauthorized")
    }

    /// Who asks may not. `why` follows after a colon, as in `User "a" cannot get resource "services" ...`.
    #[must_use]
    pub fn forbidden(about: About<'_>, why: &str) -> Self {
        let what = if about.name.is_empty() { resource_of(about.kind) } else { about.quoted() };
        Status::new(403, "Forbidden", format!("{what} is forbidden: {why}")).about(about)
    }

    /// As [`Status::forbidden`], for what is no kind of the model.
    #[must_use]
    pub fn forbidden_resource(resource: &str, why: &str) -> Self {
        Status::new(403, "Forbidden", format!("{resource} is forbidden: {why}"))
    }

    /// Who asks may not see this path.
    #[must_use]
    pub fn forbidden_path(why: &str) -> Self {
        Status::new(403, "Forbidden", format!("forbidden: {why}"))
    }

    /// What came after the version asked for is no longer known: list again.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Status::new(410, "Expired", message)
    }

    /// A watch from a version that is no longer known.
    #[must_use]
    pub fn too_old(asked: u64, known: u64) -> Self {
        Status::expired(format!("too old resource version: {asked} ({known})"))
    }

    /// A continue token whose list has gone.
    #[must_use]
    pub fn continue_expired() -> Self {
        Status::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter.",
        )
    }

    /// This verb does not work here.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Status::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// None of the media types that the client takes can be made.
    #[must_use]
    pub fn not_acceptable(offered: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", offered.join(", "));
        Status::new(406, "NotAcceptable", message)
    }

    /// The body is of a media type that is not read.
    #[must_use]
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Status::new(415, "UnsupportedMediaType", message)
    }

    /// The body is longer than this many bytes.
    #[must_use]
    pub fn request_entity_too_large(bytes_max: usize) -> Self {
        let message = format!("Request entity too large: limit is {bytes_max}");
        Status::new(413, "RequestEntityTooLarge", message)
    }

    /// Too much at once; try again after some seconds.
    #[must_use]
    pub fn too_many_requests(seconds: u64) -> Self {
        let message = "Too many requests, please try again later.";
        Status::new(429, "TooManyRequests", message).retry_after(seconds)
    }

    /// It took too long.
    #[must_use]
    pub fn timeout(why: &str) -> Self {
        Status::new(504, "Timeout", format!("Timeout: {why}"))
    }

    /// A version was asked for that has not been reached yet.
    #[must_use]
    pub fn too_large_version(asked: u64, known: u64) -> Self {
        let cause = Cause {
            reason: "ResourceVersionTooLarge",
            field: String::new(),
            message: "Too large resource version".to_owned(),
        };
        Status::timeout(&format!("Too large resource version: {asked}, current: {known}"))
            .caused(&[cause])
            .retry_after(1)
    }

    /// Nothing works here now; try again after some seconds.
    #[must_use]
    pub fn service_unavailable(why: &str, seconds: u64) -> Self {
        Status::new(503, "ServiceUnavailable", why).retry_after(seconds)
    }

    /// A fault of ours.
    #[must_use]
    pub fn internal_error(why: &str) -> Self {
        let cause = Cause { reason: "", field: String::new(), message: why.to_owned() };
        Status::new(500, "InternalError", format!("Internal error occurred: {why}")).caused(&[cause])
    }

    /// HTTP status code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// The word that clients decide by.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The words that people read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Seconds after which trying again may help; also for the `Retry-After` header.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.details.get("retryAfterSeconds").and_then(Value::as_u64)
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Value {
        let Content { code, reason, message, details } = &*self.0;
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": message, "reason": reason,
        });
        body["details"] = Value::Object(details.clone());
        body["code"] = (*code).into();
        body
    }
}

impl Cause {
    /// `spec.name: Required value: ...`.
    fn text(&self) -> String {
        if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Status {}

/// The answer to a delete that left nothing behind.
#[must_use]
pub fn deleted(about: About<'_>, uid: &str) -> Value {
    let mut details = about.details(about.kind.plural());
    details.insert("uid".to_owned(), uid.into());
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: About<'static> = About { kind: KindName::HttpRoute, name: "checkout" };
    const SERVICE: About<'static> = About { kind: KindName::Service, name: "cart" };

    #[test]
    fn refusals_have_the_words_that_clients_match() {
        let cases = [
            (Status::not_found(ROUTE), 404, r#"httproutes.gateway.networking.k8s.io "checkout" not found"#),
            (Status::already_exists(SERVICE), 409, r#"services "cart" already exists"#),
            (
                Status::modified(SERVICE),
                409,
                "Operation cannot be fulfilled on services \"cart\": the object has been modified; please apply your \
                 changes to the latest version and try again",
            ),
            (Status::too_old(3, 9), 410, "too old resource version: 3 (9)"),
            (
                Status::forbidden(SERVICE, "User \"a\" cannot get resource \"services\" in API group \"\""),
                403,
                "services \"cart\" is forbidden: User \"a\" cannot get resource \"services\" in API group \"\"",
            ),
        ];
        for (status, code, message) in cases {
            assert_eq!((status.code(), status.message()), (code, message));
        }
    }

    #[test]
    fn an_invalid_object_names_each_cause() {
        let cause = |field: &str| Cause {
            reason: "FieldValueInvalid",
            field: field.to_owned(),
            message: "Invalid value: no".to_owned(),
        };

        let one = Status::invalid(ROUTE, &[cause("spec.a")]);
        let two = Status::invalid(ROUTE, &[cause("spec.a"), cause("spec.b[0]")]);

        assert_eq!(
            one.message(),
            r#"HTTPRoute.gateway.networking.k8s.io "checkout" is invalid: spec.a: Invalid value: no"#
        );
        assert!(
            two.message().ends_with("is invalid: [spec.a: Invalid value: no, spec.b[0]: Invalid value: no]")
        );
        assert_eq!(
            two.body(),
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 422,
                "reason": "Invalid", "message": two.message(),
                "details": {
                    "name": "checkout", "group": "gateway.networking.k8s.io", "kind": "HTTPRoute",
                    "causes": [
                        {"reason": "FieldValueInvalid", "message": "Invalid value: no", "field": "spec.a"},
                        {"reason": "FieldValueInvalid", "message": "Invalid value: no", "field": "spec.b[0]"},
                    ],
                },
            })
        );
    }

    #[test]
    fn a_flood_of_causes_is_counted_and_not_sent() {
        let cause = Cause { reason: "FieldValueInvalid", field: "a".to_owned(), message: "b".to_owned() };

        let status = Status::invalid(ROUTE, &vec![cause; CAUSES_MAX + 7]);

        assert!(status.message().ends_with(" and 7 more"));
        assert_eq!(status.body()["details"]["causes"].as_array().map(Vec::len), Some(CAUSES_MAX));
    }

    #[test]
    fn what_may_work_later_says_when() {
        assert_eq!(Status::too_many_requests(3).retry_after_seconds(), Some(3));
        assert_eq!(Status::not_found(ROUTE).retry_after_seconds(), None);
    }
}
