//! Columns of what is offered, and of those who have subscribed to it.

use super::*;

/// Of the kinds that say what is offered; none for others.
pub(super) fn product_columns(kind: KindName) -> Vec<Column> {
    match kind {
        KindName::Api => vec![
            text("Title", |object, _| none_if_empty(first(object, &["/spec/title"]))),
            text("Protocol", |object, _| word(object, "/spec/protocol")),
            text("Owner", |object, _| none_if_empty(first(object, &["/spec/owner"]))),
            AGE,
            wide("Visibility", |object, _| word(object, "/spec/visibility")),
        ],
        KindName::ApiVersion => vec![
            text("API", |object, _| word(object, "/spec/api")),
            text("Label", |object, _| word(object, "/spec/label")),
            text("State", |object, _| state_of_version(object).into()),
            text("Revision", |object, _| none_if_empty(first(object, &["/spec/revision"]))),
            AGE,
            wide("Candidate", |object, _| none_if_empty(first(object, &["/spec/candidate"]))),
            wide("Sunset", |object, _| none_if_empty(first(object, &["/spec/sunset"]))),
        ],
        KindName::ApiRevision => vec![
            text("Version", |object, _| word(object, "/spec/version")),
            text("Accepted", |object, _| condition(object, "Accepted")),
            AGE,
        ],
        KindName::ApiBinding => vec![
            text("Version", |object, _| word(object, "/spec/version")),
            text("Answers", |object, _| what_answers(object).into()),
            AGE,
        ],
        KindName::ApiProduct => vec![
            text("State", |object, _| word(object, "/spec/state")),
            text("Versions", |object, _| none_if_empty(shortened(each(object, "/spec/apis", "version"), ""))),
            AGE,
        ],
        KindName::Plan => vec![
            text("Product", |object, _| word(object, "/spec/product")),
            text("State", |object, _| word(object, "/spec/state")),
            text("Credentials", |object, _| none_if_empty(texts(object, "/spec/credentials").join(","))),
            AGE,
            wide("Approval", |object, _| word(object, "/spec/approval")),
        ],
        _ => Vec::new(),
    }
}

/// Of the kinds that grow with customers; none for others.
pub(super) fn customer_columns(kind: KindName) -> Vec<Column> {
    let state = || text("State", |object, _| word(object, "/status/state"));
    match kind {
        KindName::Team => vec![
            text("Title", |object, _| none_if_empty(first(object, &["/spec/title"]))),
            count("Members", |object, _| list(object, "/spec/members").count().into()),
            state(),
            AGE,
        ],
        KindName::Developer => vec![
            text("Title", |object, _| none_if_empty(first(object, &["/spec/title"]))),
            wide("Email", |object, _| none_if_empty(first(object, &["/spec/email"]))),
            state(),
            AGE,
        ],
        KindName::Application => {
            vec![text("Team", |object, _| none_if_empty(first(object, &["/spec/team"]))), state(), AGE]
        }
        KindName::Subscription => vec![
            text("Application", |object, _| word(object, "/spec/application")),
            text("Product", |object, _| word(object, "/spec/product")),
            text("Plan", |object, _| word(object, "/spec/plan")),
            state(),
            text("Holds", |object, _| none_if_empty(texts(object, "/status/holds").join(","))),
            AGE,
        ],
        KindName::Credential => vec![
            text("Application", |object, _| word(object, "/spec/application")),
            text("Type", |object, _| word(object, "/spec/type")),
            text("Shown", |object, _| {
                none_if_empty(first(object, &["/status/shown", "/spec/identity", "/spec/certificate"]))
            }),
            state(),
            text("Expires", |object, _| none_if_empty(first(object, &["/spec/expiresAt"]))),
            AGE,
        ],
        _ => Vec::new(),
    }
}

fn state_of_version(object: &Value) -> String {
    let held = object.pointer("/spec/hold") == Some(&Value::Bool(true));
    let state = first(object, &["/spec/state"]);
    if held { format!("{state},Held") } else { state }
}

/// `mock`, `shop`, or both where operations differ.
fn what_answers(binding: &Value) -> String {
    let of = |target: &Value| match target.get("mock") {
        Some(_) => vec!["mock".to_owned()],
        None => each(target, "/backendRefs", "name"),
    };
    let own = binding.pointer("/spec/default").into_iter();
    let mut all: Vec<String> = own.chain(list(binding, "/spec/operations")).flat_map(of).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    shortened(all, "<none>")
}
