//! What is asked for, in terms of the plan: a gateway says which quota it means, and the plan says how much that is.

use commerce::period::Window;
use commerce::quota::{Holder, Told};
use discovery::quotas::QuotaAsk;
use engine::config::Quota;
use model::Resources;
use model::kinds::Plan;

use super::ledger::Ask;
use super::number;
use crate::store::quotas::QuotaKey;

/// Seconds by which the clock of a gateway may be wrong. Past it nothing is lent to it.
const WRONG_BY_MAX: i64 = 120;

/// `None` when there is no such quota.
pub(super) fn read(resources: &Resources, holder: &Holder, ask: &QuotaAsk, now: i64) -> Option<Ask> {
    let quota = find(resources, &ask.plan, &ask.quota)?;
    let window = quota.calendar.window(ask.start);
    if window.start != ask.start {
        return None;
    }
    let boot = match ask.ended_boot.is_empty() {
        true => holder.boot,
        false => number(&ask.ended_boot)?,
    };
    Some(Ask {
        holder: Holder { node: holder.node.clone(), boot },
        has_ended: boot != holder.boot,
        key: QuotaKey {
            subscription: (&*ask.subscription).try_into().ok()?,
            quota: quota.name,
            start: window.start,
        },
        window,
        is_now: is_now(window, now),
        quota: quota.requests,
        told: Told { lent: ask.lent, spent: ask.spent, given_back: ask.given_back },
        wanted: ask.wanted,
    })
}

fn find(resources: &Resources, plan: &str, name: &str) -> Option<Quota> {
    let (namespace, plan) = plan.split_once('/')?;
    let plan = resources.find::<Plan>(namespace, plan)?;
    Quota::all(&plan.content.spec.quotas).ok()?.into_iter().find(|quota| &*quota.name == name)
}

fn is_now(window: Window, now: i64) -> bool {
    window.start <= now.saturating_add(WRONG_BY_MAX) && now.saturating_sub(WRONG_BY_MAX) < window.end
}
