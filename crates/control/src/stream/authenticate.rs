//! Who is at the other end of a stream, and what it may see.
//!
//! A trait, because who may do what is decided elsewhere; what stands here is what the stream needs to know of it.
//! Whoever shows nothing is refused.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_lc_rs::digest;
use discovery::Interest;

use crate::api::access::Credentials;

/// An answer, some time later.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<Peer, Refused>> + Send + 'a>>;

/// Decides who may connect.
pub trait Authenticate: Send + Sync + fmt::Debug + 'static {
    /// Who shows this bearer token, or this certificate.
    fn authenticate<'a>(&'a self, shown: Credentials<'a>) -> Verdict<'a>;

    /// Whether somebody who was let in is still who it serves, asked before each of its views is sent.
    fn is_still(&self, _peer: &Peer) -> bool {
        true
    }
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What the audit log calls it.
    pub name: Arc<str>,
    /// For whom it may see what there is.
    pub may_serve: Interest,
}

impl Peer {
    /// Whether it may see all of this.
    #[must_use]
    pub fn may(&self, interest: &Interest) -> bool {
        match (&self.may_serve, interest) {
            (Interest::All, _) => true,
            (Interest::Gateways(may), Interest::Gateways(asked)) => asked.is_subset(may),
            (Interest::Workload(may), Interest::Workload(asked)) => may == asked,
            (Interest::Gateways(_), Interest::All | Interest::Workload(_))
            | (Interest::Workload(_), Interest::All | Interest::Gateways(_)) => false,
        }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was shown.
    #[error("no bearer token was sent, and no certificate was shown")]
    Anonymous,
    /// What was shown is not known.
    #[error("the bearer token or certificate is not known")]
    Unknown,
    /// It is a member under the name of a workload that runs as another service account.
    #[error("workload `{0}` runs as another service account than the certificate says")]
    Account(Arc<str>),
    /// It cannot be decided now.
    #[error("tokens cannot be checked now")]
    Unavailable,
}

/// A fixed set of tokens. Only their digests are held.
#[derive(Default)]
pub struct Tokens {
    peers: HashMap<[u8; 32], Peer>,
}

impl Tokens {
    /// No token at all.
    #[must_use]
    pub fn new() -> Tokens {
        Tokens::default()
    }

    /// Whoever shows this token is this peer.
    #[must_use]
    pub fn with(mut self, token: &str, peer: Peer) -> Tokens {
        self.peers.insert(hash(token), peer);
        self
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("count", &self.peers.len()).finish_non_exhaustive()
    }
}

impl Authenticate for Tokens {
    fn authenticate<'a>(&'a self, shown: Credentials<'a>) -> Verdict<'a> {
        // Digests are compared, so that the time it takes tells nothing about a token.
        let verdict = match shown.bearer {
            None => Err(Refused::Anonymous),
            Some(token) => self.peers.get(&hash(token)).cloned().ok_or(Refused::Unknown),
        };
        Box::pin(std::future::ready(verdict))
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(names: &[&str]) -> Interest {
        Interest::Gateways(names.iter().map(|name| (*name).into()).collect())
    }

    #[tokio::test]
    async fn only_who_shows_a_known_token_is_let_in() {
        let peer = Peer { name: "edge".into(), may_serve: Interest::All };
        let tokens = Tokens::new().with("t1", peer.clone());

        let bearer = |token| Credentials { bearer: token, certificate: None };
        assert_eq!(tokens.authenticate(bearer(Some("t1"))).await, Ok(peer));
        assert_eq!(tokens.authenticate(bearer(Some("t2"))).await, Err(Refused::Unknown));
        assert_eq!(tokens.authenticate(bearer(None)).await, Err(Refused::Anonymous));
        assert!(!format!("{tokens:?}").contains("t1"));
    }

    #[test]
    fn who_may_see_some_gateways_may_not_ask_for_all() {
        let peer = Peer { name: "edge".into(), may_serve: some(&["a/b", "a/c"]) };

        assert!(peer.may(&some(&["a/b"])));
        assert!(!peer.may(&some(&["a/b", "x/y"])));
        assert!(!peer.may(&Interest::All));
        assert!(!peer.may(&Interest::Workload("a/b".into())));
    }

    #[test]
    fn who_stands_beside_a_workload_sees_what_is_for_that_one() {
        let peer = Peer { name: "cart".into(), may_serve: Interest::Workload("shop/cart-1".into()) };

        assert!(peer.may(&Interest::Workload("shop/cart-1".into())));
        assert!(!peer.may(&Interest::Workload("shop/cart-2".into())));
        assert!(!peer.may(&some(&["shop/cart-1"])) && !peer.may(&Interest::All));
    }
}
