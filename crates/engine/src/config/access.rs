//! Who may ask for an operation that is part of a product, as the data path needs it.
//!
//! What a caller has subscribed to is known by name, and lies in a table beside the config; what each name means is
//! here. So a new customer changes nothing here, and a new plan nothing there.

use std::sync::Arc;

use commerce::period::Period;
use model::kinds::plan::CredentialKind;
use model::page_url::PageUrl;
use model::spiffe::SpiffeId;

use super::{Quota, RateLimit};

/// The products that an operation belongs to. Whoever has one of them may ask for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Access {
    /// The products, by name; at least one.
    pub products: Box<[Arc<ProductTerms>]>,
    /// On which terms everybody has it. Never beside a plan that asks for a credential: there that one holds.
    pub keyless: Option<Keyless>,
    /// Gateways that ask the same of their callers: whoever comes from one of them by the mesh has been let in.
    pub fronts: Box<[Front]>,
}

/// A Gateway as a member of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The service account of its proxies.
    pub service_account: Arc<str>,
}

/// Terms that hold for callers of whom nobody knows who they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyless {
    /// The product.
    pub product: Arc<ProductTerms>,
    /// The plan of it.
    pub plan: Arc<PlanTerms>,
}

/// A product, and the plans on which it is had.
#[derive(Debug, PartialEq, Eq)]
pub struct ProductTerms {
    /// `namespace/name` of the APIProduct.
    pub name: Arc<str>,
    /// Whether somebody may still subscribe to it.
    pub is_offered: bool,
    /// Where a plan of it is chosen.
    pub page: Option<PlansPage>,
    /// The plans that hold, by name. None: nobody has it.
    pub plans: Box<[Arc<PlanTerms>]>,
}

/// The page where a plan of a product is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlansPage {
    /// Its URL, in which JSON has nothing to escape.
    pub url: PageUrl,
    /// The value of a `Link` field that leads there (RFC 8288).
    pub link: Arc<[u8]>,
}

/// What a plan gives.
#[derive(Debug, PartialEq, Eq)]
pub struct PlanTerms {
    /// `namespace/name` of the Plan.
    pub name: Arc<str>,
    /// Which version of the terms it is.
    pub version: u32,
    /// Whether somebody may still subscribe to it.
    pub is_offered: bool,
    /// How subscribers prove who they are. Empty: nobody has to.
    pub credentials: Box<[CredentialKind]>,
    /// How fast a subscription may ask.
    pub rates: Box<[RateLimit]>,
    /// How often a subscription may ask.
    pub quotas: Box<[Quota]>,
}

impl Access {
    /// The products, with the plans that hold for them, on which an operation is had.
    #[must_use]
    pub fn new(mut products: Vec<Arc<ProductTerms>>, fronts: Box<[Front]>) -> Access {
        products.sort_by(|left, right| left.name.cmp(&right.name));
        let plans =
            || products.iter().flat_map(|product| product.plans.iter().map(move |plan| (product, plan)));
        let keyless = match plans().all(|(_, plan)| plan.is_keyless()) {
            true => plans().next(),
            false => None,
        };
        let keyless = keyless.map(|(product, plan)| Keyless { product: product.clone(), plan: plan.clone() });
        Access { products: products.into(), keyless, fronts }
    }

    /// Plans to which somebody may subscribe, with their products.
    pub fn offers(&self) -> impl Iterator<Item = (&ProductTerms, &PlanTerms)> {
        let products = self.products.iter().filter(|product| product.is_offered);
        let all = products.flat_map(|product| product.plans.iter().map(move |plan| (&**product, &**plan)));
        all.filter(|(_, plan)| plan.is_offered && !plan.is_keyless())
    }
}

impl Front {
    /// Whether an identity of a trust domain is that of this Gateway.
    #[must_use]
    pub fn is(&self, identity: &SpiffeId) -> bool {
        identity.namespace() == Some(&*self.namespace)
            && identity.service_account() == Some(&*self.service_account)
    }
}

impl ProductTerms {
    /// One of its plans, as subscriptions name it. Allocates nothing.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&Arc<PlanTerms>> {
        let at = self.plans.binary_search_by(|plan| (*plan.name).cmp(name)).ok()?;
        self.plans.get(at)
    }

    /// Plans to which somebody may subscribe who wants to ask more often than one of them lets it. Allocates nothing.
    pub fn roomier_than<'p>(&'p self, plan: &'p PlanTerms) -> impl Iterator<Item = &'p PlanTerms> {
        let offered = self.plans.iter().map(|plan| &**plan).filter(|_| self.is_offered);
        offered.filter(|other| other.is_offered && !other.is_keyless() && other.is_roomier_than(plan))
    }
}

impl PlansPage {
    /// A page, with the field that leads there.
    #[must_use]
    pub fn new(url: PageUrl) -> PlansPage {
        let link = format!("<{url}>; rel=\"help\"; title=\"upgrade\"");
        PlansPage { url, link: link.into_bytes().into() }
    }
}

impl PlanTerms {
    /// Whether it is had without a credential.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.credentials.is_empty()
    }

    /// Whether it refuses less: none of its limits is smaller than the other's of its sort, and at least one is larger.
    #[must_use]
    pub fn is_roomier_than(&self, other: &PlanTerms) -> bool {
        let (mine, others) = (self.requests_per_second(), other.requests_per_second());
        let periods = || PERIODS.iter().map(|period| (self.requests_in(*period), other.requests_in(*period)));
        let is_no_smaller = mine >= others && periods().all(|(mine, others)| mine >= others);
        is_no_smaller && (mine > others || periods().any(|(mine, others)| mine > others))
    }

    /// What all of its rates let by for ever; infinite where there is none.
    fn requests_per_second(&self) -> f64 {
        let each = self.rates.iter().map(|rate| f64::from(rate.requests) / rate.per.as_secs_f64());
        each.fold(f64::INFINITY, f64::min)
    }

    /// What its quotas let by in a part of the calendar, wherever its midnights are; the most that can be counted where
    /// none refuses anything.
    fn requests_in(&self, period: Period) -> u64 {
        let quotas = self.quotas.iter().filter(|quota| quota.is_hard && quota.calendar.period() == period);
        quotas.map(|quota| quota.requests).min().unwrap_or(u64::MAX)
    }
}

const PERIODS: [Period; 6] =
    [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

#[cfg(test)]
mod tests;
