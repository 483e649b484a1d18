//! Answers that a version gives without asking anybody: it is held, it has ended, a path has no such method.
//!
//! Problem details (RFC 9457). They are made here, once, and not when a request comes.

use std::sync::Arc;

use model::Resource;
use serde_json::{Value, json};

use super::ends;
use crate::config::FixedAnswer;

/// The version has ended; what took its place is named (RFC 9110 section 15.5.11).
pub(super) fn retired(called: &str, successor: Option<&Resource>) -> FixedAnswer {
    let place = successor.and_then(ends::place);
    let detail = match &place {
        Some(place) => format!("{called} has ended; use {place}"),
        None => format!("{called} has ended"),
    };
    let mut body = problem("retired", "Gone", 410, &detail);
    if let Some(place) = place {
        body["successor"] = place.into();
    }
    answer(410, "version_retired", &body, ends::link(successor).map(|link| ("link", link)))
}

/// The version is held by those who answer for it (RFC 9110 section 15.6.4).
pub(super) fn held(called: &str) -> FixedAnswer {
    let detail = format!("{called} is held by those who answer for it; try again later");
    answer(503, "version_held", &problem("held", "Service Unavailable", 503, &detail), None)
}

/// The path has operations, none of them with this method (RFC 9110 section 15.5.6).
pub(super) fn method_not_allowed(allowed: &str) -> FixedAnswer {
    let detail = format!("this path has no such method, only: {allowed}");
    let body = problem("method-not-allowed", "Method Not Allowed", 405, &detail);
    answer(405, "method_not_allowed", &body, Some(("allow", allowed.to_owned())))
}

fn problem(name: &str, title: &str, status: u16, detail: &str) -> Value {
    json!({ "type": format!("urn:selvedge:api:{name}"), "title": title, "status": status, "detail": detail })
}

fn answer(
    status: u16,
    reason: &'static str,
    body: &Value,
    field: Option<(&'static str, String)>,
) -> FixedAnswer {
    let own = ("content-type", Arc::from("application/problem+json"));
    let more = field.map(|(name, value)| (name, Arc::from(value)));
    let content = format!("{body}\n").into();
    FixedAnswer { status, reason, fields: std::iter::once(own).chain(more).collect(), content }
}
