//! Credentials become a user.
//!
//! Nobody is let in for lack of credentials: who has none, or wrong ones, is refused, not treated as a guest.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use crate::access::User;
pub use crate::access::user::{AUTHENTICATED, MASTERS as ADMINS};
use crate::api::tls::ClientName;

/// What a request shows of who sent it.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// A bearer token (RFC 6750).
    pub bearer: Option<&'a str>,
    /// The name in a client certificate that the handshake has verified.
    pub certificate: Option<&'a ClientName>,
}

impl fmt::Debug for Credentials<'_> {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("bearer", &self.bearer.is_some())
            .field("certificate", &self.certificate)
            .finish()
    }
}

impl<'a> Credentials<'a> {
    /// The credentials of a request on a connection.
    #[must_use]
    pub fn of(headers: &'a HeaderMap, certificate: Option<&'a ClientName>) -> Credentials<'a> {
        let field = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = field.and_then(|field| field.split_once(' ')).unwrap_or_default();
        let bearer = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
        Credentials { bearer: bearer.filter(|token| !token.is_empty()), certificate }
    }
}

/// Knows some users by their credentials.
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// The user with these credentials.
    fn authenticate(&self, credentials: &Credentials<'_>) -> Option<User>;
}

/// Who holds a certificate of our own authority.
///
/// A token that is shown beside it must be good as well: a client that believes to be one user must not be served
/// as another.
#[derive(Clone, Copy, Debug)]
pub struct Certificates;

impl Authenticator for Certificates {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Option<User> {
        let name = credentials.certificate.filter(|_| credentials.bearer.is_none())?;
        Some(User::new(name.user.as_str(), name.groups.iter().map(String::as_str)))
    }
}

/// Asks several in their order.
#[derive(Clone, Debug)]
pub struct FirstOf(pub Vec<Arc<dyn Authenticator>>);

impl Authenticator for FirstOf {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Option<User> {
        self.0.iter().find_map(|authenticator| authenticator.authenticate(credentials))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_from_its_field() {
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a field"))]);

        assert_eq!(Credentials::of(&headers("Bearer abc"), None).bearer, Some("abc"));
        assert_eq!(Credentials::of(&headers("bearer  abc"), None).bearer, Some("abc"));
        assert_eq!(Credentials::of(&headers("Basic abc"), None).bearer, None);
        assert_eq!(Credentials::of(&headers("Bearer "), None).bearer, None);
    }

    #[test]
    fn a_wrong_token_is_not_made_good_by_a_certificate() {
        let name = ClientName { user: "ana".into(), groups: vec!["editors".into()] };
        let with = |bearer| Credentials { bearer, certificate: Some(&name) };

        let user = Certificates.authenticate(&with(None)).expect("known");

        assert!(user.is_in("editors") && user.is_in(AUTHENTICATED));
        assert_eq!(Certificates.authenticate(&with(Some("wrong"))), None);
    }
}
