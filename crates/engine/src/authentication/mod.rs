//! How the callers of a place prove who they are, compiled.
//!
//! Methods are looked for in the order written, and the first whose credential is *there* decides: whoever shows a
//! credential is judged by it and by nothing else, so that a bad one is never made good by trying the next. Verifying
//! takes keys, clocks and sometimes a network, so it is the proxy's work; what is to be verified, where it stands in a
//! request and what holds where is decided here.

mod fetch;
mod given;
mod place;

use std::fmt;
use std::sync::Arc;

use model::jwk::KeySet;

pub use fetch::{Fetch, is_public};
pub use given::{GIVEN_MAX, GivenKeys, Passwords};
pub use place::{Found, Place, without_cookie, without_parameter};

/// What one place asks of its callers.
#[derive(Debug, PartialEq, Eq)]
pub struct Authentication {
    /// `namespace/name` of the policy.
    pub policy: Arc<str>,
    /// The methods in order.
    pub methods: Box<[Method]>,
    /// Whether those who show nothing go on, as nobody.
    pub anonymous: bool,
    /// Why nobody is let in, when the policy cannot do what it says.
    pub unusable: Option<Arc<str>>,
    /// Fields in which the backend is told claims, in lower case: nobody else may send them.
    pub reserved: Box<[Arc<[u8]>]>,
}

/// One method.
#[derive(Debug, PartialEq, Eq)]
pub enum Method {
    /// A key.
    ApiKey(ApiKey),
    /// Name and password.
    Basic(Basic),
    /// A signed token.
    Jwt(Jwt),
    /// A token whose issuer says what it is.
    Introspection(Introspection),
    /// A verified certificate.
    ClientCertificate,
    /// A verified SPIFFE ID.
    Spiffe,
}

impl Method {
    /// As it is written in policies, and in the names of principals.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Method::ApiKey(_) => "apiKey",
            Method::Basic(_) => "basic",
            Method::Jwt(_) => "jwt",
            Method::Introspection(_) => "introspection",
            Method::ClientCertificate => "clientCertificate",
            Method::Spiffe => "spiffe",
        }
    }
}

/// Keys.
#[derive(Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Where one may stand.
    pub places: Box<[Place]>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// Whose keys count; `None` for those of applications.
    pub given: Option<GivenKeys>,
}

/// Names and passwords.
#[derive(Debug, PartialEq, Eq)]
pub struct Basic {
    /// What people are told that they are asked for; no quotation marks, no backslashes.
    pub realm: Arc<str>,
    /// Whether the backend sees them.
    pub keep: bool,
    /// The hashes.
    pub passwords: Passwords,
}

/// Signed tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The `iss` that a token must have.
    pub issuer: Arc<str>,
    /// One of these must stand in `aud`, unless there are none.
    pub audiences: Box<[Arc<str>]>,
    /// The keys that may have signed it.
    pub keys: TokenKeys,
    /// Where one may stand.
    pub places: Box<[Place]>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// How far clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// Claims with the fields that tell them, in lower case.
    pub told: Box<[ToldClaim]>,
}

/// Tokens that only their issuer understands.
#[derive(Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Who is asked.
    pub endpoint: Arc<IntrospectionEndpoint>,
    /// The `iss` that the answer must have.
    pub issuer: Option<Arc<str>>,
    /// One of these must stand in `aud`, unless there are none.
    pub audiences: Box<[Arc<str>]>,
    /// Where one may stand.
    pub places: Box<[Place]>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// For how long an answer counts at most, in seconds.
    pub cache_seconds: u64,
    /// How far clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// What the answer says with the fields that tell it, in lower case.
    pub told: Box<[ToldClaim]>,
}

/// A place that is asked about tokens.
#[derive(PartialEq, Eq)]
pub struct IntrospectionEndpoint {
    /// What is asked.
    pub fetch: Fetch,
    /// By which credential: a value of `Authorization`.
    pub authorization: Arc<[u8]>,
}

impl fmt::Debug for IntrospectionEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionEndpoint").field("fetch", &self.fetch).finish_non_exhaustive()
    }
}

/// A claim, and the name of the field that tells it.
pub type ToldClaim = (Arc<str>, Arc<[u8]>);

/// Where keys of tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// They are known.
    Given(Arc<KeySet>),
    /// They are asked for.
    Remote(Arc<KeySource>),
}

/// Stable index of a place that is asked for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySlot(pub u32);

/// A place that is asked for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// Stable index.
    pub slot: KeySlot,
    /// What is asked.
    pub fetch: Fetch,
}
