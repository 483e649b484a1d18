//! What is left of the quotas of a subscription.
//!
//! Worked out when somebody asks and kept in no object: it changes with every lease, and nobody may write it.

use http::StatusCode;
use model::kinds::KindName;
use serde_json::json;

use super::super::Asked;
use super::{current, failed};
use crate::api::answer::Answer;
use crate::api::state::State;
use crate::customers::subscription_number;
use crate::objects::status::Status;
use crate::quotas::standings;

/// `…/subscriptions/NAME/quotas`
pub async fn get(state: &State, asked: &Asked) -> Result<Answer, Status> {
    if asked.kind != KindName::Subscription {
        return Err(Status::no_such_path());
    }
    let row = current(state, asked).await?.ok_or_else(|| Status::not_found(asked.about()))?;
    let found = standings(&**state.world.store(), subscription_number(&row.uid)).await.map_err(failed)?;
    let value = json!({
        "apiVersion": asked.kind.api_version(),
        "kind": "SubscriptionQuotas",
        "metadata": { "name": row.name, "namespace": row.namespace },
        "now": state.clock.seconds(),
        "quotas": found,
    });
    Ok(Answer::json(StatusCode::OK, value.to_string()))
}
