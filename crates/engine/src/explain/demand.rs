//! What is asked of callers, in words that outlive the config they were said in.

use std::fmt;

use serde::Serialize;

use crate::authentication::{Authentication, Method};

/// How callers prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// `namespace/name` of the policy that holds: the most specific, or one that overrides it.
    pub policy: String,
    /// Its methods in the order in which they are looked for.
    pub methods: Vec<&'static str>,
    /// Whether those who show nothing go on.
    pub anonymous: bool,
    /// Why nobody is let in.
    pub unusable: Option<String>,
}

impl Demand {
    /// A demand in words.
    #[must_use]
    pub fn new(authentication: &Authentication) -> Demand {
        Demand {
            policy: authentication.policy.to_string(),
            methods: authentication.methods.iter().map(Method::as_str).collect(),
            anonymous: authentication.anonymous,
            unusable: authentication.unusable.as_deref().map(str::to_owned),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.unusable {
            return write!(f, "nobody, by {}: {why}", self.policy);
        }
        let anonymous = self.anonymous.then_some("anonymous");
        let ways: Vec<&str> = self.methods.iter().copied().chain(anonymous).collect();
        write!(f, "{} by {}", ways.join(", or "), self.policy)
    }
}
