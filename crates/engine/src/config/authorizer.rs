//! Who else is asked whether a request may pass, and how.

use std::sync::Arc;
use std::time::Duration;

use super::ClusterSlot;

/// Names of header fields, in lower case.
pub type FieldNames = Box<[Arc<[u8]>]>;

/// Somebody who is asked about every request of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// `namespace/name` of the ExternalAuthorizationPolicy that names it.
    pub policy: Arc<str>,
    /// Where it is; `None` when its reference leads nowhere, and then nobody passes.
    pub cluster: Option<ClusterSlot>,
    /// How it is called in `:authority` where it is asked over gRPC.
    pub authority: Arc<str>,
    /// How it is asked.
    pub question: AuthorizerQuestion,
    /// How much of the body it is shown.
    pub body: Option<ShownBody>,
    /// Longest time until it has answered.
    pub timeout: Duration,
    /// Whether requests pass of which it says nothing.
    pub passes_on_failure: bool,
    /// What they are answered with otherwise.
    pub status_on_error: u16,
}

/// How an authorizer is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizerQuestion {
    /// By a call of `envoy.service.auth.v3.Authorization/Check`.
    Grpc {
        /// Fields that it is shown; `None` for all.
        shown: Option<FieldNames>,
        /// What it is told beside the request.
        context: Box<[(Arc<str>, Arc<str>)]>,
        /// Whether it is shown the certificate of a TLS client.
        with_certificate: bool,
    },
    /// By a request like the client's.
    Http {
        /// Put before the path.
        prefix: Arc<str>,
        /// Fields that it is shown.
        shown: FieldNames,
        /// Fields of its consent that the backend is given, whatever clients have sent by these names.
        to_upstream: FieldNames,
        /// Fields of its refusal that the client is given; `None` for all.
        to_client: Option<FieldNames>,
        /// Fields of its consent that the client is given.
        to_client_on_success: FieldNames,
    },
}

impl AuthorizerQuestion {
    /// `grpc` or `http`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            AuthorizerQuestion::Grpc { .. } => "grpc",
            AuthorizerQuestion::Http { .. } => "http",
        }
    }
}

/// How much of a body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownBody {
    /// Most bytes of it.
    pub bytes_max: usize,
    /// Whether of a longer one the beginning is shown; it is refused otherwise.
    pub partly: bool,
}
