//! What policies said, in words that outlive the config they were said in.

use std::fmt;

use serde::Serialize;

use crate::authorization::{Decision, Verdict};

/// What policies make of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whether it may pass.
    pub allowed: bool,
    /// What decided; `None` for the default action.
    pub by: Option<Said>,
    /// Audit policies that matched.
    pub audits: Vec<Said>,
}

/// What one policy said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// `namespace/name` of the AuthorizationPolicy.
    pub policy: String,
    /// `Allow`, `Deny` or `Audit`.
    pub action: &'static str,
    /// Name or position of the rule; `None` when no rule matched.
    pub rule: Option<String>,
    /// Why its condition could not be evaluated.
    pub fault: Option<&'static str>,
}

impl Judgement {
    /// A verdict in words.
    #[must_use]
    pub fn new(verdict: &Verdict<'_>) -> Judgement {
        Judgement {
            allowed: verdict.allowed,
            by: verdict.by.as_ref().map(Said::new),
            audits: verdict.audits.iter().map(Said::new).collect(),
        }
    }
}

impl Said {
    /// A decision in words.
    #[must_use]
    pub fn new(decision: &Decision<'_>) -> Said {
        Said {
            policy: decision.policy.name.to_string(),
            action: decision.policy.action.as_str(),
            rule: decision.rule.map(|rule| rule.name.to_string()),
            fault: decision.fault.map(crate::authorization::Fault::code),
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.allowed { "allowed" } else { "denied" })?;
        match &self.by {
            Some(said) => write!(f, " by {said}")?,
            None if self.allowed => f.write_str(": no policy speaks of it")?,
            None => f.write_str(" by the default action of the mesh")?,
        }
        self.audits.iter().try_for_each(|said| write!(f, "; told by {said}"))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.policy)?;
        match &self.rule {
            Some(rule) => write!(f, " rule `{rule}`")?,
            None => f.write_str(", none of whose rules match")?,
        }
        self.fault.iter().try_for_each(|fault| write!(f, " (its condition cannot be evaluated: {fault})"))
    }
}
