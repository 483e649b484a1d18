//! Lets callers in to operations of products by what they have subscribed to.
//!
//! It comes behind everything that finds out who somebody is and before everything that counts, so that limits know
//! whose they are and a refused request costs nobody anything. Of the products that have the operation, the first to
//! which the application has a subscription that may be used is the one that is counted. Who is refused is told why and
//! what could be subscribed to, because that is for its owner to mend and not a secret.

use std::fmt::Write as _;

use engine::config::{Access, PlanTerms, ProductTerms, Rule, SaidBy};
use engine::customers::{Application, CredentialKind, Holds, Refusal, Subscription};
use model::kinds::plan::CredentialKind as Taken;

use crate::exchange::{Admitted, Exchange, Subscriber, Unadmitted};
use crate::failure::Failure;
use crate::principal::{Principal, Unknown};

/// Finds the terms on which a request comes in.
///
/// # Errors
/// There are none. What there is to tell of that is noted.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    let Some(access) = &rule.access else { return Ok(()) };
    if was_asked_before(exchange, access) {
        return Ok(());
    }
    let clock = &exchange.worker.clock;
    match admit(&exchange.principal, access, || clock.wall().as_secs()) {
        Ok(admitted) => {
            exchange.admitted = Some(admitted);
            Ok(())
        }
        Err((failure, unadmitted)) => {
            exchange.unadmitted = unadmitted;
            Err(failure)
        }
    }
}

/// Whether a Gateway of our mesh that asks the same has let it in. Asking again would take the Gateway for the caller.
fn was_asked_before(exchange: &Exchange<'_>, access: &Access) -> bool {
    let Some(caller) = exchange.peer.counterpart.as_deref() else { return false };
    let identity = &caller.verified.identity;
    // It was called by a name of our mesh, so that is where the trust domain stands that is ours.
    let is_ours = || {
        let service = caller.server_name.strip_suffix(identity.trust_domain());
        service.is_some_and(|service| service.ends_with(".svc."))
    };
    access.fronts.iter().any(|front| front.is(identity)) && is_ours()
}

/// Why somebody is not let in, and by which subscription.
type Refused<'c> = (Failure, Option<Unadmitted<'c>>);

fn admit<'c>(
    principal: &Principal<'_>,
    access: &'c Access,
    now: impl Fn() -> u64,
) -> Result<Admitted<'c>, Refused<'c>> {
    if let Some(keyless) = &access.keyless {
        return Ok(Admitted { subscriber: None, product: &keyless.product, plan: &keyless.plan });
    }
    let Some((application, by)) = principal.application().zip(principal.recognised_by()) else {
        return Err((nobody(principal), None));
    };
    let mut nearest = None;
    for product in &access.products {
        let Some(subscription) = application.subscription(&product.name, &now) else { continue };
        match terms(subscription, product, by, &now) {
            Ok(plan) => return Ok(admitted(application, subscription, product, plan)),
            Err(refused) => nearest = nearest.or(Some(refused)),
        }
    }
    Err(nearest.unwrap_or((Failure::SubscriptionMissing, None)))
}

/// What is wrong with a caller that is no application.
fn nobody(principal: &Principal<'_>) -> Failure {
    match principal.unknown() {
        Some(Unknown::Suspended) => Failure::ApplicationSuspended,
        Some(Unknown::Customers) => Failure::AuthenticationUnavailable,
        Some(Unknown::Credential) => Failure::ApplicationMissing,
        None if principal.name().is_some() => Failure::ApplicationMissing,
        None => Failure::CredentialMissing,
    }
}

fn terms<'c>(
    subscription: &Subscription,
    product: &'c ProductTerms,
    by: CredentialKind,
    now: impl Fn() -> u64,
) -> Result<&'c PlanTerms, Refused<'c>> {
    let refused = |failure, holds| Err((failure, Some(Unadmitted { product, holds })));
    match subscription.usable(now) {
        Ok(()) => {}
        Err(Refusal::Held(holds)) => return refused(Failure::SubscriptionHeld, holds),
        Err(Refusal::NotActive) => return refused(Failure::SubscriptionInactive, Holds::NONE),
    }
    let Some(plan) = product.plan(&subscription.plan) else {
        return refused(Failure::PlanEnded, Holds::NONE);
    };
    match plan.credentials.contains(&taken(by)) {
        true => Ok(plan),
        false => refused(Failure::PlanCredential, Holds::NONE),
    }
}

/// What a plan calls the credential by which somebody was recognised.
fn taken(by: CredentialKind) -> Taken {
    match by {
        CredentialKind::ApiKey => Taken::ApiKey,
        CredentialKind::Spiffe => Taken::Spiffe,
        CredentialKind::Certificate => Taken::ClientCertificate,
    }
}

fn admitted<'c>(
    application: &Application,
    subscription: &Subscription,
    product: &'c ProductTerms,
    plan: &'c PlanTerms,
) -> Admitted<'c> {
    let subscriber = Subscriber {
        subscription: subscription.id,
        application: application.id,
        anchor: subscription.anchor,
    };
    Admitted { subscriber: Some(subscriber), product, plan }
}

/// Members of the problem document for whoever was not let in: what is held by whom, and what could be subscribed to.
pub fn refusal(exchange: &Exchange<'_>, failure: Failure, out: &mut String) {
    let Some(access) = exchange.rule.and_then(|rule| rule.access.as_deref()) else { return };
    let offers = match failure {
        Failure::CredentialMissing
        | Failure::ApplicationMissing
        | Failure::SubscriptionMissing
        | Failure::SubscriptionInactive
        | Failure::PlanEnded => true,
        Failure::SubscriptionHeld | Failure::PlanCredential | Failure::ApplicationSuspended => false,
        _ => return,
    };
    // Names of objects hold nothing that JSON would have to escape.
    if let Some(unadmitted) = &exchange.unadmitted {
        let _ = write!(out, ",\"product\":\"{}\"", unadmitted.product.name);
        if !unadmitted.holds.is_empty() {
            list(out, "heldBy", unadmitted.holds.iter().map(|hold| hold.as_str()));
        }
    }
    if offers {
        list(out, "plans", access.offers().map(|(_, plan)| &*plan.name));
        if let Some((product, plan)) = access.offers().next() {
            let plan = plan.name.rsplit('/').next().unwrap_or_default();
            let _ = write!(out, ",\"subscribe\":\"selvedge subscribe {} --plan {plan}\"", product.name);
        }
    }
}

/// The terms of a plan whose end a refused request has reached: somebody could change them for others.
#[must_use]
pub fn outgrown<'e, 'c>(exchange: &'e Exchange<'c>, failure: Failure) -> Option<&'e Admitted<'c>> {
    let is_of_plan = match failure {
        Failure::RateLimited => exchange.told_rate.is_some_and(|told| told.limit.said_by == SaidBy::Plan),
        Failure::QuotaExceeded => true,
        _ => false,
    };
    exchange.admitted.as_ref().filter(|_| is_of_plan)
}

/// Members of the problem document for whoever has outgrown a plan: the page where another one is chosen, and plans of
/// the same product that give more.
pub fn upgrades(admitted: &Admitted<'_>, out: &mut String) {
    if let Some(page) = &admitted.product.page {
        let _ = write!(out, ",\"upgrade\":\"{}\"", page.url);
    }
    list(out, "plans", admitted.product.roomier_than(admitted.plan).map(|plan| &*plan.name));
}

/// Sends whoever has outgrown a plan to the page where another one is chosen.
pub fn emit_upgrade(exchange: &Exchange<'_>, failure: Failure, emit: &mut impl FnMut(&[u8], &[u8])) {
    let page = outgrown(exchange, failure).and_then(|admitted| admitted.product.page.as_ref());
    if let Some(page) = page {
        emit(b"link", &page.link);
    }
}

/// A member that lists names, unless there are none.
fn list<'n>(out: &mut String, member: &str, names: impl Iterator<Item = &'n str>) {
    let mut any = false;
    for name in names {
        let _ = match any {
            true => write!(out, ",\"{name}\""),
            false => write!(out, ",\"{member}\":[\"{name}\""),
        };
        any = true;
    }
    if any {
        out.push(']');
    }
}

#[cfg(test)]
mod tests;
