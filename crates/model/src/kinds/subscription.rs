//! `Subscription`: what an application may call, within the limits of a plan.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

use crate::customers::lives::SubscriptionState;
use crate::customers::{Hold, Holds};
use crate::units::Moment;

/// A Subscription. It is kept among the customers, not in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// Who has subscribed to what.
    pub spec: SubscriptionSpec,
    /// Where it is in its life, and what holds it.
    #[serde(default)]
    pub status: SubscriptionStatus,
}

/// `Subscription.spec`. Only the plan can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSpec {
    /// Name of the Application, in the same namespace.
    pub application: Arc<str>,
    /// The APIProduct: `name` in the same namespace, or `namespace/name`.
    pub product: Arc<str>,
    /// Name of the Plan, in the namespace of the product.
    pub plan: Arc<str>,
    /// From when on it may be used; at once when absent.
    #[serde(default, deserialize_with = "starts_at")]
    pub starts_at: Option<Moment>,
}

/// `Subscription.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionStatus {
    /// The state. Without one it waits for somebody's yes.
    #[serde(default)]
    pub state: Option<SubscriptionState>,
    /// What holds it.
    #[serde(default, deserialize_with = "holds")]
    pub holds: Holds,
    /// Where its calendar periods begin.
    #[serde(default, deserialize_with = "anchor")]
    pub anchor: Option<Moment>,
    /// From when on it is over, for one that is ending or has ended.
    #[serde(default, deserialize_with = "ends_at")]
    pub ends_at: Option<Moment>,
}

impl SubscriptionSpec {
    /// Namespace and name of the product, for a subscription in a namespace.
    #[must_use]
    pub fn product_in<'a>(&'a self, namespace: &'a str) -> (&'a str, &'a str) {
        self.product.split_once('/').unwrap_or((namespace, &self.product))
    }
}

impl SubscriptionStatus {
    /// The state.
    #[must_use]
    pub fn state(&self) -> SubscriptionState {
        self.state.unwrap_or(SubscriptionState::Requested)
    }
}

fn holds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Holds, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    words.iter().map(|word| word.parse::<Hold>()).collect::<Result<Holds, _>>().map_err(de::Error::custom)
}

fn anchor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    moment("anchor", deserializer)
}

fn starts_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    moment("startsAt", deserializer)
}

fn ends_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    moment("endsAt", deserializer)
}

fn moment<'de, D: Deserializer<'de>>(field: &str, deserializer: D) -> Result<Option<Moment>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let read =
        |text: String| text.parse().map_err(|_| de::Error::custom(format!("`{field}` is not a moment")));
    text.map(read).transpose()
}
