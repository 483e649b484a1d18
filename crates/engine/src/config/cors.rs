//! Which other sites may call, as the data path needs it.

use std::sync::Arc;

/// Cross-origin rules of a route (Fetch standard, CORS protocol).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Allowed origins in lower case: exact, with one leading `*` in the host, or the single `*`.
    pub allow_origins: Vec<Arc<str>>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
    /// Allowed methods, or the single `*`.
    pub allow_methods: Vec<Arc<str>>,
    /// Allowed request fields, or the single `*`.
    pub allow_headers: Vec<Arc<str>>,
    /// Response fields shown to scripts, or the single `*`.
    pub expose_headers: Vec<Arc<str>>,
    /// How long a preflight answer may be kept, in seconds.
    pub max_age_seconds: u32,
}
