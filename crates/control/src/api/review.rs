//! What people and clients ask about themselves: who am I, may I, what may I.
//!
//! Nothing is stored and nobody else can be asked about, so whoever is somebody may ask.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::access::{User, Verdict, Wish};
use super::answer::Answer;
use super::dispatch::Request;
use super::incoming;
use super::state::State;
use crate::objects::status::Status;

/// `SelfSubjectReview`: who am I.
pub fn myself(request: &Request) -> Result<Answer, Status> {
    let (mut review, user) = (read(request, "SelfSubjectReview")?, user(request)?);
    review.insert(
        "status".to_owned(),
        json!({ "userInfo": { "username": *user.name, "groups": groups(user) } }),
    );
    Ok(created(review))
}

/// `SelfSubjectAccessReview`: may I.
pub fn may_i(state: &State, request: &Request) -> Result<Answer, Status> {
    let (mut review, user) = (read(request, "SelfSubjectAccessReview")?, user(request)?);
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let verdict = match (spec.get("resourceAttributes"), spec.get("nonResourceAttributes")) {
        (Some(attributes), None) => state.authorizer.judge(user, &wish(attributes)),
        // Paths that are no resources are open to everybody who is somebody; writing to them there is none.
        (None, Some(attributes)) if text(attributes, "verb") == "get" => Verdict::Allowed,
        (None, Some(_)) => Verdict::Denied("these paths can only be read".to_owned()),
        (Some(_), Some(_)) | (None, None) => {
            let problem =
                "exactly one of `spec.resourceAttributes` and `spec.nonResourceAttributes` must be there";
            return Err(Status::bad_request(problem));
        }
    };
    let status = match verdict {
        Verdict::Allowed => json!({ "allowed": true }),
        Verdict::Denied(why) if why.is_empty() => json!({ "allowed": false }),
        Verdict::Denied(why) => json!({ "allowed": false, "reason": why }),
    };
    review.insert("status".to_owned(), status);
    Ok(created(review))
}

/// `SelfSubjectRulesReview`: what may I.
pub fn what_may_i(state: &State, request: &Request) -> Result<Answer, Status> {
    let (mut review, user) = (read(request, "SelfSubjectRulesReview")?, user(request)?);
    let namespace = review.get("spec").map_or("", |spec| text(spec, "namespace")).to_owned();
    let rules: Vec<Value> = state
        .authorizer
        .rules(user, &namespace)
        .into_iter()
        .map(|rule| {
            let mut shown =
                json!({ "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources });
            if !rule.names.is_empty() {
                shown["resourceNames"] = json!(rule.names);
            }
            shown
        })
        .collect();
    let open = json!([{ "verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version", "/healthz", "/livez", "/readyz"] }]);
    let status = json!({ "resourceRules": rules, "nonResourceRules": open, "incomplete": false });
    review.insert("status".to_owned(), status);
    Ok(created(review))
}

fn read(request: &Request, kind: &str) -> Result<Map<String, Value>, Status> {
    let body = incoming::read(&request.headers, &request.body)?;
    let Value::Object(mut review) = body.value else {
        return Err(Status::bad_request(format!("the body is no {kind}")));
    };
    let group = request.path.trim_start_matches("/apis/").rsplit_once('/').map_or("", |(group, _)| group);
    for (field, wanted) in [("kind", kind), ("apiVersion", group)] {
        match review.get(field).and_then(Value::as_str) {
            None | Some("") => {
                review.insert(field.to_owned(), wanted.into());
            }
            Some(found) if found == wanted => {}
            Some(found) => {
                return Err(Status::bad_request(format!(
                    "`{field}` is {found:?} where {wanted:?} is expected"
                )));
            }
        }
    }
    Ok(review)
}

fn user(request: &Request) -> Result<&User, Status> {
    request.user.as_deref().ok_or_else(Status::unauthorized)
}

fn groups(user: &User) -> Vec<&str> {
    user.groups.iter().map(|group| &**group).collect()
}

fn wish(attributes: &Value) -> Wish {
    let some = |field: &str| Some(text(attributes, field)).filter(|text| !text.is_empty()).map(str::to_owned);
    let owned = |field: &str| text(attributes, field).to_owned();
    Wish {
        verb: owned("verb"),
        group: owned("group"),
        resource: owned("resource"),
        subresource: owned("subresource"),
        namespace: some("namespace"),
        name: some("name"),
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn created(review: Map<String, Value>) -> Answer {
    Answer::json(StatusCode::CREATED, Value::Object(review).to_string())
}
