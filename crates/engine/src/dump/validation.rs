//! What requests and answers must be like, as JSON.

use model::kinds::validation_policy::ValidationAction;
use serde_json::{Value, json};

use crate::config::{AnswerValidation, BodyBounds, Described, Validation};

/// All of it.
pub(super) fn whole(validation: &Validation) -> Value {
    let Validation { policies, requests, answers, bodies, described, broken } = validation;
    json!({
        "policies": policies,
        "requests": requests.map(word),
        "answers": answers.map(self::answers),
        "bodies": bodies.map(self::bodies),
        "described": described.as_ref().map(self::described),
        "broken": broken,
    })
}

fn word(action: ValidationAction) -> &'static str {
    match action {
        ValidationAction::Refuse => "refuse",
        ValidationAction::Report => "report",
    }
}

fn answers(answers: AnswerValidation) -> Value {
    let AnswerValidation { action, percent, body_bytes_max } = answers;
    json!({ "action": word(action), "percent": percent, "body_bytes_max": body_bytes_max })
}

fn bodies(bodies: BodyBounds) -> Value {
    let BodyBounds { bytes_max, of_every_type, json } = bodies;
    json!({
        "bytes_max": bytes_max,
        "of_every_type": of_every_type,
        "depth_max": json.depth,
        "keys_max": json.keys,
        "items_max": json.items,
        "text_bytes_max": json.text_bytes,
        "values_max": json.values,
    })
}

fn described(described: &Described) -> Value {
    match described {
        Described::Operation { operation, base } => {
            json!({ "operation": operation.key.as_str(), "base": base })
        }
        Described::Operations { operations, base } => json!({ "operations": operations.len(), "base": base }),
    }
}
