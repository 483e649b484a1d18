//! Labels and the selectors that pick objects by them.
//!
//! The meaning is Kubernetes': every requirement must hold, an empty selector picks everything, and a missing
//! key satisfies `NotIn` and `DoesNotExist`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Labels or annotations of an object.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// Label of every namespace that carries its own name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Label of an EndpointSlice that names its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A `LabelSelector` of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub match_labels: Labels,
    /// Further requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// One line of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The label's key.
    pub key: Arc<str>,
    /// How `values` are compared.
    pub operator: Operator,
    /// Values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Arc<str>>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The label exists and has one of the values.
    In,
    /// The label does not exist or has none of the values.
    NotIn,
    /// The label exists.
    Exists,
    /// The label does not exist.
    DoesNotExist,
    /// A word that the schema admits and nobody knows; it holds for nothing, so that a slip opens no door.
    #[serde(other)]
    Unknown,
}

impl LabelSelector {
    /// Whether all requirements hold.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector: LabelSelector = serde_json::from_str(selector).expect("a selector");
        selector.matches(&labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn an_empty_selector_picks_everything() {
        assert!(picks("{}", &[]));
        assert!(picks("{}", &[("a", "1")]));
    }

    #[test]
    fn all_requirements_must_hold() {
        let both = r#"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["2","3"]}]}"#;

        assert!(picks(both, &[("a", "1"), ("b", "3")]));
        assert!(!picks(both, &[("a", "1")]));
        assert!(!picks(both, &[("b", "3")]));
    }

    #[test]
    fn a_missing_label_satisfies_only_the_negative_operators() {
        let with = |operator: &str| {
            format!(r#"{{"matchExpressions":[{{"key":"a","operator":"{operator}","values":["1"]}}]}}"#)
        };

        assert!(!picks(&with("In"), &[]));
        assert!(picks(&with("NotIn"), &[]));
        assert!(!picks(&with("Exists"), &[]));
        assert!(picks(&with("DoesNotExist"), &[]));
        assert!(!picks(&with("NotIn"), &[("a", "1")]));
    }
}
