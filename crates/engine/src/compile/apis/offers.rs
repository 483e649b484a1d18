//! Products and their plans as terms, and which of them an operation of a version is had by.
//!
//! A product guards its operations from its publication until somebody deletes it: one that has ended lets nobody in
//! any more, rather than everybody. A plan whose limits cannot be kept does not hold.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use commerce::rate::Rate;
use model::kinds::api_product::ProductState;
use model::kinds::plan::{PlanRate, PlanSpec, PlanState};
use model::kinds::references::ParentRef;
use model::kinds::{ApiProduct, ApiVersion, GATEWAY_GROUP, KindName, Plan};
use model::resources::Typed;
use model::spiffe::GATEWAY_ACCOUNT;
use model::{Resource, Resources};

use crate::authentication::{ApiKey, Authentication, Method, Place};
use crate::config::{Access, Front, PlanTerms, PlansPage, ProductTerms, Quota, RateLimit, SaidBy};

/// A product that guards operations of a version.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    product: Arc<Resource>,
    plans: Box<[Arc<Resource>]>,
    terms: Arc<ProductTerms>,
}

impl Offer {
    /// Whether both say the same because they are made of the same objects.
    pub(super) fn is(&self, other: &Offer) -> bool {
        Arc::ptr_eq(&self.terms, &other.terms) && Arc::ptr_eq(&self.product, &other.product)
    }

    fn is_made_of(&self, product: &Arc<Resource>, plans: &[Arc<Resource>]) -> bool {
        Arc::ptr_eq(&self.product, product)
            && self.plans.len() == plans.len()
            && self.plans.iter().zip(plans).all(|(mine, other)| Arc::ptr_eq(mine, other))
    }

    fn has(&self, version: &str, operation: &str) -> bool {
        let product = self.product.content::<ApiProduct>();
        let apis = product.map_or(&[][..], |product| &product.spec.apis);
        apis.iter().any(|api| *api.version == *version && api.has(operation))
    }
}

/// All products that guard something.
#[derive(Debug, Default)]
pub(super) struct Offers {
    all: Vec<Offer>,
}

impl Offers {
    /// Takes products and plans in as they are now. What is made of the same objects stays the same by pointer.
    pub(super) fn update(&mut self, resources: &Resources) {
        let before: HashMap<&str, &Offer> =
            self.all.iter().map(|offer| (&*offer.terms.name, offer)).collect();
        let mut plans: HashMap<(&str, &str), Vec<Typed<'_, Plan>>> = HashMap::new();
        for plan in resources.all::<Plan>() {
            plans.entry((plan.resource.namespace(), &plan.content.spec.product)).or_default().push(plan);
        }
        let guarding = resources.all::<ApiProduct>().filter(|product| guards(product.content));
        let all = guarding.map(|product| {
            let place = (product.resource.namespace(), product.resource.key.name.as_str());
            let plans = plans.get(&place).map_or(&[][..], Vec::as_slice);
            let made_of: Box<[Arc<Resource>]> = plans.iter().map(|plan| plan.resource.clone()).collect();
            let name = product.resource.key.place();
            match before.get(&*name) {
                Some(known) if known.is_made_of(product.resource, &made_of) => Offer::clone(known),
                _ => Offer {
                    product: product.resource.clone(),
                    plans: made_of,
                    terms: Arc::new(terms(product, plans)),
                },
            }
        });
        self.all = all.collect();
    }

    /// Whether a product guards its operations and nobody can have it.
    pub(super) fn is_closed(&self, product: &Arc<Resource>) -> bool {
        let own = self.all.iter().find(|offer| Arc::ptr_eq(&offer.product, product));
        own.is_some_and(|offer| offer.terms.plans.is_empty())
    }

    /// The products with operations of a version.
    pub(super) fn of_version(&self, version: &Resource) -> Vec<Offer> {
        let name = version.key.name.as_str();
        let here = self.all.iter().filter(|offer| offer.product.namespace() == version.namespace());
        let named = here.filter(|offer| {
            let product = offer.product.content::<ApiProduct>();
            product.is_some_and(|product| product.spec.apis.iter().any(|api| *api.version == *name))
        });
        named.cloned().collect()
    }
}

/// What operations of one version ask of their callers. Equal demands are the same by pointer.
#[derive(Debug)]
pub(super) struct Demands<'o> {
    version: &'o str,
    offers: &'o [Offer],
    fronts: Box<[Front]>,
    made: Vec<Arc<Access>>,
}

impl<'o> Demands<'o> {
    pub(super) fn new(version: Typed<'o, ApiVersion>, offers: &'o [Offer]) -> Demands<'o> {
        let namespace = version.resource.namespace();
        let fronts = version.content.spec.parent_refs.iter().filter_map(|parent| front(parent, namespace));
        let fronts = fronts.collect();
        Demands { version: version.resource.key.name.as_str(), offers, fronts, made: Vec::new() }
    }

    /// The products that have an operation; `None` when none has.
    pub(super) fn of(&mut self, operation: &str) -> Option<Arc<Access>> {
        let having = self.offers.iter().filter(|offer| offer.has(self.version, operation));
        let products: Vec<Arc<ProductTerms>> = having.map(|offer| offer.terms.clone()).collect();
        if products.is_empty() {
            return None;
        }
        let access = Access::new(products, self.fronts.clone());
        if let Some(known) = self.made.iter().find(|known| known.products == access.products) {
            return Some(known.clone());
        }
        let access = Arc::new(access);
        self.made.push(access.clone());
        Some(access)
    }
}

/// A parent that asks callers itself.
fn front(parent: &ParentRef, namespace: &str) -> Option<Front> {
    let is_gateway = *parent.group == *GATEWAY_GROUP && *parent.kind == *KindName::Gateway.as_str();
    is_gateway.then(|| Front {
        namespace: parent.namespace.clone().unwrap_or_else(|| namespace.into()),
        service_account: format!("{GATEWAY_ACCOUNT}{}", parent.name).into(),
    })
}

fn guards(product: &ApiProduct) -> bool {
    match product.spec.state {
        ProductState::Draft => false,
        ProductState::Published | ProductState::Deprecated | ProductState::Archived => true,
    }
}

fn terms(product: Typed<'_, ApiProduct>, plans: &[Typed<'_, Plan>]) -> ProductTerms {
    let has_ended = product.content.spec.state == ProductState::Archived;
    let mut plans: Vec<Arc<PlanTerms>> = match has_ended {
        true => Vec::new(),
        false => plans.iter().filter_map(|plan| Some(Arc::new(plan_terms(*plan)?))).collect(),
    };
    plans.sort_by(|left, right| left.name.cmp(&right.name));
    ProductTerms {
        name: product.resource.key.place().into(),
        is_offered: product.content.spec.state == ProductState::Published,
        page: product.content.spec.page.clone().map(PlansPage::new),
        plans: plans.into(),
    }
}

/// `None` for a plan that does not hold.
fn plan_terms(plan: Typed<'_, Plan>) -> Option<PlanTerms> {
    let spec = &plan.content.spec;
    let is_offered = match spec.state {
        PlanState::Published => true,
        PlanState::Deprecated => false,
        PlanState::Draft | PlanState::Closed => return None,
    };
    let name: Arc<str> = plan.resource.key.place().into();
    let rates: Result<Box<[RateLimit]>, String> = rates(&name, &spec.rates);
    Some(PlanTerms {
        version: spec.version,
        is_offered,
        credentials: spec.credentials.as_slice().into(),
        rates: rates.ok()?,
        quotas: Quota::all(&spec.quotas).ok()?,
        name,
    })
}

/// Why a plan lets nobody in: limits that cannot be kept.
pub(super) fn problems(spec: &PlanSpec) -> Vec<String> {
    let rates = rates(&"".into(), &spec.rates).err();
    rates.into_iter().chain(Quota::all(&spec.quotas).err()).collect()
}

/// The rates of a plan, or why they cannot be kept.
fn rates(plan: &Arc<str>, written: &[PlanRate]) -> Result<Box<[RateLimit]>, String> {
    (0..).zip(written).map(|(at, rate)| limit(plan, at, rate)).collect()
}

fn limit(plan: &Arc<str>, at: u64, written: &PlanRate) -> Result<RateLimit, String> {
    let PlanRate { requests, per, burst } = written;
    let count = |number: u64| {
        u32::try_from(number).map_err(|_| format!("rates[{at}]: {number} is more than {}", u32::MAX))
    };
    let (requests, burst) = (count(*requests)?, burst.map(count).transpose()?);
    let (name, time) = (format!("{requests}-per-{per}"), per.get());
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let announced = format!("\"{name}\";q={requests};w={seconds}");
    Ok(RateLimit {
        account: account(plan, at),
        rate: Rate::new(requests, time, burst).map_err(|error| format!("rates[{at}]: {error}"))?,
        // What somebody has subscribed to is one rate, however many gateways there are.
        is_together: true,
        name: name.into(),
        said_by: SaidBy::Plan,
        policy: plan.clone(),
        requests,
        per: time,
        by: Box::default(),
        when: Box::default(),
        announced: announced.into_bytes().into(),
    })
}

/// The same for the same rate of the same plan, everywhere: another plan of a subscription begins anew.
fn account(plan: &str, at: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (plan, at).hash(&mut hasher);
    hasher.finish()
}

/// How subscribers prove who they are where no policy says it: by a key in `x-api-key`, or by an identity of the mesh.
#[derive(Debug)]
pub(super) struct UsualCredentials(pub(super) Arc<Authentication>);

impl Default for UsualCredentials {
    fn default() -> Self {
        let places = [Place::Header(b"x-api-key".as_slice().into())].into();
        UsualCredentials(Arc::new(Authentication {
            policy: "the default of products".into(),
            methods: [Method::ApiKey(ApiKey { places, keep: false, given: None }), Method::Spiffe].into(),
            anonymous: false,
            unusable: None,
            reserved: Box::default(),
        }))
    }
}
