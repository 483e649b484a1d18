//! How often callers may ask, as the data path needs it.
//!
//! Limits of all levels stand side by side in a rule: what a Gateway's operator has limited, no route can loosen. All
//! of it stands behind one pointer that is absent where no policy is.

use std::sync::Arc;
use std::time::Duration;

use commerce::rate::Rate;

use super::FaultCondition;

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What it is counted under: the same for the same limit of the same policy at the same target, in every epoch
    /// and on every proxy.
    pub account: u64,
    /// Its own name.
    pub name: Arc<str>,
    /// What said so.
    pub said_by: SaidBy,
    /// `namespace/name` of that.
    pub policy: Arc<str>,
    /// What it gives.
    pub rate: Rate,
    /// Whether all proxies that ask for it give it together; otherwise each gives the whole.
    pub is_together: bool,
    /// Requests, as written.
    pub requests: u32,
    /// In this time, as written.
    pub per: Duration,
    /// What tells callers apart; when empty, all of them share it.
    pub by: Box<[RateKey]>,
    /// Requests it is about.
    pub when: Box<[FaultCondition]>,
    /// Its item of a `RateLimit-Policy` field (draft-ietf-httpapi-ratelimit-headers).
    pub announced: Arc<[u8]>,
}

/// Kinds that limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidBy {
    /// Whoever looks after a place.
    RateLimitPolicy,
    /// What a subscriber has agreed to.
    Plan,
}

impl SaidBy {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SaidBy::RateLimitPolicy => "RateLimitPolicy",
            SaidBy::Plan => "Plan",
        }
    }
}

/// What tells one caller from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateKey {
    /// The client's address; of IPv6 its first 64 bits.
    Address,
    /// The value of a field, by its name in lower case.
    Header(Arc<[u8]>),
    /// Who it has proven to be.
    Identity,
}
