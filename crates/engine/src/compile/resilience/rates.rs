//! Limits of rates: which of them a rule has, and what each is counted under.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use commerce::rate::Rate;
use model::kinds::rate_limit_policy::{
    RateKey as WrittenKey, RateKeyType, RateLimit as Written, RateLimitPolicy, RateScope,
};

use super::super::attached::{Attached, Held, Target, TargetKind};
use super::request;
use crate::config::{RateKey, RateLimit, SaidBy};

/// Every limit at a target, or at a part of it and the whole.
pub(super) fn at(policies: &Attached, target: &Target, section: Option<&str>) -> Vec<RateLimit> {
    let held = policies.held(target, section);
    held.flat_map(|held| {
        let limits = held.resource.content::<RateLimitPolicy>().map_or(&[][..], |policy| &policy.spec.limits);
        limits.iter().filter_map(move |limit| compiled(limit, &held, target)).collect::<Vec<_>>()
    })
    .collect()
}

/// `None` for what the schema does not let by.
fn compiled(limit: &Written, held: &Held<'_>, target: &Target) -> Option<RateLimit> {
    let Written { name, requests, per, burst, scope, by, when } = limit;
    let per = per.get();
    let policy: Arc<str> = held.resource.key.place().into();
    let seconds = per.as_secs() + u64::from(per.subsec_nanos() > 0);
    let announced = format!("\"{name}\";q={requests};w={seconds}");
    Some(RateLimit {
        account: account((&policy, name), target, held.section),
        name: name.clone(),
        said_by: SaidBy::RateLimitPolicy,
        policy,
        rate: Rate::new(*requests, per, *burst).ok()?,
        is_together: match scope {
            Some(RateScope::AllProxies) => true,
            Some(RateScope::EachProxy) => false,
            // The replicas of a Service are beside one another, and each is to be kept from too much.
            None => target.kind != TargetKind::Service,
        },
        requests: *requests,
        per,
        by: by.iter().filter_map(key).collect(),
        when: request::conditions_of(when).collect(),
        announced: announced.into_bytes().into(),
    })
}

fn key(written: &WrittenKey) -> Option<RateKey> {
    Some(match written.kind {
        RateKeyType::Address => RateKey::Address,
        RateKeyType::Identity => RateKey::Identity,
        RateKeyType::Header => {
            RateKey::Header(written.name.as_ref()?.to_ascii_lowercase().into_bytes().into())
        }
    })
}

/// A policy with several targets counts at each of them apart. The hash has fixed keys: nobody but whoever writes
/// policies chooses what goes in.
fn account(limit: (&str, &str), target: &Target, section: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (limit, target, section).hash(&mut hasher);
    hasher.finish()
}
