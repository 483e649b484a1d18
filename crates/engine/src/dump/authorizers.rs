//! Who else is asked about requests, as JSON.

use serde_json::{Value, json};

use crate::config::{Authorizer, AuthorizerQuestion, FieldNames};

/// One of them.
pub(super) fn one(authorizer: &Authorizer) -> Value {
    let Authorizer {
        policy,
        cluster,
        authority,
        question,
        body,
        timeout,
        passes_on_failure,
        status_on_error,
    } = authorizer;
    let mut object = json!({
        "policy": policy,
        "authority": authority,
        "resolved": cluster.is_some(),
        "timeout_milliseconds": timeout.as_millis() as u64,
        "passes_on_failure": passes_on_failure,
        "status_on_error": status_on_error,
    });
    if let Some(body) = body {
        object["body"] = json!({ "bytes_max": body.bytes_max, "partly": body.partly });
    }
    object[question.as_str()] = match question {
        AuthorizerQuestion::Grpc { shown, context, with_certificate } => json!({
            "shown": shown.as_ref().map(names),
            "context": context.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "with_certificate": with_certificate,
        }),
        AuthorizerQuestion::Http { prefix, shown, to_upstream, to_client, to_client_on_success } => json!({
            "prefix": prefix,
            "shown": names(shown),
            "to_upstream": names(to_upstream),
            "to_client": to_client.as_ref().map(names),
            "to_client_on_success": names(to_client_on_success),
        }),
    };
    object
}

fn names(names: &FieldNames) -> Value {
    names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}
