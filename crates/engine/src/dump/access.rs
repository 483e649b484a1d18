//! Who may ask for an operation of products, as JSON.

use serde_json::{Map, Value, json};

use super::rates;
use crate::config::{Access, PlanTerms, Quota};

/// The products with their plans.
pub(super) fn whole(access: &Access) -> Value {
    let Access { products, keyless, fronts } = access;
    let products = products.iter().map(|product| {
        let plans = product.plans.iter().map(|plan| (plan.name.to_string(), self::plan(plan)));
        (product.name.to_string(), plans.collect::<Map<_, _>>().into())
    });
    let mut object = json!({ "products": products.collect::<Map<_, _>>() });
    let pages = access
        .products
        .iter()
        .filter_map(|product| Some((product.name.to_string(), product.page.as_ref()?.url.as_str().into())));
    let pages: Map<String, Value> = pages.collect();
    if !pages.is_empty() {
        object["pages"] = pages.into();
    }
    if let Some(keyless) = keyless {
        object["keyless"] = json!(keyless.plan.name);
    }
    if !fronts.is_empty() {
        let names = fronts.iter().map(|front| format!("{}/{}", front.namespace, front.service_account));
        object["fronts"] = names.collect();
    }
    object
}

fn plan(plan: &PlanTerms) -> Value {
    let PlanTerms { name: _, version, is_offered, credentials, rates, quotas } = plan;
    json!({
        "version": version,
        "offered": is_offered,
        "credentials": credentials,
        "rates": rates.iter().map(rates::limit).collect::<Vec<_>>(),
        "quotas": quotas.iter().map(quota).collect::<Vec<_>>(),
    })
}

fn quota(quota: &Quota) -> Value {
    let Quota { name, requests, calendar: _, is_hard, when_unknown, announced: _ } = quota;
    json!({
        "name": name,
        "requests": requests,
        "limit": if *is_hard { "Hard" } else { "Soft" },
        "whenUnknown": format!("{when_unknown:?}"),
    })
}
