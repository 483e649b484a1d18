//! Who else is asked whether a request may pass, in words that outlive the config they were said in.

use std::fmt;

use serde::Serialize;

use crate::Config;
use crate::config::Authorizer;

/// Somebody who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `namespace/name` of the ExternalAuthorizationPolicy.
    pub policy: String,
    /// `grpc` or `http`.
    pub over: &'static str,
    /// Name of its cluster; `None` when its reference leads nowhere, and then nobody passes.
    pub at: Option<String>,
    /// Longest time until it has answered, in milliseconds.
    pub timeout_milliseconds: u64,
    /// Whether requests pass of which it says nothing.
    pub passes_on_failure: bool,
    /// What they are answered with otherwise.
    pub status_on_error: u16,
}

impl Asked {
    /// Somebody in words.
    #[must_use]
    pub fn new(authorizer: &Authorizer, config: &Config) -> Asked {
        let cluster = authorizer.cluster.and_then(|slot| config.cluster(slot));
        Asked {
            policy: authorizer.policy.to_string(),
            over: authorizer.question.as_str(),
            at: cluster.map(|cluster| cluster.name.to_string()),
            timeout_milliseconds: u64::try_from(authorizer.timeout.as_millis()).unwrap_or(u64::MAX),
            passes_on_failure: authorizer.passes_on_failure,
            status_on_error: authorizer.status_on_error,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { policy, over, at, timeout_milliseconds, passes_on_failure, status_on_error } = self;
        let Some(at) = at else {
            return write!(f, "nobody, by {policy}: its authorizer does not exist, so nothing passes");
        };
        write!(f, "{at} over {over} within {timeout_milliseconds} ms, by {policy}; ")?;
        match passes_on_failure {
            true => f.write_str("without an answer the request passes"),
            false => write!(f, "without an answer: {status_on_error}"),
        }
    }
}
