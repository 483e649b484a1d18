//! What is sold in these tests, to whom, and how much of it was used.

use serde_json::{Value, json};

use crate::documents::PRODUCT;

/// Something that is sold, as its list and as itself.
pub fn sold(plural: &str, name: &str, spec: Value, status: Value) -> [(String, Value); 3] {
    let object = json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec, "status": status });
    let list = json!({ "metadata": { "resourceVersion": "17" }, "items": [object] });
    [
        (format!("{PRODUCT}/{plural}"), list.clone()),
        (format!("{PRODUCT}/namespaces/shop/{plural}"), list),
        (format!("{PRODUCT}/namespaces/shop/{plural}/{name}"), object),
    ]
}

pub fn all_sold() -> impl Iterator<Item = (String, Value)> {
    let apis = json!([{ "version": "pets-v1", "operations": ["GET /pets/{}"] }]);
    let rates = json!([{ "requests": 60, "per": "1m", "burst": 5 }]);
    let quotas = json!([{ "requests": 1000, "per": "Month", "timeZone": "Europe/Berlin" }]);
    let subscription = json!({ "application": "mobile", "product": "pets", "plan": "pets-free" });
    [
        sold("apiproducts", "pets", json!({ "title": "Pets <for> all", "state": "Published", "apis": apis }), Value::Null),
        sold(
            "plans",
            "pets-free",
            json!({ "product": "pets", "state": "Published", "credentials": ["APIKey"], "rates": rates, "quotas": quotas }),
            Value::Null,
        ),
        sold("applications", "mobile", json!({ "team": "buyers" }), json!({ "state": "Active" })),
        sold("subscriptions", "mobile-pets", subscription, json!({ "state": "Active", "holds": ["Billing"] })),
        sold(
            "credentials",
            "mobile-x7k2m",
            json!({ "application": "mobile", "type": "APIKey" }),
            json!({ "state": "Revoked", "shown": "sk_live_ab…" }),
        ),
    ]
    .into_iter()
    .flatten()
}

pub fn used() -> Value {
    json!({ "cut": false, "items": [{
        "application": "shop/mobile", "version": "shop/pets-v1", "operation": "GET /pets/{}", "day": "2026-11-23",
        "requests": 1204, "success": 1198, "clientErrors": 4, "serverErrors": 2, "refused": 31,
    }] })
}
