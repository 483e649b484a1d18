//! Who asks, and whether they may.
//!
//! Three steps, each a file: credentials become a user or nobody, a user and a wish become a permit or a refusal,
//! and what was done or denied is kept. A handler takes the permit, so none can forget to ask for it.

pub mod audit;
pub mod authenticate;
pub mod authorize;
pub mod rbac;
pub mod tokens;

pub use audit::Audit;
pub use authenticate::{Authenticator, Credentials, User};
pub use authorize::{AdminsOnly, Authorizer, Permit, Verdict, Wish};
pub use rbac::Rbac;
pub use tokens::Tokens;
